/* Reading the configuration's files, includes within includes.
 *
 * Runs where files may be read: in the supervisor and in `petrel check`.  A file that is included from several places
 * is read once.  A file is put into the bundle after all that it includes; on the way down, files stand on a chain, in
 * which a cycle shows. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/source_list.h"

/* A file that is being read, below those that led to it. */
struct chain {
	const struct chain *above;
	const struct source *source;
	dev_t device;
	ino_t inode;
	unsigned depth;
};

struct reader {
	struct sources *sources;
	struct messages *messages;
	struct names seen;    /* names of files that are in the bundle, with their index */
	size_t total_b;
	bool failed;
};

/* An include of one file: what has to be known where it goes wrong. */
struct asked {
	struct str name;
	const struct spot *at;  /* NULL: the configuration itself, named on the command line */
	bool from_glob;
};

[[gnu::format(printf, 3, 4)]] static struct message *fail(struct reader *r, const struct spot *at,
                                                          const char *format, ...)
{
	va_list args;
	va_start(args, format);
	r->failed = true;
	struct message *m = message_addv(r->messages, LEVEL_ERROR, at, format, args);
	va_end(args);
	return m;
}

/* The whole text, into the arena.  -EFBIG past the bounds. */
static int read_text(struct reader *r, int fd, struct str *text)
{
	struct buf b = {};
	ssize_t n;
	do {
		n = read(fd, buf_room(&b, 65536), 65536);
		b.n += n > 0 ? (size_t)n : 0;
	} while ((n > 0 && b.n <= SOURCES_FILE_B) || (n < 0 && errno == EINTR));
	int err = n < 0 ? -errno : 0;
	r->total_b += b.n;
	if (!err && (b.n > SOURCES_FILE_B || r->total_b > SOURCES_ALL_B))
		err = -EFBIG;
	if (!err)
		*text = arena_str(&r->sources->arena, buf_str(&b));
	buf_fini(&b);
	return err;
}

/* Opens without waiting for a FIFO's other end; only the configuration itself may be something else than a file, so
 * that a shell's <(…) works. */
static int open_file(const struct asked *asked, struct stat *st)
{
	struct buf name = {};
	buf_addf(&name, "%.*s%c", STR_F(asked->name), '\0');
	int fd = open(name.p, O_RDONLY | O_CLOEXEC | O_NOCTTY | (asked->at ? O_NONBLOCK : 0));
	buf_fini(&name);
	if (fd < 0)
		return -errno;
	int err = fstat(fd, st) < 0 ? -errno : 0;
	if (!err && S_ISDIR(st->st_mode))
		err = -EISDIR;
	else if (!err && asked->at && !S_ISREG(st->st_mode))
		err = -EINVAL;
	if (!err)
		return fd;
	close(fd);
	return err;
}

static const char *reason(int err)
{
	switch (err) {
	case -EFBIG: return "it is too large for a configuration";
	case -EINVAL: return "it is not a file";
	default: return strerror(-err);
	}
}

static struct str folder_of(struct str name)
{
	size_t slash = str_rfind(name, '/');
	if (slash == name.n)
		return STR("");
	return str_head(name, slash ? slash : 1);
}

/* The folder as an absolute path, by words alone: links in it are left to whoever opens files below it. */
static struct str absolute_folder(struct reader *r, struct str name)
{
	struct arena *a = &r->sources->arena;
	struct str folder = folder_of(name);
	char cwd[PATH_MAX];
	if (str_starts(folder, STR("/")))
		return arena_str(a, folder);
	if (!getcwd(cwd, sizeof cwd))
		return STR("/");
	return folder.n ? arena_strf(a, "%s/%.*s", cwd, STR_F(folder)) : arena_str(a, str_of(cwd));
}

