/* Any bytes as a message between worker and spawner: refused, or something that is the same bytes again. */
#include <stdlib.h>

#include "event/spawn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The bytes after the lengths that nobody reads. */
enum { UNUSED_AT = 12, UNUSED_B = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = { (const char *)data, size };
	struct spawn_message m;
	struct buf out = {};
	if (spawn_decode(in, &m) < 0)
		return 0;
	spawn_encode(&m, &out);
	if (out.n != size || memcmp(out.p, data, UNUSED_AT) ||
	    memcmp(out.p + UNUSED_AT + UNUSED_B, data + UNUSED_AT + UNUSED_B, size - UNUSED_AT - UNUSED_B))
		abort();
	buf_fini(&out);
	return 0;
}
