/* A line of the journal of purges: whatever it says is added, and printed as the same line.  The fuzzer can't guess
 * checksums: it gets them right in every second try. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/must.h"
#include "share/purges.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_line(const char *text, size_t size)
{
	char *exact = malloc(size ? size : 1);
	must(exact);
	memcpy(exact, text, size);
	struct purge what;
	if (!purge_parse(str_make(exact, size), &what)) {
		struct epoch *e = epoch_new();
		struct purges *p = purges_new(e);
		struct buf out = {};
		must(!purges_add(p, &what));
		purges_print(p, &out);
		struct purge again;
		must(out.n && out.p[out.n - 1] == '\n' && !purge_parse(str_make(out.p, out.n - 1), &again));
		must(again.kind == what.kind && again.soft == what.soft && again.at_ms == what.at_ms);
		must(str_eq(again.match, what.match));
		buf_fini(&out);
		purges_free(p);
		epoch_free(e);
	}
	free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf line = {};
	struct str text = { (const char *)data, size };
	read_line(text.p, text.n);
	struct str rest = str_from(text, str_find(text, ' ') + 1);
	buf_addf(&line, "%08x ", (uint32_t)hash_bytes(rest, 0));
	buf_add(&line, rest);
	read_line(line.p, line.n);
	buf_fini(&line);
	return 0;
}