/* Says how the chain leads from the file back to itself. */
static void say_cycle(struct reader *r, const struct chain *chain, const struct chain *begin, const struct asked *asked)
{
	struct message *m = fail(r, asked->at, "\"%.*s\" includes itself", STR_F(asked->name));
	struct buf path = {};
	buf_add(&path, asked->name);
	for (const struct chain *c = chain; c; c = c->above) {
		buf_addf(&path, ", which is included by %.*s", STR_F(c->source->name));
		if (c == begin)
			break;
	}
	message_hint_list(r->messages, m, "", buf_str(&path));
	buf_fini(&path);
}

static const struct chain *on_chain(const struct chain *chain, const struct stat *st)
{
	while (chain && (chain->device != st->st_dev || chain->inode != st->st_ino))
		chain = chain->above;
	return chain;
}

static int read_file(struct reader *r, const struct chain *above, const struct asked *asked, uint32_t *index);

/* Includes found in one file so far. */
struct found {
	struct inclusion *p;
	size_t count, cap;
	uint32_t height;
};

static struct inclusion *found_add(struct found *f, uint32_t offset)
{
	if (f->count == f->cap) {
		f->cap = f->cap ? f->cap * 2 : 8;
		f->p = mem_grow(f->p, f->cap * sizeof *f->p);
	}
	f->p[f->count] = (struct inclusion){ .offset = offset };
	return &f->p[f->count++];
}

/* Reads the files of one include into its list. */
static void include_files(struct reader *r, const struct chain *chain, struct found *found, struct inclusion *x,
                          const struct asked *asked, size_t count)
{
	x->files = arena_new(&r->sources->arena, (count + 1) * sizeof *x->files);
	for (size_t i = 0; i < count; i++) {
		uint32_t index;
		if (read_file(r, chain, &asked[i], &index) < 0)
			continue;
		uint32_t height = r->sources->list[index]->height + 1;
		if (chain->depth + height >= SOURCES_DEPTH) {
			fail(r, asked[i].at, "files that include one another, more than %d deep", SOURCES_DEPTH);
			continue;
		}
		if (height > found->height)
			found->height = height;
		x->files[x->count++] = index;
	}
}

static bool is_pattern(struct str s)
{
	return str_find(s, '*') < s.n || str_find(s, '?') < s.n || str_find(s, '[') < s.n;
}

/* The name relative to the including file's folder; for glob(), the folder's own name is no pattern. */
static struct str join(struct reader *r, const struct source *by, struct str name, bool pattern)
{
	struct str folder = folder_of(by->name);
	struct buf path = {};
	if (!str_starts(name, STR("/")) && folder.n) {
		for (size_t i = 0; i < folder.n; i++) {
			if (pattern && strchr("*?[\\", folder.p[i]))
				buf_add_char(&path, '\\');
			buf_add_char(&path, folder.p[i]);
		}
		buf_add_char(&path, '/');
	}
	buf_add(&path, name);
	struct str joined = arena_str(&r->sources->arena, buf_str(&path));
	buf_fini(&path);
	return joined;
}

/* A pattern without a match is fine: an empty conf.d is.  A name without its file is not. */
static void include_pattern(struct reader *r, const struct chain *chain, struct found *found, struct inclusion *x,
                            const struct word *word)
{
	glob_t g = {};
	int err = glob(join(r, chain->source, word->text, true).p, 0, NULL, &g);
	if (err && err != GLOB_NOMATCH)
		fail(r, &word->at, "\"%.*s\" can't be looked for", STR_F(word->text));
	struct asked *asked = mem_new((g.gl_pathc + 1) * sizeof *asked);
	for (size_t i = 0; !err && i < g.gl_pathc; i++)
		asked[i] = (struct asked){ arena_str(&r->sources->arena, str_of(g.gl_pathv[i])), &word->at, true };
	include_files(r, chain, found, x, asked, err ? 0 : g.gl_pathc);
	mem_free(asked);
	globfree(&g);
}

