/* Taking queries apart.  No state. */
#include "http/query.h"

/* A percent sign without two digits behind it stands for itself. */
static void decode(struct str s, struct buf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		bool coded = s.p[i] == '%' && i + 2 < s.n && ascii_hex(s.p[i + 1]) >= 0 && ascii_hex(s.p[i + 2]) >= 0;
		if (coded)
			buf_add_char(out, (char)(ascii_hex(s.p[i + 1]) * 16 + ascii_hex(s.p[i + 2])));
		else
			buf_add_char(out, s.p[i] == '+' ? ' ' : s.p[i]);
		i += coded ? 2 : 0;
	}
}

static bool is_named(struct str coded, struct str name)
{
	struct buf plain = {};
	decode(coded, &plain);
	bool same = str_eq(buf_str(&plain), name);
	buf_fini(&plain);
	return same;
}

bool query_get(struct str query, struct str name, struct buf *out)
{
	while (query.n) {
		struct str value = str_cut(&query, '&'), key = str_cut(&value, '=');
		if (!is_named(key, name))
			continue;
		decode(value, out);
		return true;
	}
	return false;
}

void query_encode(struct str s, struct buf *out)
{
	static const char HEX[] = "0123456789ABCDEF";
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (ascii_alpha(s.p[i]) || ascii_digit(s.p[i]) || strchr("-._~/:", s.p[i] ? s.p[i] : ' ')) {
			buf_add_char(out, s.p[i]);
			continue;
		}
		buf_add_char(out, '%');
		buf_add_char(out, HEX[c >> 4]);
		buf_add_char(out, HEX[c & 15]);
	}
}
