/* PROXY protocol heads: whatever is taken is no longer than what came, and what is known of a client can be said again. */
#include <stddef.h>
#include <stdint.h>

#include "base/must.h"
#include "net/proxy_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ip from = { .family = AF_UNIX }, again = {};
	char head[PROXY_HEAD_ROOM_B];
	size_t length_b = 0;
	if (!size || proxy_head_parse(str_make((const char *)data, size), &from, &length_b) != PROXY_DONE)
		return 0;
	must(length_b <= size);
	for (int version = 1; version <= 2; version++) {
		size_t n = proxy_head_print(head, version, &from, &from);
		must(proxy_head_parse(str_make(head, n), &again, &length_b) == PROXY_DONE && length_b == n);
		must(!ip_length(&from) || (again.family == from.family && again.port == from.port));
	}
	return 0;
}
