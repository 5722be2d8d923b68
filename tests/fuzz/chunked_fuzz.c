/* The chunked coding: the same data, end and rest in one piece, byte by byte, and in pieces of any size. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/must.h"
#include "http/chunked.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct decoded {
	enum chunked_got got;
	struct buf data;
	size_t used;
};

static struct decoded decode(struct str in, size_t piece, uint64_t want_b)
{
	struct decoded d = { .got = CHUNKED_MORE };
	struct chunked c = {};
	while (d.got == CHUNKED_MORE && d.used < in.n) {
		struct str fresh = str_head(str_from(in, d.used), piece), run;
		char *exact = malloc(fresh.n);
		must(exact);
		memcpy(exact, fresh.p, fresh.n);
		struct str left = { exact, fresh.n };
		while ((d.got = chunked_read(&c, &left, want_b, &run)) == CHUNKED_SOME) {
			must(run.n && run.n <= want_b && run.p >= exact && run.p + run.n <= exact + fresh.n);
			buf_add(&d.data, run);
		}
		must(d.got != CHUNKED_MORE || !left.n);
		d.used += fresh.n - left.n;
		free(exact);
	}
	/* Data is never more than what there was. */
	must(d.data.n <= d.used);
	return d;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	struct str in = { (const char *)data + 2, size - 2 };
	struct decoded whole = decode(in, in.n ? in.n : 1, UINT64_MAX);
	size_t pieces[] = { 1, 1 + data[0] % 16u };
	for (size_t i = 0; i < 2; i++) {
		struct decoded d = decode(in, pieces[i], 1 + data[1] % 8u);
		must(d.got == whole.got && str_eq(buf_str(&d.data), buf_str(&whole.data)));
		must(d.got == CHUNKED_BAD || d.used == whole.used);
		buf_fini(&d.data);
	}
	buf_fini(&whole.data);
	return 0;
}
