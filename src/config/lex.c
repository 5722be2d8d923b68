/* The lexer of the configuration.  Owns the word that it is putting together; one thread at a time. */
#include "config/lex.h"

#include "base/utf8.h"

void lex_init(struct lexer *l, const struct source *source, struct env *env, struct arena *arena,
              struct messages *messages)
{
	*l = (struct lexer){ .source = source, .env = env, .arena = arena, .messages = messages, .line = 1,
		             .column = 1 };
	/* Editors of other systems put a byte order mark first. */
	if (str_starts(source->text, STR("\xEF\xBB\xBF")))
		l->at = 3;
}

void lex_fini(struct lexer *l)
{
	buf_fini(&l->word);
}

static struct str rest(const struct lexer *l)
{
	return str_from(l->source->text, l->at);
}

/* The byte at the lexer's place, or NUL at the end: a NUL in the text is an error before anything looks at it. */
static char peek(const struct lexer *l)
{
	return l->at < l->source->text.n ? l->source->text.p[l->at] : '\0';
}

static bool at_end(const struct lexer *l)
{
	return l->at >= l->source->text.n;
}

/* Over one character. */
static void step(struct lexer *l)
{
	unsigned char c = (unsigned char)peek(l);
	size_t len = c < 0x80 ? 1 : utf8_length(rest(l));
	l->at += len ? (uint32_t)len : 1;
	l->column++;
	if (c == '\n') {
		l->line++;
		l->column = 1;
	}
}

static void step_over(struct lexer *l, size_t bytes)
{
	uint32_t end = l->at + (uint32_t)bytes;
	while (l->at < end && !at_end(l))
		step(l);
}

static struct spot here(const struct lexer *l)
{
	return (struct spot){ l->source, l->at, 1, l->line, l->column };
}

/* From a spot that was here() to where the lexer is now. */
static struct spot since(const struct lexer *l, struct spot start)
{
	start.length = l->at - start.offset;
	return start;
}

static bool is_control(const struct lexer *l)
{
	unsigned char c = (unsigned char)peek(l);
	if (at_end(l) || (c >= ' ' && c != 0x7f) || c == '\t' || c == '\n')
		return false;
	return c != '\r' || !str_starts(rest(l), STR("\r\n"));
}

static void say_control(struct lexer *l)
{
	if (l->control_said)
		return;
	l->control_said = true;
	struct spot at = here(l);
	struct message *m = message_add(l->messages, LEVEL_ERROR, &at, "a control byte, \\x%02x, in the text",
	                                (unsigned char)peek(l));
	message_hint(l->messages, m, "between quotes it can be written as \\x%02x", (unsigned char)peek(l));
}

static void skip_comment(struct lexer *l)
{
	while (!at_end(l) && peek(l) != '\n') {
		if (is_control(l))
			say_control(l);
		step(l);
	}
}

static void skip_blanks(struct lexer *l)
{
	for (;;) {
		char c = peek(l);
		if (is_control(l))
			say_control(l);
		else if (c == '#')
			skip_comment(l);
		else if (at_end(l) || (unsigned char)c > ' ')
			return;
		step(l);
	}
}

static bool ends_word(const struct lexer *l)
{
	char c = peek(l);
	if (at_end(l) || c == ';' || c == '{' || c == '}')
		return true;
	return (unsigned char)c <= ' ' && !is_control(l);
}

static bool is_variable(struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!ascii_alpha(name.p[i]) && !ascii_digit(name.p[i]) && name.p[i] != '_')
			return false;
	return name.n > 0 && !ascii_digit(name.p[0]);
}

/* What stands between "${env." and "}": a name, or name:-default. */
static void expand(struct lexer *l, struct str inside, const struct spot *at, struct word *out)
{
	struct str name = inside, otherwise = { NULL, 0 }, value;
	size_t colon = str_find(inside, ':');
	if (str_starts(str_from(inside, colon), STR(":-"))) {
		name = str_head(inside, colon);
		otherwise = str_from(inside, colon + 2);
	}
	if (!is_variable(name)) {
		message_add(l->messages, LEVEL_ERROR, at, "\"%.*s\" is no name of a variable", STR_F(name));
		out->broken = true;
	} else if (env_get(l->env, name, &value)) {
		buf_add(&l->word, value);
	} else if (otherwise.p) {
		buf_add(&l->word, otherwise);
	} else {
		struct message *m = message_add(l->messages, LEVEL_ERROR, at, "the variable %.*s is not set in the "
		                                "environment", STR_F(name));
		message_hint(l->messages, m, "${env.%.*s:-text} takes \"text\" where it is not set", STR_F(name));
		out->broken = true;
	}
}

/* "${…}" at the lexer's place, on one line: an environment variable is replaced, anything else stays as it is,
 * because values with variables of requests look like that, too. */
