/* Globs.  See glob.h. */
#include "base/glob.h"

/* Stars take the shortest run that lets the rest match; the last one takes what remains.  Each literal between two
 * stars is looked for once, from where the one before it was found, so no choice is ever taken back. */
bool glob_match(struct str pattern, struct str text, struct captures *captures)
{
	struct str rest = pattern, literal = str_cut(&rest, '*');
	if (!str_starts(text, literal))
		return false;
	if (!rest.p)
		return text.n == literal.n;
	text = str_from(text, literal.n);
	for (literal = str_cut(&rest, '*'); rest.p; literal = str_cut(&rest, '*')) {
		if (text.n < literal.n)
			return false;
		const char *at = literal.n ? memmem(text.p, text.n, literal.p, literal.n) : text.p;
		if (literal.n && !at)
			return false;
		size_t run = (size_t)(at - text.p);
		capture(captures, str_head(text, run));
		text = str_from(text, run + literal.n);
	}
	if (!str_ends(text, literal))
		return false;
	capture(captures, str_head(text, text.n - literal.n));
	return true;
}
