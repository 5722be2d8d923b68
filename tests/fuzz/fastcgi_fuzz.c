/* FastCGI records of an application, in any pieces. */
#include <stddef.h>
#include <stdint.h>

#include "cuts.h"
#include "http/gateway.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct gateway VALUES = {};
	return cuts(&FASTCGI_CODEC, &VALUES, data, size);
}
