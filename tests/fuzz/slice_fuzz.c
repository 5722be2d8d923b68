/* What a Content-Range says: what is taken from one lies within the whole, and printed it is read again as the same. */
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/must.h"
#include "http/slices.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice_range got, again;
	char *exact = mem_new(size);
	if (size)
		memcpy(exact, data, size);
	if (slice_range_parse(str_make(exact, size), &got)) {
		struct buf out = {};
		must(got.length_b > 0 && got.total_b <= INT64_MAX && got.from_b < got.total_b);
		must(got.length_b <= got.total_b - got.from_b);
		buf_addf(&out, "bytes %llu-%llu/%llu", (unsigned long long)got.from_b,
		         (unsigned long long)(got.from_b + got.length_b - 1), (unsigned long long)got.total_b);
		must(slice_range_parse(buf_str(&out), &again));
		must(again.from_b == got.from_b && again.length_b == got.length_b && again.total_b == got.total_b);
		buf_fini(&out);
	}
	mem_free(exact);
	return 0;
}
