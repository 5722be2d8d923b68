/* The bundle of sources: includes of real files, and the way through bytes and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "config/build.h"
#include "config/dump.h"
#include "table.h"

static char folder[64];

static void put_file(const char *name, const char *text)
{
	char path[256];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* Reads FOLDER/name; the messages' text in out. */
static int read_from(struct sources *s, const char *name, struct buf *out)
{
	char path[256];
	struct messages m = {};
	snprintf(path, sizeof path, "%s/%s", folder, name);
	int err = sources_read(s, str_of(path), &m);
	if (out)
		messages_print(&m, false, out);
	messages_fini(&m);
	return err;
}

static void dumped(const struct sources *s, struct buf *out)
{
	struct messages m = {};
	struct conf *c = NULL;
	assert_int_equal(conf_build(s, T_MODULES, T_COUNT, false, &m, &c), 0);
	conf_dump(c, out);
	conf_free(c);
	messages_fini(&m);
}

static int begin(void **state)
{
	(void)state;
	char d[256];
	strcpy(folder, "/tmp/petrel-source-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	setenv("PETREL_TEST_ROOT", "/srv/one", 1);
	static const char *const FOLDERS[] = { "conf.d", "odd[1]" };
	for (size_t i = 0; i < countof(FOLDERS); i++) {
		snprintf(d, sizeof d, "%s/%s", folder, FOLDERS[i]);
		mkdir(d, 0755);
	}
	put_file("main.conf", "root ${env.PETREL_TEST_ROOT};\ninclude conf.d/*.conf;\ninclude odd[[]1]/a.inc;\n");
	put_file("conf.d/20.conf", "site b { include ../routes.inc; }\n");
	put_file("conf.d/10.conf", "site a { root www; include ../routes.inc; }\n");
	put_file("conf.d/ignored", "nonsense");
	put_file("routes.inc", "route * { files; }\n");
	put_file("odd[1]/a.inc", "include b*.inc;");
	put_file("odd[1]/b1.inc", "loops 7;");
	return 0;
}

static int end(void **state)
{
	(void)state;
	char command[128];
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

static void includes_stand_in_order(void **state)
{
	(void)state;
	struct sources s = {};
	struct messages m = {};
	struct conf *c = NULL;
	assert_int_equal(read_from(&s, "main.conf", NULL), 0);
	assert_int_equal(s.count, 6);
	assert_int_equal(conf_build(&s, T_MODULES, T_COUNT, true, &m, &c), 0);
	assert_int_equal(c->site_count, 2);
	assert_true(str_eq(c->sites[0].names[0], STR("a")));
	const struct t_core *main = c->values[0], *a = c->sites[0].values[0];
	assert_true(str_eq(main->loops, STR("7")));
	assert_true(str_eq(main->root, STR("/srv/one")));
	char expected[128];
	snprintf(expected, sizeof expected, "%s/conf.d/www", folder);
	assert_true(str_eq(a->root, str_of(expected)));
	assert_true(str_ends(c->sites[1].routes[0].place.file, STR("/routes.inc")));
	conf_free(c);
	messages_fini(&m);
	sources_fini(&s);
}

static void a_bundle_needs_nothing_else(void **state)
{
	(void)state;
	struct sources s = {}, back = {};
	struct buf bytes = {}, before = {}, after = {};
	assert_int_equal(read_from(&s, "main.conf", NULL), 0);
	sources_write(&s, &bytes);
	dumped(&s, &before);
	sources_fini(&s);
	setenv("PETREL_TEST_ROOT", "/srv/two", 1);
	char moved[80];
	snprintf(moved, sizeof moved, "%s.moved", folder);
	assert_int_equal(rename(folder, moved), 0);
	assert_int_equal(sources_unpack(&back, buf_str(&bytes)), 0);
	dumped(&back, &after);
	assert_int_equal(rename(moved, folder), 0);
	setenv("PETREL_TEST_ROOT", "/srv/one", 1);
	assert_true(str_eq(buf_str(&before), buf_str(&after)));
	sources_fini(&back);
	buf_fini(&bytes);
	buf_fini(&before);
	buf_fini(&after);
}

/* Every byte missing, every byte wrong: refused, or something that builds without harm. */
static void garbage_does_no_harm(void **state)
{
	(void)state;
	struct sources s = {};
	struct buf bytes = {};
	assert_int_equal(read_from(&s, "main.conf", NULL), 0);
	sources_write(&s, &bytes);
	sources_fini(&s);
	for (size_t n = 0; n < bytes.n; n++)
		assert_true(sources_unpack(&s, str_head(buf_str(&bytes), n)) < 0);
	for (size_t i = 0; i < bytes.n; i++) {
		for (int flip = 1; flip < 256; flip <<= 1) {
			bytes.p[i] ^= (char)flip;
			struct messages m = {};
			struct conf *c = NULL;
			if (sources_unpack(&s, buf_str(&bytes)) == 0 && conf_build(&s, T_MODULES, T_COUNT, false, &m, &c) == 0)
				conf_free(c);
			messages_fini(&m);
			sources_fini(&s);
			bytes.p[i] ^= (char)flip;
		}
	}
	buf_fini(&bytes);
}

static void chains_are_bounded(void **state)
{
	(void)state;
	struct sources s = {};
	struct buf out = {};
	char name[32], text[64];
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof name, "deep%d", i);
		snprintf(text, sizeof text, "include deep%d;", i + 1);
		put_file(name, i == 39 ? "" : text);
	}
	assert_int_equal(read_from(&s, "deep25", NULL), 0);
	sources_fini(&s);
	assert_true(read_from(&s, "deep20", &out) < 0);
	assert_non_null(memmem(out.p, out.n, "more than 16 deep", 17));
	sources_fini(&s);
	/* The same chain, read from its end: each file was read before the one that includes it. */
	put_file("backwards", "include deep39; include deep30; include deep25; include deep20;");
	assert_true(read_from(&s, "backwards", NULL) < 0);
	sources_fini(&s);
	buf_fini(&out);
}

