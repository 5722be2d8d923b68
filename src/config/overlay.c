/* Laying settings over sites and routes, and reading settings.  Owns nothing. */
#include "config/overlay.h"

#include <errno.h>

enum { WORDS_MOST = 64 };

static bool is_kind(const struct frame *f, const struct statement *s, enum directive_kind kind)
{
	const struct directive *row = block_row(f, s);
	return row && row->kind == kind && s->block;
}

/* --- Sites. --- */

static bool names_site(const struct statement *s, const struct site *site)
{
	for (size_t i = 0; s->count == 2 && i < site->name_count; i++)
		if (str_eq_nocase(s->words[1].text, site->names[i]))
			return true;
	return false;
}

/* The next statement for this site, from s on. */
static const struct statement *for_site(const struct frame *main, const struct statement *s, const struct site *site)
{
	while (s && !(is_kind(main, s, DIR_SITE) && names_site(s, site)))
		s = s->next;
	return s;
}

void overlay_site(struct frame *f, const struct site *site)
{
	for (const struct statement *s = f->b->overlay; (s = for_site(f->outer, s, site)); s = s->next)
		block_overlay(f, s->inside);
}

void overlay_check_sites(struct frame *main)
{
	struct builder *b = main->b;
	for (const struct statement *s = b->overlay; s; s = s->next) {
		bool known = !is_kind(main, s, DIR_SITE);
		struct guess guess = guess_of(s->count > 1 ? s->words[1].text : STR(""));
		for (size_t i = 0; i < b->conf->site_count; i++) {
			known |= names_site(s, &b->conf->sites[i]);
			for (size_t k = 0; k < b->conf->sites[i].name_count; k++)
				guess_offer(&guess, b->conf->sites[i].names[k]);
		}
		if (known)
			continue;
		struct message *m = message_add(b->messages, LEVEL_ERROR, &s->words[0].at, "there is no site \"%.*s\"",
		                                STR_F(guess.word));
		if (guess.best.p)
			message_hint(b->messages, m, "did you mean \"%.*s\"?", STR_F(guess.best));
	}
}

/* --- Routes. --- */

static bool same_words(const struct statement *a, const struct statement *b)
{
	for (size_t i = 1; a->count == b->count && i < a->count; i++)
		if (!str_eq(a->words[i].text, b->words[i].text))
			return false;
	return a->count == b->count;
}

void overlay_route(struct frame *f, const struct site *site, const struct statement *route)
{
	for (const struct statement *s = f->b->overlay; (s = for_site(f->outer->outer, s, site)); s = s->next)
		for (const struct statement *r = s->inside; r; r = r->next)
			if (is_kind(f->outer, r, DIR_ROUTE) && same_words(r, route))
				block_overlay(f, r->inside);
}

static void check_route(struct frame *f, const struct statement *r, const struct flat *list)
{
	struct builder *b = f->b;
	struct buf routes = {};
	bool known = false;
	for (size_t i = 0; i < list->count; i++) {
		if (!is_kind(f, list->p[i], DIR_ROUTE))
			continue;
		known |= same_words(r, list->p[i]);
		buf_add(&routes, routes.n ? STR(", ") : STR(""));
		for (size_t k = 1; k < list->p[i]->count; k++)
			buf_addf(&routes, "%s%.*s", k > 1 ? " " : "", STR_F(list->p[i]->words[k].text));
	}
	if (!known)
		message_hint_list(b->messages, message_add(b->messages, LEVEL_ERROR, &r->words[0].at, "there is no such route"),
		                  routes.n ? "there are: " : "there is none at all", buf_str(&routes));
	buf_fini(&routes);
}

void overlay_check_routes(struct frame *f, const struct site *site, const struct flat *list)
{
	for (const struct statement *s = f->b->overlay; (s = for_site(f->outer, s, site)); s = s->next)
		for (const struct statement *r = s->inside; r; r = r->next)
			if (is_kind(f, r, DIR_ROUTE))
				check_route(f, r, list);
}

/* --- Settings. --- */

void overlay_line_fini(struct overlay_line *l)
{
	buf_fini(&l->text);
	buf_fini(&l->words);
	buf_fini(&l->name);
}

struct reading {
	const struct rows *rows;
	struct arena arena;
	struct word words[WORDS_MOST];
	size_t count, at;
	enum scope scope;
	const struct directive *block;   /* NULL: the scope itself */
	unsigned depth;                  /* of blocks that were opened */
	struct overlay_line *out;
};

