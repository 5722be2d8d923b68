/* UTF-8's well-formed sequences, by RFC 3629, 4.  No state; any thread. */
#include "base/utf8.h"

static bool in(struct str s, size_t at, unsigned char low, unsigned char high)
{
	return at < s.n && (unsigned char)s.p[at] >= low && (unsigned char)s.p[at] <= high;
}

/* True where s holds `count` continuation bytes from `at` on. */
static bool tail(struct str s, size_t at, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!in(s, at + i, 0x80, 0xBF))
			return false;
	return true;
}

size_t utf8_length(struct str s)
{
	if (!s.n)
		return 0;
	unsigned char c = (unsigned char)s.p[0];
	if (c < 0x80)
		return 1;
	if (c >= 0xC2 && c <= 0xDF)
		return tail(s, 1, 1) ? 2 : 0;
	if (c >= 0xE0 && c <= 0xEF) {
		unsigned char low = c == 0xE0 ? 0xA0 : 0x80;   /* no overlong form */
		unsigned char high = c == 0xED ? 0x9F : 0xBF;  /* no surrogate */
		return in(s, 1, low, high) && tail(s, 2, 1) ? 3 : 0;
	}
	if (c >= 0xF0 && c <= 0xF4) {
		unsigned char low = c == 0xF0 ? 0x90 : 0x80;
		unsigned char high = c == 0xF4 ? 0x8F : 0xBF;
		return in(s, 1, low, high) && tail(s, 2, 2) ? 4 : 0;
	}
	return 0;
}