static void include_one(struct reader *r, const struct chain *chain, struct found *found, const struct word *word)
{
	struct inclusion *x = found_add(found, word->at.offset);
	if (is_pattern(word->text))
		include_pattern(r, chain, found, x, word);
	else
		include_files(r, chain, found, x,
		              &(struct asked){ join(r, chain->source, word->text, false), &word->at, false }, 1);
}

static void include_all(struct reader *r, const struct chain *chain, struct found *found, const struct statement *s)
{
	for (; s; s = s->next) {
		bool include = s->count == 2 && !s->block && str_eq(s->words[0].text, STR("include"));
		if (include && !s->words[1].broken && s->words[1].text.n)
			include_one(r, chain, found, &s->words[1]);
		include_all(r, chain, found, s->inside);
	}
}

/* What the file includes.  Its own mistakes are said when the configuration is built, and not here. */
static void find_includes(struct reader *r, const struct chain *chain, struct source *source)
{
	struct arena scratch = {};
	struct found found = {};
	const struct statement *first =
		tree_parse(&(struct tree_in){ .source = source, .env = &r->sources->env, .arena = &scratch });
	include_all(r, chain, &found, first);
	source->inclusion_count = (uint32_t)found.count;
	source->inclusions = arena_new(&r->sources->arena, (found.count + 1) * sizeof *found.p);
	if (found.count)
		memcpy(source->inclusions, found.p, found.count * sizeof *found.p);
	source->height = found.height;
	mem_free(found.p);
	arena_fini(&scratch);
}

/* Reads an opened file and what it includes, and puts it into the bundle. */
static int take_file(struct reader *r, const struct chain *above, const struct asked *asked, int fd,
                     const struct stat *st)
{
	struct source *source = ARENA_NEW(&r->sources->arena, struct source);
	struct chain chain = { above, source, st->st_dev, st->st_ino, above ? above->depth + 1 : 0 };
	int err = read_text(r, fd, &source->text);
	if (err)
		return err;
	source->name = arena_str(&r->sources->arena, asked->name);
	source->folder = absolute_folder(r, source->name);
	find_includes(r, &chain, source);
	if (r->sources->count == SOURCES_FILES)
		return -EFBIG;
	sources_add(r->sources, source);
	return 0;
}

static int open_and_take(struct reader *r, const struct chain *above, const struct asked *asked)
{
	struct stat st;
	int fd = open_file(asked, &st);
	if (fd < 0)
		return fd;
	const struct chain *begin = on_chain(above, &st);
	int err = 0;
	if (begin)
		say_cycle(r, above, begin, asked);
	else if (above && above->depth + 1 >= SOURCES_DEPTH)
		fail(r, asked->at, "files that include one another, more than %d deep", SOURCES_DEPTH);
	else
		err = take_file(r, above, asked, fd, &st);
	close(fd);
	return err;
}

/* 0 and the index, or a negative number where there is no such source; what went wrong has been said then. */
static int read_file(struct reader *r, const struct chain *above, const struct asked *asked, uint32_t *index)
{
	const size_t *known = names_get(&r->seen, asked->name);
	if (known) {
		*index = (uint32_t)*known;
		return 0;
	}
	size_t before = r->sources->count;
	int err = open_and_take(r, above, asked);
	if (err == -EISDIR && asked->from_glob)
		return err;
	if (err) {
		fail(r, asked->at, "\"%.*s\" can't be read: %s", STR_F(asked->name), reason(err));
		return err;
	}
	if (r->sources->count == before)
		return -ELOOP;
	bool fresh;
	*index = (uint32_t)r->sources->count - 1;
	*names_put(&r->seen, r->sources->list[*index]->name, &fresh) = *index;
	return 0;
}

int sources_read(struct sources *s, struct str path, struct messages *m)
{
	struct reader r = { .sources = s, .messages = m };
	uint32_t index;
	s->env.arena = &s->arena;
	int err = read_file(&r, NULL, &(struct asked){ .name = path }, &index);
	names_fini(&r.seen);
	s->env.sealed = true;
	return err || r.failed ? -EINVAL : 0;
}
