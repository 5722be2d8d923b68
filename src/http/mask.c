/* Masking.  See mask.h. */
#include "http/mask.h"

#include "base/mem.h"

/* Anywhere in a name, in lower case, with '-' for '_'. */
static const char *const WORDS[] = { "authorization", "cookie",  "password", "passwd",     "secret", "token",
	                             "api-key",       "apikey",  "auth-pw",  "credential", "session", "private-key",
	                             "x-auth",        "csrf",    "xsrf",     "signature" };

bool is_secret(struct str name)
{
	char plain[128];
	struct str s = str_make(plain, name.n < sizeof plain ? name.n : sizeof plain);
	for (size_t i = 0; i < s.n; i++)
		plain[i] = name.p[i] == '_' ? '-' : ascii_lower(name.p[i]);
	for (size_t i = 0; i < countof(WORDS); i++)
		if (s.n && memmem(s.p, s.n, WORDS[i], strlen(WORDS[i])))
			return true;
	return false;
}

static void line_ends(struct mask *m)
{
	/* An empty line, or one of a CR alone. */
	m->over = !m->in_value && (!m->name_n || (m->name_n == 1 && m->name[0] == '\r'));
	m->name_n = 0;
	m->in_value = m->hides = false;
}

static void in_name(struct mask *m, char c, struct buf *out)
{
	if (c != ':') {
		if (m->name_n < sizeof m->name)
			m->name[m->name_n++] = c;
		return;
	}
	m->in_value = true;
	m->hides = is_secret(str_make(m->name, m->name_n));
	if (m->hides)
		buf_add(out, STR(": "));
	if (m->hides)
		buf_add(out, MASKED);
}

void mask_add(struct mask *m, struct str bytes, struct buf *out)
{
	for (size_t i = 0; i < bytes.n; i++) {
		char c = bytes.p[i];
		if (m->over) {
			buf_add(out, str_from(bytes, i));
			return;
		}
		if (c == '\n') {
			line_ends(m);
			buf_add_char(out, c);
			continue;
		}
		if (!m->in_value)
			in_name(m, c, out);
		if (!m->hides)
			buf_add_char(out, c);
	}
}

void mask_gap(struct mask *m)
{
	m->in_value = m->hides = !m->over;
}
