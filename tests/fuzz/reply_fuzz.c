/* What HTTP servers answer, in any pieces. */
#include <stddef.h>
#include <stdint.h>

#include "cuts.h"
#include "handlers/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct proxy VALUES = {};
	return cuts(&PROXY_CODEC, &VALUES, data, size);
}
