/* Request targets, decoded and normalised.  No state; any thread. */
#include "http/target.h"

#include <errno.h>

#include "base/mem.h"
#include "base/num.h"

/* True where the path is already what it would become: no escape, no dot segment, no doubled slash. */
static bool is_plain(struct str raw)
{
	for (size_t i = 0; i < raw.n; i++) {
		if (raw.p[i] == '%')
			return false;
		if (raw.p[i] == '/' && i + 1 < raw.n && (raw.p[i + 1] == '.' || raw.p[i + 1] == '/'))
			return false;
	}
	return true;
}

/* Decodes %XX once; an encoded separator or control character would be read differently by whoever decodes twice. */
static int decode(struct str raw, char *out, size_t *n, const char **why)
{
	size_t len = 0;
	for (size_t i = 0; i < raw.n; i++) {
		char c = raw.p[i];
		if (c == '%') {
			int high = i + 2 < raw.n ? ascii_hex(raw.p[i + 1]) : -1;
			int low = i + 2 < raw.n ? ascii_hex(raw.p[i + 2]) : -1;
			if (high < 0 || low < 0) {
				*why = "the path holds a % that no two hexadecimal digits follow";
				return -EINVAL;
			}
			c = (char)(high << 4 | low);
			i += 2;
			if (c == '/' || (unsigned char)c < 0x20 || c == 0x7f) {
				*why = "the path holds an encoded slash or control character";
				return -EINVAL;
			}
		}
		out[len++] = c;
	}
	*n = len;
	return 0;
}

/* Takes dot segments out and makes runs of '/' one, in place (RFC 3986, 5.2.4); -EINVAL above the root. */
static int fold(char *p, size_t *n)
{
	struct str rest = { p, *n };
	size_t len = 0;
	while (rest.n) {
		rest = str_from(rest, 1);  /* the slash */
		size_t end = str_find(rest, '/');
		struct str part = str_head(rest, end);
		bool last = end == rest.n;
		if (str_eq(part, STR(".."))) {
			if (!len)
				return -EINVAL;
			while (p[--len] != '/')
				;
		} else if (part.n && !str_eq(part, STR("."))) {
			p[len] = '/';
			memmove(p + len + 1, part.p, part.n);
			len += part.n + 1;
			rest = str_from(rest, end);
			continue;
		}
		if (last)
			p[len++] = '/';
		rest = str_from(rest, end);
	}
	*n = len;
	return 0;
}

int target_path(struct arena *a, struct str raw, struct str *path, const char **why)
{
	if (!raw.n || raw.p[0] != '/') {
		*why = "the path does not begin with a slash";
		return -EINVAL;
	}
	if (is_plain(raw)) {
		*path = raw;
		return 0;
	}
	char *p = arena_raw(a, raw.n + 1);
	size_t n;
	if (decode(raw, p, &n, why))
		return -EINVAL;
	if (fold(p, &n)) {
		*why = "the path leads above the root";
		return -EINVAL;
	}
	*path = (struct str){ p, n };
	return 0;
}

enum { HOST_MOST = 255 };  /* bytes of a name, or of an address with its brackets */

static bool host_char(char c)
{
	return ascii_alpha(c) || ascii_digit(c) || c == '-' || c == '.' || c == '_';
}

/* Length of a host's name or address at the start of s, 0 where there is none. */
static size_t host_length(struct str s)
{
	size_t n = 0;
	if (s.n && s.p[0] == '[') {
		n = 1;
		while (n < s.n && (ascii_hex(s.p[n]) >= 0 || s.p[n] == ':' || s.p[n] == '.'))
			n++;
		return n < s.n && n > 2 && n < HOST_MOST && s.p[n] == ']' ? n + 1 : 0;
	}
	/* No part of a name is empty. */
	while (n < s.n && host_char(s.p[n]) && !(s.p[n] == '.' && (!n || s.p[n - 1] == '.')))
		n++;
	return n <= HOST_MOST ? n : 0;
}

int target_authority(struct arena *a, struct str raw, struct str *host, uint16_t *port)
{
	size_t n = host_length(raw);
	if (!n)
		return -EINVAL;
	struct str rest = str_from(raw, n);
	uint64_t number = 0;
	/* The port may be empty (RFC 3986, 3.2.3). */
	if (rest.n && (rest.p[0] != ':' || (rest.n > 1 && num_parse(str_from(rest, 1), 65535, &number))))
		return -EINVAL;
	char *p = arena_raw(a, n);
	for (size_t i = 0; i < n; i++)
		p[i] = ascii_lower(raw.p[i]);
	/* "example.org." is the same name, fully qualified. */
	*host = (struct str){ p, n > 1 && p[n - 1] == '.' ? n - 1 : n };
	*port = (uint16_t)number;
	return 0;
}

bool target_take_authority(struct str *target, struct str *authority)
{
	static const struct str SCHEMES[] = { { "http://", 7 }, { "https://", 8 } };
	for (size_t i = 0; i < countof(SCHEMES); i++) {
		if (!str_eq_nocase(str_head(*target, SCHEMES[i].n), SCHEMES[i]))
			continue;
		struct str rest = str_from(*target, SCHEMES[i].n);
		size_t end = 0;
		while (end < rest.n && rest.p[end] != '/' && rest.p[end] != '?')
			end++;
		*authority = str_head(rest, end);
		*target = str_from(rest, end);
		return end > 0;
	}
	return false;
}

struct str target_origin_form(struct arena *a, struct str target)
{
	struct str authority;
	if (!target_take_authority(&target, &authority) || (target.n && target.p[0] == '/'))
		return target;
	return arena_strf(a, "/%.*s", STR_F(target));
}

struct str target_encode(struct arena *a, struct str path)
{
	static const char HEX[] = "0123456789ABCDEF";
	char *p = arena_raw(a, path.n * 3 + 1);
	size_t n = 0;
	for (size_t i = 0; i < path.n; i++) {
		char c = path.p[i];
		if (ascii_alpha(c) || ascii_digit(c) || (c && strchr("-._~/!$&'()*+,=:@", c))) {
			p[n++] = c;
			continue;
		}
		p[n++] = '%';
		p[n++] = HEX[(unsigned char)c >> 4];
		p[n++] = HEX[(unsigned char)c & 15];
	}
	p[n] = '\0';
	return (struct str){ p, n };
}

struct str target_clean(struct arena *a, struct str target)
{
	static const char HEX[] = "0123456789ABCDEF";
	char *p = arena_raw(a, target.n * 3 + 1);
	size_t n = 0;
	for (size_t i = 0; i < target.n; i++) {
		unsigned char c = (unsigned char)target.p[i];
		if (c > ' ' && c < 0x7f && c != '"' && c != '<' && c != '>' && c != '\\') {
			p[n++] = (char)c;
			continue;
		}
		p[n++] = '%';
		p[n++] = HEX[c >> 4];
		p[n++] = HEX[c & 15];
	}
	return (struct str){ p, n };
}
