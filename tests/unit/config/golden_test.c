/* Messages as a person sees them: each tests/golden/check/NAME.conf gives exactly what NAME.expected says.
 * With PETREL_GOLDEN_WRITE set, the expected files are written anew, to be read before they are committed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <glob.h>

#include <cmocka.h>

#include "base/mem.h"
#include "config/build.h"
#include "table.h"

static struct buf contents(const char *path)
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

static void write_new(const char *path, const struct buf *b)
{
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	assert_int_equal(fwrite(b->p, 1, b->n, f), b->n);
	fclose(f);
}

/* Errors of files and of what they say, in one list, as `petrel check` gives them. */
static void checked(const char *path, struct buf *out)
{
	struct sources s = {};
	struct messages m = {};
	struct conf *c = NULL;
	int err = sources_read(&s, str_of(path), &m);
	if (s.count && conf_build(&s, T_MODULES, T_COUNT, true, &m, &c) < 0)
		err = -1;
	messages_print(&m, false, out);
	buf_addf(out, "%zu errors, %zu warnings\n", m.count[LEVEL_ERROR], m.count[LEVEL_WARNING]);
	assert_int_equal(err != 0, m.count[LEVEL_ERROR] > 0);
	conf_free(c);
	messages_fini(&m);
	sources_fini(&s);
}

static void messages_are_as_expected(void **state)
{
	(void)state;
	glob_t g;
	assert_int_equal(glob("tests/golden/check/*.conf", 0, NULL, &g), 0);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		struct buf out = {}, name = {};
		buf_addf(&name, "%.*s.expected%c", (int)strlen(g.gl_pathv[i]) - 5, g.gl_pathv[i], '\0');
		checked(g.gl_pathv[i], &out);
		if (getenv("PETREL_GOLDEN_WRITE"))
			write_new(name.p, &out);
		struct buf expected = contents(name.p);
		if (!str_eq(buf_str(&out), buf_str(&expected)))
			fail_msg("%s gives\n%.*s", g.gl_pathv[i], STR_F(buf_str(&out)));
		buf_fini(&expected);
		buf_fini(&name);
		buf_fini(&out);
	}
	globfree(&g);
}

int main(void)
{
	setenv("PETREL_TEST_FOLDER", "/srv/from-env", 1);
	const struct CMUnitTest TESTS[] = { cmocka_unit_test(messages_are_as_expected) };
	return cmocka_run_group_tests(TESTS, NULL, NULL);
}