static int read_words(struct reading *r, struct str text, struct buf *why)
{
	struct source source = { .name = STR("petrel ctl set"), .folder = STR("/"), .text = text };
	struct env env = { .sealed = true };
	struct messages messages = {};
	struct lexer l;
	enum token token = TOKEN_WORD;
	lex_init(&l, &source, &env, &r->arena, &messages);
	while (r->count < WORDS_MOST && (token = lex_next(&l, &r->words[r->count])) == TOKEN_WORD)
		r->count++;
	lex_fini(&l);
	if (messages.count[LEVEL_ERROR])
		overlay_why(&messages, true, why);
	else if (token != TOKEN_EOF)
		buf_add(why, STR("a setting is a directive's name and its values, without ; { or }: limits connections 5000"));
	else if (!r->count)
		buf_add(why, STR("what is to be set? Such as: limits connections 5000"));
	messages_fini(&messages);
	return why->n ? -EINVAL : 0;
}

/* A word as it has to be written to be read back. */
static void print_word(struct buf *out, const struct word *w)
{
	if (out->n && out->p[out->n - 1] != '\n')
		buf_add_char(out, ' ');
	if (!w->quoted && (str_eq(w->text, STR("=")) || str_eq(w->text, STR("~")))) {
		buf_add(out, w->text);
	} else if (w->quoted && w->text.n) {
		struct buf plain = {};
		type_print_word(&plain, w->text);
		bool bare = plain.p[0] != '"';
		buf_addf(out, bare ? "\"%.*s\"" : "%.*s", STR_F(buf_str(&plain)));
		buf_fini(&plain);
	} else {
		type_print_word(out, w->text);
	}
}

static void take(struct reading *r, bool named)
{
	const struct word *w = &r->words[r->at++];
	print_word(&r->out->text, w);
	print_word(&r->out->words, w);
	if (named)
		print_word(&r->out->name, w);
}

static const struct directive *row_here(const struct reading *r)
{
	struct str name = r->words[r->at].text;
	if (r->block)
		return rows_inside(r->block, name);
	const struct rows_entry *e = rows_find(r->rows, name, r->scope);
	return e ? e->row : NULL;
}

/* How many words behind its name belong to the head of a block that goes on; 0: a group's name is its head; -1: the row is
 * what is set. */
static int head_words(const struct reading *r, const struct directive *row)
{
	const struct word *next = r->at + 1 < r->count ? &r->words[r->at + 1] : NULL;
	bool marked = next && !next->quoted && (str_eq(next->text, STR("=")) || str_eq(next->text, STR("~")));
	switch (row->kind) {
	case DIR_GROUP: return 0;
	case DIR_SITE: return 1;
	case DIR_ROUTE: return marked ? 2 : 1;
	case DIR_LIST: return row->inner ? 1 : -1;
	case DIR_HANDLER: return row->inner && next && rows_inside(row, next->text) ? 0 : -1;
	default: return -1;
	}
}

/* Into the block of a row, whose head stands at the words that come. */
static void enter(struct reading *r, const struct directive *row, int head)
{
	for (int i = 0; i <= head && r->at < r->count; i++)
		take(r, true);
	buf_add(&r->out->text, STR(" {\n"));
	r->depth++;
	r->block = row->kind == DIR_SITE || row->kind == DIR_ROUTE ? NULL : row;
	r->scope = row->kind == DIR_SITE ? SCOPE_SITE : row->kind == DIR_ROUTE ? SCOPE_ROUTE : r->scope;
}

static void read_line(struct reading *r)
{
	const struct directive *row = NULL;
	int head;
	while (r->at < r->count && (row = row_here(r)) && (head = head_words(r, row)) >= 0)
		enter(r, row, head);
	bool list = r->at < r->count && row && row->kind == DIR_LIST;
	r->out->block = r->at == r->count;
	for (bool first = true; r->at < r->count; first = false)
		take(r, first || list);
	if (!r->out->block)
		buf_add(&r->out->text, STR(";\n"));
	for (unsigned i = 0; i < r->depth; i++)
		buf_add(&r->out->text, STR("}\n"));
}

int overlay_line_read(const struct module *const *modules, size_t count, struct str words, struct overlay_line *out,
                      struct buf *why)
{
	struct rows rows;
	rows_init(&rows, modules, count);
	struct reading r = { .rows = &rows, .scope = SCOPE_MAIN, .out = out };
	*out = (struct overlay_line){};
	int err = read_words(&r, words, why);
	if (!err)
		read_line(&r);
	arena_fini(&r.arena);
	rows_fini(&rows);
	return err;
}

void overlay_why(const struct messages *m, bool hints, struct buf *out)
{
	for (size_t i = 0; i < m->kept; i++) {
		const struct message *one = &m->list[i];
		if (one->level != LEVEL_ERROR)
			continue;
		buf_add(out, one->text);
		for (size_t k = 0; hints && k < one->hint_count; k++)
			buf_addf(out, "%s%.*s", k && str_ends(one->hints[k - 1], STR(",")) ? " " : "; ", STR_F(one->hints[k]));
		return;
	}
}