/* Twenty lines that stand for 2^20 × 20 directives. */
static void laughs_are_bounded(void **state)
{
	(void)state;
	struct sources s = {};
	struct messages m = {};
	struct conf *c = NULL;
	char name[32], text[128];
	for (int i = 0; i < 12; i++) {
		snprintf(name, sizeof name, "laugh%d", i);
		snprintf(text, sizeof text, "include laugh%d; include laugh%d; include laugh%d; include laugh%d;", i + 1, i + 1,
		         i + 1, i + 1);
		put_file(name, i == 11 ? "allow x;" : text);
	}
	assert_int_equal(read_from(&s, "laugh0", NULL), 0);
	assert_int_equal(s.count, 12);
	assert_true(conf_build(&s, T_MODULES, T_COUNT, true, &m, &c) < 0);
	messages_fini(&m);
	sources_fini(&s);
}

static void what_is_no_file(void **state)
{
	(void)state;
	struct sources s = {};
	struct buf out = {};
	char path[128];
	snprintf(path, sizeof path, "%s/fifo", folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	put_file("fifo.conf", "include fifo;");
	assert_true(read_from(&s, "fifo.conf", &out) < 0);
	assert_non_null(memmem(out.p, out.n, "it is not a file", 16));
	sources_fini(&s);
	assert_true(read_from(&s, "conf.d", NULL) < 0);
	assert_int_equal(s.count, 0);
	sources_fini(&s);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest TESTS[] = {
		cmocka_unit_test(includes_stand_in_order), cmocka_unit_test(a_bundle_needs_nothing_else),
		cmocka_unit_test(garbage_does_no_harm),    cmocka_unit_test(chains_are_bounded),
		cmocka_unit_test(laughs_are_bounded),      cmocka_unit_test(what_is_no_file),
	};
	return cmocka_run_group_tests(TESTS, begin, end);
}
