/* Messages as a person sees them: each NAME.conf of a folder gives exactly what NAME.expected says.  With
 * PETREL_GOLDEN_WRITE set, the expected files are written anew, to be read before they are committed.  Included by tests,
 * after cmocka. */
#pragma once

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "config/build.h"

static inline struct buf golden_contents(const char *path)
{
	struct buf b = {};
	FILE *f = fopen(path, "re");
	size_t n = 0;
	while (f && (n = fread(buf_room(&b, 4096), 1, 4096, f)) > 0)
		b.n += n;
	if (f)
		fclose(f);
	return b;
}

static inline void golden_write(const char *path, const struct buf *b)
{
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	assert_int_equal(fwrite(b->p, 1, b->n, f), b->n);
	fclose(f);
}

/* Errors of files and of what they say, in one list, as `petrel check` gives them. */
static inline void golden_check(const char *path, const struct module *const *modules, size_t count, struct buf *out)
{
	struct sources s = {};
	struct messages m = {};
	struct conf *c = NULL;
	int err = sources_read(&s, str_of(path), &m);
	if (s.count && conf_build(&s, modules, count, true, &m, &c) < 0)
		err = -1;
	messages_print(&m, false, out);
	buf_addf(out, "%zu errors, %zu warnings\n", m.count[LEVEL_ERROR], m.count[LEVEL_WARNING]);
	assert_int_equal(err != 0, m.count[LEVEL_ERROR] > 0);
	conf_free(c);
	messages_fini(&m);
	sources_fini(&s);
}

/* Each of the files that the pattern stands for, a path from the root of the repository. */
static inline void golden_all(const char *pattern, const struct module *const *modules, size_t count)
{
	glob_t g;
	assert_int_equal(glob(pattern, 0, NULL, &g), 0);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		struct buf out = {}, name = {};
		buf_addf(&name, "%.*s.expected%c", (int)strlen(g.gl_pathv[i]) - 5, g.gl_pathv[i], '\0');
		golden_check(g.gl_pathv[i], modules, count, &out);
		if (getenv("PETREL_GOLDEN_WRITE"))
			golden_write(name.p, &out);
		struct buf expected = golden_contents(name.p);
		if (!str_eq(buf_str(&out), buf_str(&expected)))
			fail_msg("%s gives\n%.*s", g.gl_pathv[i], STR_F(buf_str(&out)));
		buf_fini(&expected);
		buf_fini(&name);
		buf_fini(&out);
	}
	globfree(&g);
}
