/* Writing arguments by the tables.  Owns nothing: values live in the snapshot's arena. */
#include "config/values.h"

#include <errno.h>

#include "base/mem.h"
#include "base/must.h"
#include "config/guess.h"
#include "config/usage.h"
#include "http/vars.h"

void spots_fini(struct spots *s)
{
	mem_free(s->p);
	*s = (struct spots){};
}

void spots_add(struct spots *s, const void *value, const struct spot *at)
{
	if (s->count == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 16;
		s->p = mem_grow(s->p, s->cap * sizeof *s->p);
	}
	s->p[s->count++] = (struct spots_entry){ value, *at };
}

const struct spot *spots_find(const struct spots *s, const void *value)
{
	for (size_t i = s->count; i-- > 0;)
		if (s->p[i].value == value)
			return &s->p[i].at;
	return NULL;
}

static bool is_named(const struct arg *arg)
{
	return arg->form == ARG_KEYWORD || arg->form == ARG_SWITCH;
}

static bool is_list(const struct arg *arg)
{
	return arg->form == ARG_MANY || arg->form == ARG_ANY;
}

size_t value_size(const struct arg *arg)
{
	if (arg->form == ARG_SWITCH)
		return sizeof(bool);
	return is_list(arg) ? sizeof(struct items) : arg->type->size;
}

/* The words of a default, which is written as in the configuration; "" is an empty word, not none. */
struct preset {
	struct str *words;
	size_t count;
};

static struct preset preset_words(struct arena *arena, const char *text)
{
	struct source source = { .name = STR("default"), .folder = STR("/"), .text = str_of(text) };
	struct env env = { .sealed = true };
	struct lexer l;
	struct word word;
	struct preset p = { arena_new(arena, (source.text.n / 2 + 1) * sizeof *p.words), 0 };
	lex_init(&l, &source, &env, arena, NULL);
	while (lex_next(&l, &word) == TOKEN_WORD)
		p.words[p.count++] = word.text;
	lex_fini(&l);
	if (!p.count)
		p.words[p.count++] = STR("");
	return p;
}

/* Defaults are part of the tables: one that does not parse is our own mistake. */
static void preset_one(struct type_in *in, const struct arg *arg, struct str text, void *out)
{
	int err = arg->type->parse(in, text, &arg->range, out);
	must(!err && "a default that its own type refuses");
}

static void preset_list(struct type_in *in, const struct arg *arg, struct items *items)
{
	struct preset p = preset_words(in->arena, arg->preset);
	items->p = arena_new(in->arena, p.count * arg->type->size);
	items->count = p.count;
	for (size_t i = 0; i < p.count; i++)
		preset_one(in, arg, p.words[i], (char *)items->p + i * arg->type->size);
}

/* Most defaults are a plain word. */
static void preset_word(struct type_in *in, const struct arg *arg, void *out)
{
	struct str text = str_of(arg->preset);
	bool plain = str_find(text, '"') == text.n;
	preset_one(in, arg, plain ? text : preset_words(in->arena, arg->preset).words[0], out);
}

void values_preset(struct arena *arena, const struct directive *row, void *at)
{
	struct type_in in = { .arena = arena, .folder = STR("/") };
	for (const struct arg *a = row->args; a && a->name; a++) {
		void *value = (char *)at + a->offset;
		memset(value, 0, value_size(a));
		if (a->preset && is_list(a))
			preset_list(&in, a, value);
		else if (a->preset && a->form != ARG_SWITCH)
			preset_word(&in, a, value);
	}
}

void values_preset_all(struct arena *arena, const struct directive *rows, void *base)
{
	for (const struct directive *d = rows; d && d->name; d++) {
		bool nested = d->kind == DIR_GROUP || d->kind == DIR_HANDLER;
		if (d->kind == DIR_VALUE || d->kind == DIR_HANDLER)
			values_preset(arena, d, (char *)base + d->offset);
		if (nested)
			values_preset_all(arena, d->inner, base);
	}
}

/* One statement on its way into values. */
struct writer {
	const struct values_in *in;
	const struct directive *row;
	const struct statement *s;
	char *at;
	size_t word;    /* the next one */
	uint64_t seen;  /* keywords, by their index in the table */
};

static void hint_usage(const struct writer *w, struct message *m)
{
	struct buf usage = {};
	usage_print(&usage, w->row);
	message_hint(w->in->messages, m, "usage: %.*s", STR_F(buf_str(&usage)));
	buf_fini(&usage);
}

static int say_missing(const struct writer *w, const char *what)
{
	struct spot after = spot_after(&w->s->words[w->word - 1].at);
	if (w->s->broken)
		return -EINVAL;
	struct message *m = message_add(w->in->messages, LEVEL_ERROR, &after, "\"%s\" lacks its %s", w->row->name, what);
	hint_usage(w, m);
	return -EINVAL;
}

/* What may have blanks in it, such as a command, is the last of its arguments. */
static bool ends_with_text(const struct directive *row)
{
	const struct type *type = NULL;
	for (const struct arg *a = row->args; a && a->name; a++)
		type = a->type;
	return type == &TYPE_WORD || type == &TYPE_TEMPLATE;
}

