/* What people are shown of protocols: any bytes, in pieces of any size.  The first byte chooses the protocol, the second
 * the size of the pieces. */
#include <stdint.h>

#include "base/mem.h"
#include "base/must.h"
#include "http/decode.h"
#include "http/mask.h"

static void pairs(enum decode how, struct str head)
{
	struct str name, value;
	while (decode_pair(how, &head, &name, &value))
		is_secret(name);
}

static void records(struct str in, size_t piece)
{
	struct buf kept = {}, whole = {}, shown = {};
	struct thin thin = {}, at_once = {};
	struct mask mask = {};
	struct record r;
	thin_add(&at_once, in, &whole);
	for (struct str rest = in; rest.n; rest = str_from(rest, piece))
		thin_add(&thin, str_head(rest, piece), &kept);
	must(str_eq(buf_str(&kept), buf_str(&whole)));
	for (struct str rest = buf_str(&kept); record_next(&rest, &r);) {
		must(r.content.n <= r.length);
		pairs(DECODE_FASTCGI, r.content);
		mask_add(&mask, r.content, &shown);
		if (r.content.n < r.length)
			mask_gap(&mask);
	}
	buf_fini(&kept);
	buf_fini(&whole);
	buf_fini(&shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str first, fields, head, body;
	if (size < 2)
		return 0;
	enum decode how = (enum decode)(data[0] % (DECODE_CGI + 1));
	struct str in = str_make((const char *)data + 2, size - 2);
	if (how == DECODE_FASTCGI)
		records(in, 1 + data[1]);
	if (decode_ask(how, in, &head, &body)) {
		must(head.n + body.n <= in.n);
		pairs(how, head);
	}
	decode_head(in, &first, &fields, &body);
	must(first.n + fields.n + body.n <= in.n);
	pairs(DECODE_HTTP, fields);
	return 0;
}
