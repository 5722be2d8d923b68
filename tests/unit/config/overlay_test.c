/* Settings: their words taken apart, laid over a configuration scope by scope, and what is refused of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "config/build.h"
#include "config/dump.h"
#include "config/overlay.h"
#include "table.h"

static const char CONF[] =
	"limits { connections 7; header 8k; }\n"
	"compress off;\n"
	"pool api { server a:1; queue 5; }\n"
	"app php { command php-cgi; }\n"
	"site example.org *.example.org {\n"
	"    limits { body 1m; }\n"
	"    route /a/* { files; compress on; }\n"
	"    route = /b { files; }\n"
	"}\n"
	"site * { route * { files; } }\n";

/* --- Taking apart. --- */

static void words_are_taken_apart(void **state)
{
	(void)state;
	static const struct {
		const char *words, *text, *name;
		bool block;
	} ROWS[] = {
		{ "limits connections 5", "limits {\nconnections 5;\n}\n", "limits connections", false },
		{ "  limits   connections\t5 ", "limits {\nconnections 5;\n}\n", "limits connections", false },
		{ "pool api queue 9 timeout 3s", "pool api {\nqueue 9 timeout 3s;\n}\n", "pool api queue", false },
		{ "pool api", "pool api {\n}\n", "pool api", true },
		{ "limits", "limits {\n}\n", "limits", true },
		{ "site a.b limits body 2m", "site a.b {\nlimits {\nbody 2m;\n}\n}\n", "site a.b limits body", false },
		{ "site a.b route /x/* compress on", "site a.b {\nroute /x/* {\ncompress on;\n}\n}\n",
		  "site a.b route /x/* compress", false },
		{ "site a.b route = /b compress on", "site a.b {\nroute = /b {\ncompress on;\n}\n}\n",
		  "site a.b route = /b compress", false },
		{ "site a.b route ~ \"^/x{1}$\" compress on", "site a.b {\nroute ~ \"^/x{1}$\" {\ncompress on;\n}\n}\n",
		  "site a.b route ~ \"^/x{1}$\" compress", false },
		{ "listen 80", "listen 80;\n", "listen 80", false },
		{ "root \"/a b\"", "root \"/a b\";\n", "root", false },
		{ "unknown words here", "unknown words here;\n", "unknown", false },
		{ "pool", "pool {\n}\n", "pool", true },
	};
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct overlay_line line;
		struct buf why = {};
		assert_int_equal(overlay_line_read(T_MODULES, T_COUNT, str_of(ROWS[i].words), &line, &why), 0);
		if (!str_eq(buf_str(&line.text), str_of(ROWS[i].text)) || !str_eq(buf_str(&line.name), str_of(ROWS[i].name)) ||
		    line.block != ROWS[i].block)
			fail_msg("row %zu: %.*s (%.*s)", i, STR_F(buf_str(&line.text)), STR_F(buf_str(&line.name)));
		overlay_line_fini(&line);
		buf_fini(&why);
	}
}

static void what_is_no_setting(void **state)
{
	(void)state;
	static const struct {
		const char *words, *says;
	} ROWS[] = {
		{ "", "what is to be set?" },
		{ "# nothing", "what is to be set?" },
		{ " \xef\xbb\xbfroot /", "byte order mark" },
		{ "limits { connections 5; }", "without ; { or }" },
		{ "limits connections 5;", "without ; { or }" },
		{ "}", "without ; { or }" },
		{ "root \"/a", "quote" },
		{ "root ${env.SURELY_NOT}", "SURELY_NOT" },
	};
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct overlay_line line;
		struct buf why = {};
		int err = overlay_line_read(T_MODULES, T_COUNT, str_of(ROWS[i].words), &line, &why);
		buf_add_char(&why, '\0');
		if (!err || !strstr(why.p, ROWS[i].says))
			fail_msg("row %zu: %s", i, why.p);
		overlay_line_fini(&line);
		buf_fini(&why);
	}
}

/* --- Laying over. --- */

