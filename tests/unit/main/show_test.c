/* What `petrel ctl` prints: each tests/golden/ctl/NAME.json as NAME.expected has it, within 80 columns.  The part of the
 * name before its dash says which command it is.  With PETREL_GOLDEN_WRITE set, the expected files are written anew, to be
 * read before they are committed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../config/golden.h"
#include "main/show.h"
#include "main/table.h"

static const struct {
	const char *name;
	void (*show)(const json_t *json, bool colour, struct buf *out);
} SHOWS[] = {
	{ "status", show_status }, { "connections", show_connections }, { "pools", show_pools }, { "pool", show_pool },
	{ "apps", show_apps },     { "app", show_app },                 { "changes", show_changes }, { "did", show_did },
	{ "settings", show_settings },
};

static size_t width_of(struct str line)
{
	size_t width = 0;
	for (size_t i = 0; i < line.n; i++)
		width += ((unsigned char)line.p[i] & 0xc0) != 0x80;
	return width;
}

static void shown(const char *path, bool colour, struct buf *out)
{
	struct str name = str_from(str_of(path), strlen("tests/golden/ctl/"));
	name = str_head(name, str_find(str_head(name, str_find(name, '.')), '-'));
	json_t *json = json_load_file(path, 0, NULL);
	assert_non_null(json);
	size_t i = 0;
	while (i < countof(SHOWS) && !str_eq(name, str_of(SHOWS[i].name)))
		i++;
	assert_true(i < countof(SHOWS));
	SHOWS[i].show(json, colour, out);
	json_decref(json);
}

static void as_expected(const char *path)
{
	struct buf out = {}, name = {};
	buf_addf(&name, "%.*sexpected%c", (int)strlen(path) - 4, path, '\0');
	shown(path, false, &out);
	if (getenv("PETREL_GOLDEN_WRITE"))
		golden_write(name.p, &out);
	struct buf expected = golden_contents(name.p);
	if (!str_eq(buf_str(&out), buf_str(&expected)))
		fail_msg("%s gives\n%.*s", path, STR_F(buf_str(&out)));
	for (struct str rest = buf_str(&out); rest.n;)
		assert_true(width_of(str_cut(&rest, '\n')) <= TABLE_WIDTH);
	assert_int_equal(str_find(buf_str(&out), '\033'), out.n);
	buf_fini(&expected);
	buf_fini(&name);
	buf_fini(&out);
}

static void as_people_see_it(void **state)
{
	(void)state;
	glob_t g;
	assert_int_equal(glob("tests/golden/ctl/*.json", 0, NULL, &g), 0);
	for (size_t i = 0; i < g.gl_pathc; i++)
		as_expected(g.gl_pathv[i]);
	globfree(&g);
}

/* On a terminal states have their colours, and columns stand where they stood. */
static void in_colour(void **state)
{
	(void)state;
	struct buf out = {}, plain = {}, bare = {};
	shown("tests/golden/ctl/pool.json", true, &out);
	shown("tests/golden/ctl/pool.json", false, &plain);
	assert_non_null(memmem(out.p, out.n, "\033[32mready\033[0m", 14));
	assert_non_null(memmem(out.p, out.n, "\033[33mdrain\033[0m", 14));
	for (size_t i = 0; i < out.n; i++) {
		if (out.p[i] == '\033')
			i += str_find(str_from(buf_str(&out), i), 'm');
		else
			buf_add_char(&bare, out.p[i]);
	}
	assert_true(str_eq(buf_str(&bare), buf_str(&plain)));
	buf_fini(&out);
	buf_fini(&plain);
	buf_fini(&bare);
}

int main(void)
{
	const struct CMUnitTest TESTS[] = { cmocka_unit_test(as_people_see_it), cmocka_unit_test(in_colour) };
	return cmocka_run_group_tests(TESTS, NULL, NULL);
}
