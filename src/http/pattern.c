/* Patterns of routes.  Compiled patterns live in the snapshot's arena; matching uses the stack.  Any thread.
 *
 * Regexes run on PCRE2's interpreter: its JIT would need memory that is writable and then executable, which the
 * worker's sandbox does not grant, and memory outside the arena. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "http/pattern.h"

#include <errno.h>
#include <pcre2.h>
#include <stdio.h>

#include "base/must.h"

enum {
	STEPS_MOST = 50000,     /* PCRE2's match limit: about a millisecond */
	SCRATCH_B = 64 * 1024,  /* all memory that one match may take */
};

static int glob_parse(struct type_in *in, bool exact, struct str text, struct pattern *out)
{
	if (!text.n)
		return type_wrong(in, "it is empty");
	if (memchr(text.p, '\0', text.n))
		return type_wrong(in, "it holds a NUL byte");
	if (!exact && (text.p[0] == '=' || text.p[0] == '~'))
		return type_wrong(in, "a blank has to follow the \"%c\"", text.p[0]);
	if (text.p[0] != '/' && (exact || text.p[0] != '*'))
		return type_wrong(in, exact ? "it has to begin with \"/\"" : "it has to begin with \"/\" or \"*\"");
	size_t star = str_find(text, '*');
	out->text = arena_str(in->arena, text);
	out->literal = exact ? out->text : str_head(out->text, star);
	if (exact || star == text.n)
		out->kind = PATTERN_EXACT;
	else
		out->kind = star == text.n - 1 ? PATTERN_PREFIX : PATTERN_GLOB;
	return 0;
}

static void *arena_malloc(size_t size, void *arena)
{
	return arena_raw(arena, size);
}

static void arena_leave(void *p, void *arena)
{
	(void)p;
	(void)arena;
}

static int regex_parse(struct type_in *in, struct str text, struct pattern *out)
{
	int code;
	size_t at;
	pcre2_general_context *general = pcre2_general_context_create(arena_malloc, arena_leave, in->arena);
	pcre2_compile_context *context = pcre2_compile_context_create(general);
	/* A newline in a path must not hide the rest of it from "." and "$". */
	out->regex = pcre2_compile((PCRE2_SPTR)text.p, text.n, PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY, &code, &at, context);
	if (!out->regex) {
		char why[128];
		pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof why);
		return type_wrong(in, "%s, at byte %zu", why, at + 1);
	}
	out->kind = PATTERN_REGEX;
	out->text = arena_str(in->arena, text);
	return 0;
}

int pattern_parse(struct type_in *in, struct str mark, struct str text, struct pattern *out)
{
	*out = (struct pattern){};
	if (str_eq(mark, STR("~")))
		return regex_parse(in, text, out);
	if (mark.n && !str_eq(mark, STR("=")))
		return type_wrong(in, "\"%.*s\" is neither \"=\" nor \"~\"", STR_F(mark));
	return glob_parse(in, mark.n > 0, text, out);
}

/* Memory for one match, given out once and never taken back. */
struct scratch {
	size_t used;
	_Alignas(16) char bytes[SCRATCH_B];
};

static void *scratch_malloc(size_t size, void *data)
{
	struct scratch *s = data;
	size = (size + 15) & ~(size_t)15;
	if (size > SCRATCH_B - s->used)
		return NULL;
	void *p = s->bytes + s->used;
	s->used += size;
	return p;
}

static void regex_captures(pcre2_match_data *data, int groups, struct str text, struct captures *captures)
{
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(data);
	for (int i = 1; i < groups && i <= CAPTURES_MOST; i++) {
		bool set = at[2 * i] != PCRE2_UNSET && at[2 * i] <= at[2 * i + 1];
		capture(captures, set ? str_make(text.p + at[2 * i], at[2 * i + 1] - at[2 * i]) : STR(""));
	}
}

/* A regex that runs into one of its bounds does not match. */
static bool regex_match(const struct pattern *p, struct str text, struct captures *captures)
{
	struct scratch scratch;
	scratch.used = 0;
	pcre2_general_context *general = pcre2_general_context_create(scratch_malloc, arena_leave, &scratch);
	pcre2_match_context *context = pcre2_match_context_create(general);
	pcre2_match_data *data = pcre2_match_data_create(CAPTURES_MOST + 1, general);
	must(general && context && data);
	pcre2_set_match_limit(context, STEPS_MOST);
	int groups = pcre2_match(p->regex, (PCRE2_SPTR)text.p, text.n, 0, 0, data, context);
	if (groups < 0)
		return false;
	/* 0: there are more groups than we asked for. */
	regex_captures(data, groups ? groups : CAPTURES_MOST + 1, text, captures);
	return true;
}

bool pattern_match(const struct pattern *p, struct str text, struct captures *captures)
{
	if (captures)
		captures->count = 0;
	switch (p->kind) {
	case PATTERN_EXACT:
		return str_eq(p->literal, text);
	case PATTERN_PREFIX:
		if (!str_starts(text, p->literal))
			return false;
		capture(captures, str_from(text, p->literal.n));
		return true;
	case PATTERN_GLOB:
		return glob_match(p->text, text, captures);
	case PATTERN_REGEX:
		return regex_match(p, text, captures);
	}
	return false;
}

/* Every path begins with "/". */
static bool matches_all(const struct pattern *p)
{
	return p->kind == PATTERN_PREFIX && (p->literal.n == 0 || str_eq(p->literal, STR("/")));
}

bool pattern_covers(const struct pattern *first, const struct pattern *later)
{
	if (matches_all(first))
		return true;
	if (later->kind == PATTERN_EXACT)
		return pattern_match(first, later->literal, NULL);
	if (first->kind == PATTERN_REGEX || later->kind == PATTERN_REGEX)
		return first->kind == later->kind && str_eq(first->text, later->text);
	/* A star in the later text is matched by stars of the first only, as no literal holds one: so what the first one
	 * matches as a text, it matches whatever the later stars stand for. */
	return first->kind != PATTERN_EXACT && glob_match(first->text, later->text, NULL);
}

void pattern_print(struct buf *out, const struct pattern *p)
{
	if (p->kind == PATTERN_EXACT)
		buf_add(out, STR("= "));
	if (p->kind == PATTERN_REGEX)
		buf_add(out, STR("~ "));
	type_print_word(out, p->text);
}