static int say_surplus(const struct writer *w)
{
	const struct word *word = &w->s->words[w->word];
	struct guess guess = guess_of(word->text);
	for (const struct arg *a = w->row->args; a && a->name; a++)
		if (is_named(a))
			guess_offer(&guess, str_of(a->name));
	struct spot before = spot_after(&word[-1].at);
	bool later = word->at.line > before.line;
	if (word->broken)
		return -EINVAL;
	struct message *m = message_add(w->in->messages, LEVEL_ERROR, later ? &before : &word->at,
	                                "%s\"%.*s\" %sis one word too many for \"%s\"",
	                                later ? "a \";\" is missing here, or " : "", STR_F(word->text),
	                                later ? "on a later line " : "", w->row->name);
	if (guess.best.p)
		message_hint(w->in->messages, m, "did you mean \"%.*s\"?", STR_F(guess.best));
	else if (!later && ends_with_text(w->row))
		message_hint(w->in->messages, m, "a text with blanks stands in quotes: \"%.*s %.*s\"", STR_F(word[-1].text),
		             STR_F(word->text));
	hint_usage(w, m);
	return -EINVAL;
}

static void say_wrong(const struct writer *w, const struct arg *arg, const struct word *word, const char *why)
{
	struct messages *messages = w->in->messages;
	struct message *m = message_add(messages, LEVEL_ERROR, &word->at, "wrong %s%s%.*s%s for \"%s\": %s", arg->name,
	                                arg->type->secret ? "" : " \"", STR_F(arg->type->secret ? STR("") : word->text),
	                                arg->type->secret ? "" : "\"", w->row->name, why);
	struct guess guess = guess_of(word->text);
	for (size_t i = 0; arg->range.words && arg->range.words[i]; i++)
		guess_offer(&guess, str_of(arg->range.words[i]));
	if (guess.best.p)
		message_hint(messages, m, "did you mean \"%.*s\"?", STR_F(guess.best));
	struct buf expects = {};
	usage_expects(&expects, arg);
	message_hint(messages, m, "expected: %.*s", STR_F(buf_str(&expects)));
	buf_fini(&expects);
}

/* One word to one value. */
static int write_word(struct writer *w, const struct arg *arg, const struct word *word, void *value)
{
	struct type_in in = { .arena = w->in->arena, .folder = word->at.source->folder };
	if (word->broken)
		return -EINVAL;
	spots_add(w->in->spots, value, &word->at);
	int err = arg->type->parse(&in, arena_str(in.arena, word->text), &arg->range, value);
	if (err)
		say_wrong(w, arg, word, in.error[0] ? in.error : "not understood");
	return err;
}

static const struct arg *named_by(const struct writer *w, const struct word *word)
{
	for (const struct arg *a = w->row->args; a && a->name && !word->quoted; a++)
		if (is_named(a) && str_eq(word->text, str_of(a->name)))
			return a;
	return NULL;
}

/* The next word, where it may be a positional argument. */
static const struct word *positional(const struct writer *w, bool required)
{
	if (w->word >= w->s->count)
		return NULL;
	const struct word *word = &w->s->words[w->word];
	return required || !named_by(w, word) ? word : NULL;
}

static int write_list(struct writer *w, const struct arg *arg)
{
	struct items *items = (struct items *)(void *)(w->at + arg->offset);
	bool required = arg->form == ARG_MANY;
	size_t from = w->word;
	int err = 0;
	while (positional(w, required && w->word == from))
		w->word++;
	if (w->word == from)
		return required ? say_missing(w, arg->name) : 0;
	*items = (struct items){ arena_new(w->in->arena, (w->word - from) * arg->type->size), w->word - from };
	spots_add(w->in->spots, items, &w->s->words[from].at);
	for (size_t i = 0; i < items->count; i++)
		if (write_word(w, arg, &w->s->words[from + i], (char *)items->p + i * arg->type->size) < 0)
			err = -EINVAL;
	return err;
}

static int write_positional(struct writer *w, const struct arg *arg)
{
	if (is_list(arg))
		return write_list(w, arg);
	const struct word *word = positional(w, arg->form == ARG_ONE);
	if (!word)
		return arg->form == ARG_ONE ? say_missing(w, arg->name) : 0;
	w->word++;
	return write_word(w, arg, word, w->at + arg->offset);
}

static int write_named(struct writer *w, const struct arg *arg)
{
	const struct word *name = &w->s->words[w->word++];
	uint64_t bit = 1ull << ((size_t)(arg - w->row->args) % 64);
	if (w->seen & bit) {
		message_add(w->in->messages, LEVEL_ERROR, &name->at, "\"%s\" stands twice", arg->name);
		return -EINVAL;
	}
	w->seen |= bit;
	if (arg->form == ARG_SWITCH) {
		*(bool *)(w->at + arg->offset) = true;
		spots_add(w->in->spots, w->at + arg->offset, &name->at);
		return 0;
	}
	if (w->word == w->s->count) {
		struct buf what = {};
		buf_addf(&what, "%s after \"%s\"%c", arg->type->name, arg->name, '\0');
		say_missing(w, what.p);
		buf_fini(&what);
		return -EINVAL;
	}
	w->word++;
	return write_word(w, arg, &w->s->words[w->word - 1], w->at + arg->offset);
}

int values_write(const struct values_in *in, const struct directive *row, const struct statement *s, void *at)
{
	struct writer w = { in, row, s, at, 1, 0 };
	int err = 0;
	values_preset(in->arena, row, at);
	for (const struct arg *a = row->args; a && a->name && !is_named(a); a++) {
		bool was_at_end = w.word == s->count;
		if (write_positional(&w, a) < 0)
			err = -EINVAL;
		if (err && was_at_end)
			return err;
	}
	while (w.word < s->count) {
		const struct arg *a = named_by(&w, &s->words[w.word]);
		if (!a)
			return say_surplus(&w);
		if (write_named(&w, a) < 0)
			err = -EINVAL;
	}
	return err;
}