static void take_dollar(struct lexer *l, struct word *out)
{
	struct spot start = here(l);
	struct str text = rest(l);
	text = str_head(text, str_find(text, '\n'));
	size_t close = str_find(text, '}');
	if (close == text.n) {
		start.length = 2;
		message_add(l->messages, LEVEL_ERROR, &start, "\"${\" without its \"}\" on the same line");
		out->broken = true;
		step_over(l, 2);
		return;
	}
	step_over(l, close + 1);
	struct str whole = str_head(text, close + 1);
	start = since(l, start);
	if (str_starts(whole, STR("${env.")))
		expand(l, str_from(str_head(whole, close), 6), &start, out);
	else
		buf_add(&l->word, whole);
}

static void take_bare(struct lexer *l, struct word *out)
{
	while (!ends_word(l)) {
		struct spot at = here(l);
		if (str_starts(rest(l), STR("${"))) {
			take_dollar(l, out);
			continue;
		}
		if (peek(l) == '"' && !out->broken) {
			struct message *m = message_add(l->messages, LEVEL_ERROR, &at, "a quote inside a word");
			message_hint(l->messages, m, "put the whole word between quotes, with \\\" for a quote in it");
			out->broken = true;
		}
		if (is_control(l)) {
			say_control(l);
			out->broken = true;
		}
		step(l);
		buf_add(&l->word, str_make(l->source->text.p + at.offset, l->at - at.offset));
	}
}

/* A backslash between quotes, at the lexer's place. */
static void take_escape(struct lexer *l)
{
	static const char FROM[] = "\"\\nrt", TO[] = "\"\\\n\r\t";
	struct str text = rest(l);
	char c = text.n > 1 ? text.p[1] : '\0';
	const char *at = c ? strchr(FROM, c) : NULL;
	if (at) {
		buf_add_char(&l->word, TO[at - FROM]);
		step_over(l, 2);
	} else if (c == 'x' && text.n > 3 && ascii_hex(text.p[2]) >= 0 && ascii_hex(text.p[3]) >= 0) {
		buf_add_char(&l->word, (char)(ascii_hex(text.p[2]) << 4 | ascii_hex(text.p[3])));
		step_over(l, 4);
	} else if (str_starts(text, STR("\\${"))) {
		buf_add(&l->word, STR("${"));
		step_over(l, 3);
	} else {
		buf_add_char(&l->word, '\\');
		step_over(l, 1);
	}
}

static void take_quoted_character(struct lexer *l, struct word *out)
{
	uint32_t from = l->at;
	if (peek(l) == '\\') {
		take_escape(l);
	} else if (str_starts(rest(l), STR("${env."))) {
		take_dollar(l, out);
	} else {
		if (is_control(l)) {
			say_control(l);
			out->broken = true;
		}
		step(l);
		buf_add(&l->word, str_make(l->source->text.p + from, l->at - from));
	}
}

static void take_quoted(struct lexer *l, struct word *out)
{
	struct spot open = here(l);
	out->quoted = true;
	step(l);
	while (peek(l) != '"') {
		if (at_end(l) || peek(l) == '\n') {
			open = since(l, open);
			struct message *m = message_add(l->messages, LEVEL_ERROR, &open, "a quote that does not end on its line");
			message_hint(l->messages, m, "\\n stands for the end of a line");
			out->broken = true;
			return;
		}
		take_quoted_character(l, out);
	}
	step(l);
	if (!ends_word(l)) {
		struct spot at = here(l);
		message_add(l->messages, LEVEL_ERROR, &at, "a blank, \";\", \"{\" or \"}\" has to follow the quote");
		out->broken = true;
		take_bare(l, out);
	}
}

/* Most words stand in the source as they are meant: these are not copied. */
static void finish_word(struct lexer *l, struct word *out)
{
	struct str raw = str_make(l->source->text.p + out->at.offset, out->at.length);
	struct str made = buf_str(&l->word);
	if (out->quoted && raw.n >= 2)
		raw = str_make(raw.p + 1, raw.n - 2);
	out->text = str_eq(raw, made) ? raw : arena_str(l->arena, made);
}

enum token lex_next(struct lexer *l, struct word *out)
{
	skip_blanks(l);
	*out = (struct word){ .at = here(l) };
	if (at_end(l)) {
		out->at.length = 0;
		return TOKEN_EOF;
	}
	switch (peek(l)) {
	case ';': step(l); return TOKEN_END;
	case '{': step(l); return TOKEN_OPEN;
	case '}': step(l); return TOKEN_CLOSE;
	default: break;
	}
	struct spot start = here(l);
	buf_clear(&l->word);
	if (peek(l) == '"')
		take_quoted(l, out);
	else
		take_bare(l, out);
	out->at = since(l, start);
	finish_word(l, out);
	return TOKEN_WORD;
}
