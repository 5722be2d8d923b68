/* Patterns of routes: `*` stands for any run of bytes, `/` included; `= /exact`; `~ regex` (PCRE2).
 *
 * Compiled into the snapshot's arena while the configuration is read; matching allocates nothing and is bounded: globs
 * take at most text × pattern steps, regexes run on PCRE2's interpreter with a match limit. */
#pragma once

#include "base/glob.h"
#include "base/type.h"

enum pattern_kind { PATTERN_EXACT, PATTERN_PREFIX, PATTERN_GLOB, PATTERN_REGEX };

struct pattern {
	enum pattern_kind kind;
	struct str text;     /* as written, without the leading "=" or "~" */
	struct str literal;  /* PATTERN_EXACT: the whole; else what the text has to begin with (PATTERN_PREFIX: text is
	                      * "literal*", so that nothing else has to be looked at) */
	void *regex;         /* pcre2_code, in the arena, too */
};

/* Compiles words of a route: one word, or "=" / "~" and one word.  0, or -EINVAL with in->error set. */
[[nodiscard]] int pattern_parse(struct type_in *in, struct str mark, struct str text, struct pattern *out);
/* captures may be NULL; when given, it is filled on a match and points into text. */
bool pattern_match(const struct pattern *p, struct str text, struct captures *captures);
/* True where `first` matches everything that `later` matches, as far as that can be known from the texts: for the
 * warning that a route is shadowed. */
bool pattern_covers(const struct pattern *first, const struct pattern *later);
void pattern_print(struct buf *out, const struct pattern *p);
