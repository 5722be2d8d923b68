/* What memcached servers answer: the same whether it comes in one piece or in many. */
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/must.h"
#include "http/mc_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_B = 4096 };

/* All that was heard, as text; false: it ended in nonsense. */
static bool hear(struct str all, size_t piece_b, struct buf *heard)
{
	struct mc_reader r = {};
	enum mc_heard said = MC_MORE;
	while (all.n && said != MC_NONSENSE) {
		struct str in = str_head(all, piece_b);
		all = str_from(all, in.n);
		while (in.n && (said = mc_read(&r, &in, MOST_B)) == MC_HEARD) {
			const struct mc_answer *a = &r.answer;
			buf_addf(heard, "%d %x %llu %llu %llu %llu %lld\n", a->code, a->marks, (unsigned long long)a->size_b,
			         (unsigned long long)a->flags, (unsigned long long)a->cas, (unsigned long long)a->opaque,
			         (long long)a->ttl_s);
			must(!r.value || a->size_b <= MOST_B);
			if (r.value && a->code == MC_VA)
				buf_add(heard, str_make(r.value, (size_t)a->size_b));
		}
	}
	mc_reader_fini(&r);
	return said != MC_NONSENSE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole = {}, cut = {};
	if (!size)
		return 0;
	struct str in = { (const char *)data + 1, size - 1 };
	bool fine = hear(in, in.n + 1, &whole);
	size_t pieces[] = { 1, 2 + data[0] % 60u };
	for (size_t i = 0; i < countof(pieces); i++) {
		buf_clear(&cut);
		/* A line is known to be too long when so much of it came, which the pieces decide. */
		if (hear(in, pieces[i], &cut) == fine && fine)
			must(str_eq(buf_str(&whole), buf_str(&cut)));
	}
	buf_fini(&whole);
	buf_fini(&cut);
	return 0;
}