/* The snapshot with these settings, each a row of words apart by "; "; or NULL and why. */
static struct conf *laid(const char *settings, struct buf *why)
{
	struct sources s = {};
	struct messages m = {};
	struct buf text = {};
	struct conf *c = NULL;
	for (struct str rest = str_of(settings); rest.n;) {
		struct overlay_line line;
		assert_int_equal(overlay_line_read(T_MODULES, T_COUNT, str_cut(&rest, '|'), &line, why), 0);
		buf_add(&text, buf_str(&line.text));
		overlay_line_fini(&line);
	}
	sources_from_text(&s, STR("t"), STR("/"), str_of(CONF));
	sources_overlay(&s, buf_str(&text));
	if (conf_build(&s, T_MODULES, T_COUNT, false, &m, &c))
		overlay_why(&m, true, why);
	messages_fini(&m);
	sources_fini(&s);
	buf_fini(&text);
	return c;
}

static void the_later_value_wins(void **state)
{
	(void)state;
	struct buf why = {};
	struct conf *c = laid("limits connections 9|pool api queue 6|pool api queue 8|limits header 4k|compress on|"
	                      "site example.org limits body 2m|site *.example.org route = /b compress off|index x.html", &why);
	assert_non_null(c);
	const struct t_core *core = c->values[T_CORE_AT], *site = c->sites[0].values[T_CORE_AT];
	const struct t_pool *pool = core->pools.p;
	assert_int_equal(core->connections, 9);
	assert_int_equal(core->header_b, 4096);
	assert_int_equal(core->pools.count, 1);
	assert_int_equal(pool->queue, 8);
	assert_int_equal(pool->servers.count, 1);
	/* What is set outside is inherited inside, but for what stands there, or is set there. */
	assert_int_equal(site->header_b, 4096);
	assert_int_equal(site->body_b, 2 << 20);
	const struct t_gates *a = c->sites[0].routes[0].values[T_GATES_AT], *b = c->sites[0].routes[1].values[T_GATES_AT],
	                     *other = c->sites[1].routes[0].values[T_GATES_AT];
	assert_true(a->compress && !b->compress && other->compress);
	assert_true(str_eq(*(const struct str *)core->index.p, STR("x.html")));
	conf_free(c);
	buf_fini(&why);
}

/* What was laid over reads back as configuration: the dump of a snapshot does not know the difference. */
static void a_list_is_added_to(void **state)
{
	(void)state;
	struct buf why = {}, text = {};
	struct conf *c = laid("listen 81|listen 82", &why);
	assert_non_null(c);
	assert_int_equal(((const struct t_core *)c->values[T_CORE_AT])->listens.count, 2);
	conf_dump(c, &text);
	buf_add_char(&text, '\0');
	assert_non_null(strstr(text.p, " 81"));
	conf_free(c);
	buf_fini(&why);
	buf_fini(&text);
}

static void what_is_not_there(void **state)
{
	(void)state;
	static const struct {
		const char *settings, *says;
	} ROWS[] = {
		{ "pool apj queue 5", "there is no pool \"apj\"; did you mean \"api\"?; there are: api" },
		{ "cache x memory 1m", "there is no cache \"x\"; there is none at all" },
		{ "site exampel.org compress on", "there is no site \"exampel.org\"; did you mean \"example.org\"?" },
		{ "site example.org route /b compress on", "there is no such route; there are: /a/*, = /b" },
		{ "limits conections 5", "unknown directive \"conections\" in the block of limits; did you mean \"connections\"?" },
		{ "limits connections many", "wrong count \"many\" for \"connections\"" },
		{ "compress on|limits connections", "\"connections\" lacks its count" },
		{ "include x.conf", "\"include\" can't be set in a running server" },
		{ "pool api health GET nonsense every 99", "health" },
	};
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct buf why = {};
		struct conf *c = laid(ROWS[i].settings, &why);
		buf_add_char(&why, '\0');
		if (c || !strstr(why.p, ROWS[i].says))
			fail_msg("row %zu, %s: %s", i, ROWS[i].settings, why.p);
		buf_fini(&why);
	}
}

int main(void)
{
	const struct CMUnitTest TESTS[] = {
		cmocka_unit_test(words_are_taken_apart), cmocka_unit_test(what_is_no_setting),
		cmocka_unit_test(the_later_value_wins),  cmocka_unit_test(a_list_is_added_to),
		cmocka_unit_test(what_is_not_there),
	};
	return cmocka_run_group_tests(TESTS, NULL, NULL);
}
