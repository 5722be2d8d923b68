/* The bundle of sources in memory and as bytes.  Owns texts, names and inclusions; see config/read.c for the files. */
#include "config/source.h"

#include <errno.h>

#include "base/mem.h"
#include "config/source_list.h"

void sources_fini(struct sources *s)
{
	env_fini(&s->env);
	arena_fini(&s->arena);
	mem_free(s->list);
	*s = (struct sources){};
}

void sources_add(struct sources *s, const struct source *source)
{
	if (s->count == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 8;
		s->list = mem_grow(s->list, s->cap * sizeof *s->list);
	}
	s->list[s->count++] = source;
}

const struct inclusion *source_inclusion(const struct spot *at)
{
	const struct source *source = at->source;
	uint32_t low = 0, high = source->inclusion_count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (source->inclusions[middle].offset < at->offset)
			low = middle + 1;
		else
			high = middle;
	}
	bool found = low < source->inclusion_count && source->inclusions[low].offset == at->offset;
	return found ? &source->inclusions[low] : NULL;
}

void sources_from_text(struct sources *s, struct str name, struct str folder, struct str text)
{
	struct source *source = ARENA_NEW(&s->arena, struct source);
	s->env.arena = &s->arena;
	source->name = arena_str(&s->arena, name);
	source->folder = arena_str(&s->arena, folder);
	source->text = arena_str(&s->arena, text);
	/* Parsed once without a word, so that all variables it names are known before the environment is sealed. */
	struct arena scratch = {};
	tree_parse(&(struct tree_in){ .source = source, .env = &s->env, .arena = &scratch });
	arena_fini(&scratch);
	s->env.sealed = true;
	sources_add(s, source);
}

void sources_overlay(struct sources *s, struct str text)
{
	struct source *source = ARENA_NEW(&s->arena, struct source);
	source->name = STR("petrel ctl set");
	source->folder = STR("/");
	source->text = arena_str(&s->arena, text);
	s->overlay = source;
}

/* The bytes: MAGIC, then counts and strings as 32-bit little-endian numbers with the bytes behind them.  Both ends are
 * the same binary on the same machine; what is checked on the way back is that no byte of it can do harm. */
static const struct str MAGIC = { "petrel sources 1", 16 };

static void add_number(struct buf *out, uint32_t n)
{
	char bytes[4] = { (char)n, (char)(n >> 8), (char)(n >> 16), (char)(n >> 24) };
	buf_add(out, str_make(bytes, sizeof bytes));
}

static void add_text(struct buf *out, struct str s)
{
	add_number(out, (uint32_t)s.n);
	buf_add(out, s);
}

static void add_source(struct buf *out, const struct source *source)
{
	add_text(out, source->name);
	add_text(out, source->folder);
	add_text(out, source->text);
	add_number(out, source->inclusion_count);
	for (uint32_t i = 0; i < source->inclusion_count; i++) {
		const struct inclusion *x = &source->inclusions[i];
		add_number(out, x->offset);
		add_number(out, x->count);
		for (uint32_t j = 0; j < x->count; j++)
			add_number(out, x->files[j]);
	}
}

void sources_write(const struct sources *s, struct buf *out)
{
	buf_add(out, MAGIC);
	add_number(out, (uint32_t)s->env.count);
	for (size_t i = 0; i < s->env.count; i++) {
		add_text(out, s->env.list[i].name);
		add_number(out, s->env.list[i].set);
		add_text(out, s->env.list[i].value);
	}
	add_number(out, (uint32_t)s->count);
	for (size_t i = 0; i < s->count; i++)
		add_source(out, s->list[i]);
}

/* A reader that stays at the end once something was wrong, so that callers check once. */
struct unpacker {
	struct str rest;
	struct arena *arena;
	bool bad;
};

static uint32_t take_number(struct unpacker *u, uint32_t most)
{
	uint32_t n = 0;
	if (u->rest.n < 4)
		u->bad = true;
	for (int i = 0; i < 4 && !u->bad; i++)
		n |= (uint32_t)(unsigned char)u->rest.p[i] << (8 * i);
	u->rest = str_from(u->rest, 4);
	if (n > most)
		u->bad = true;
	return u->bad ? 0 : n;
}

static struct str take_text(struct unpacker *u, uint32_t most)
{
	uint32_t n = take_number(u, most);
	if (n > u->rest.n)
		u->bad = true;
	if (u->bad)
		return STR("");
	struct str text = arena_str(u->arena, str_head(u->rest, n));
	u->rest = str_from(u->rest, n);
	return text;
}

/* How many things of at least `least` bytes each may follow: more can't be true, and would cost memory. */
static uint32_t take_count(struct unpacker *u, size_t least)
{
	size_t most = u->rest.n / least;
	return take_number(u, most > UINT32_MAX ? UINT32_MAX : (uint32_t)most);
}

/* Only files that came before can be named, so that includes can't form a cycle; heights bound their chains. */
static void take_inclusion(struct unpacker *u, const struct sources *s, struct source *source, struct inclusion *x)
{
	x->offset = take_number(u, (uint32_t)source->text.n);
	x->count = take_count(u, 4);
	x->files = arena_new(u->arena, (x->count + 1) * sizeof *x->files);
	for (uint32_t i = 0; i < x->count && !u->bad; i++) {
		x->files[i] = take_number(u, UINT32_MAX);
		if (x->files[i] >= s->count) {
			u->bad = true;
			return;
		}
		uint32_t height = s->list[x->files[i]]->height + 1;
		if (height > source->height)
			source->height = height;
	}
}

static const struct source *take_source(struct unpacker *u, const struct sources *s)
{
	struct source *source = ARENA_NEW(u->arena, struct source);
	source->name = take_text(u, SOURCES_FILE_B);
	source->folder = take_text(u, SOURCES_FILE_B);
	source->text = take_text(u, SOURCES_FILE_B);
	source->inclusion_count = take_count(u, 8);
	source->inclusions = arena_new(u->arena, (source->inclusion_count + 1) * sizeof *source->inclusions);
	for (uint32_t i = 0; i < source->inclusion_count && !u->bad; i++) {
		take_inclusion(u, s, source, &source->inclusions[i]);
		if (i && source->inclusions[i].offset <= source->inclusions[i - 1].offset)
			u->bad = true;
	}
	if (source->height >= SOURCES_DEPTH || !str_starts(source->folder, STR("/")))
		u->bad = true;
	return source;
}

static void take_variable(struct unpacker *u, struct env *env)
{
	struct env_variable v = {};
	v.name = take_text(u, SOURCES_FILE_B);
	v.set = take_number(u, 1);
	v.value = take_text(u, SOURCES_FILE_B);
	if (!u->bad)
		env_add(env, &v);
}

int sources_unpack(struct sources *s, struct str bytes)
{
	struct unpacker u = { bytes, &s->arena, !str_starts(bytes, MAGIC) };
	u.rest = str_from(u.rest, MAGIC.n);
	s->env.arena = &s->arena;
	uint32_t variables = take_count(&u, 12);
	for (uint32_t i = 0; i < variables && !u.bad; i++)
		take_variable(&u, &s->env);
	s->env.sealed = true;
	uint32_t count = take_count(&u, 16);
	for (uint32_t i = 0; i < count && !u.bad; i++) {
		const struct source *source = take_source(&u, s);
		sources_add(s, source);
	}
	if (!u.bad && s->count && !u.rest.n)
		return 0;
	sources_fini(s);
	return -EBADMSG;
}
