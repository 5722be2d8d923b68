/* The parser of statements.  Owns nothing: statements live in the caller's arena.  One thread at a time. */
#include "config/tree.h"

#include "base/mem.h"

struct parser {
	const struct tree_in *in;
	struct lexer lexer;
	enum token token;           /* the one that is looked at */
	struct word word;           /* its place and text */
	struct word *words;         /* of the statement that is being read */
	size_t count, cap;
	unsigned depth;
	unsigned open;              /* blocks that the end of the file found open */
	unsigned missing;           /* closing braces that may be taken to be missing where indentation says so */
};

static void next(struct parser *p)
{
	p->token = lex_next(&p->lexer, &p->word);
}

static bool is_known(const struct parser *p)
{
	if (p->token != TOKEN_WORD || p->word.quoted)
		return false;
	return str_eq(p->word.text, STR("include")) || (p->in->known && names_get(p->in->known, p->word.text));
}

/* A directive's name at the beginning of a line that is indented no further than `name`. */
static bool begins_anew(const struct parser *p, const struct spot *name)
{
	return is_known(p) && p->word.at.line > name->line && p->word.at.column <= name->column;
}

static void keep_word(struct parser *p)
{
	if (p->count == p->cap) {
		p->cap = p->cap ? p->cap * 2 : 16;
		p->words = mem_grow(p->words, p->cap * sizeof *p->words);
	}
	p->words[p->count++] = p->word;
}

/* A quote that did not end on its line took what ended the statement with it. */
static bool quote_took_end(const struct parser *p)
{
	const struct word *last = &p->words[p->count - 1];
	return last->broken && last->quoted && p->word.at.line > last->at.line;
}

/* The words of one statement, up to what ends it; true where that is a missing semicolon. */
static bool take_words(struct parser *p)
{
	p->count = 0;
	do {
		keep_word(p);
		next(p);
	} while (p->token == TOKEN_WORD && !begins_anew(p, &p->words[0].at) && !quote_took_end(p));
	return p->token != TOKEN_END && p->token != TOKEN_OPEN;
}

static struct statement *keep_statement(struct parser *p)
{
	struct statement *s = ARENA_NEW(p->in->arena, struct statement);
	struct word *words = arena_raw(p->in->arena, p->count * sizeof *words);
	memcpy(words, p->words, p->count * sizeof *words);
	s->words = words;
	s->count = p->count;
	return s;
}

static void say_no_end(struct parser *p, struct statement *s)
{
	const struct word *last = &s->words[s->count - 1];
	struct spot after = spot_after(&last->at);
	s->broken = true;
	if (!last->broken)
		message_add(p->in->messages, LEVEL_ERROR, &after, "a \";\" is missing here, at the end of \"%.*s\"",
		            STR_F(s->words[0].text));
}

static const struct statement *take_block(struct parser *p, const struct statement *owner);

/* Goes over a block that is not kept. */
static void skip_block(struct parser *p)
{
	unsigned depth = 1;
	for (next(p); p->token != TOKEN_EOF; next(p)) {
		if (p->token == TOKEN_OPEN)
			depth++;
		else if (p->token == TOKEN_CLOSE && --depth == 0)
			break;
	}
	next(p);
}

static void take_statement_block(struct parser *p, struct statement *s)
{
	s->block = true;
	s->open = p->word.at;
	if (p->depth == TREE_DEPTH) {
		message_add(p->in->messages, LEVEL_ERROR, &s->open, "blocks inside blocks, more than %d deep", TREE_DEPTH);
		skip_block(p);
		return;
	}
	next(p);
	s->inside = take_block(p, s);
}

static struct statement *take_statement(struct parser *p)
{
	bool no_end = take_words(p);
	struct statement *s = keep_statement(p);
	if (no_end)
		say_no_end(p, s);
	else if (p->token == TOKEN_OPEN)
		take_statement_block(p, s);
	else
		next(p);
	return s;
}

/* A token that can't begin a statement. */
static void skip_stray(struct parser *p)
{
	struct messages *m = p->in->messages;
	if (p->token == TOKEN_OPEN) {
		message_add(m, LEVEL_ERROR, &p->word.at, "a block without a name before it");
		skip_block(p);
		return;
	}
	if (p->token == TOKEN_END)
		message_hint(m, message_add(m, LEVEL_ERROR, &p->word.at, "a \";\" that ends nothing"),
		             "after \"}\" there is no \";\"");
	else
		message_add(m, LEVEL_ERROR, &p->word.at, "a \"}\" that closes nothing");
	next(p);
}

/* In a file where braces are missing: whether indentation says that the block ended before this line. */
static bool ended_unsaid(struct parser *p, const struct statement *owner, const struct statement *first)
{
	if (!p->missing || !owner || !first || first->words[0].at.column <= owner->words[0].at.column)
		return false;
	return begins_anew(p, &owner->words[0].at);
}

static void say_open(struct parser *p, const struct statement *owner)
{
	struct messages *m = p->in->messages;
	struct message *message = message_add(m, LEVEL_ERROR, &owner->open, "the block of \"%.*s\" is never closed",
	                                      STR_F(owner->words[0].text));
	if (p->token == TOKEN_EOF)
		message_hint(m, message, "the file ends at line %u without its \"}\"", p->word.at.line);
	else
		message_hint(m, message, "a \"}\" seems to be missing before line %u", p->word.at.line);
}

/* The end of a block: its brace, or the places where one is missing. */
static void close_block(struct parser *p, const struct statement *owner)
{
	if (p->token == TOKEN_CLOSE) {
		next(p);
		return;
	}
	if (p->token == TOKEN_EOF)
		p->open++;
	else
		p->missing--;
	say_open(p, owner);
}

/* Statements up to the end of the block, whose { is behind; owner NULL: of the whole file. */
static const struct statement *take_block(struct parser *p, const struct statement *owner)
{
	const struct statement *first = NULL, **end = &first;
	p->depth++;
	while (p->token != TOKEN_EOF && !(owner && p->token == TOKEN_CLOSE) && !ended_unsaid(p, owner, first)) {
		if (p->token != TOKEN_WORD) {
			skip_stray(p);
			continue;
		}
		struct statement *s = take_statement(p);
		*end = s;
		end = &s->next;
	}
	p->depth--;
	if (owner)
		close_block(p, owner);
	return first;
}

static const struct statement *parse(struct parser *p)
{
	lex_init(&p->lexer, p->in->source, p->in->env, p->in->arena, p->in->messages);
	next(p);
	const struct statement *first = take_block(p, NULL);
	lex_fini(&p->lexer);
	mem_free(p->words);
	return first;
}

/* Where the end of the file finds blocks open, everything below the missing brace would be said to be in the wrong
 * block.  So the file is read again, with indentation as a second opinion. */
const struct statement *tree_parse(const struct tree_in *in)
{
	struct messages_mark mark = messages_mark(in->messages);
	struct parser p = { .in = in };
	const struct statement *first = parse(&p);
	if (!p.open)
		return first;
	messages_rewind(in->messages, &mark);
	struct parser again = { .in = in, .missing = p.open };
	return parse(&again);
}
