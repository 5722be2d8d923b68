/* From text to a snapshot: values, inheritance, hooks, names, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/mem.h"
#include "config/build.h"
#include "table.h"

/* A snapshot from text, which has to be right. */
static struct conf *built(const char *text)
{
	struct sources s = {};
	struct messages m = {};
	struct conf *c = NULL;
	struct buf out = {};
	sources_from_text(&s, STR("test.conf"), STR("/etc/petrel"), str_of(text));
	int err = conf_build(&s, T_MODULES, T_COUNT, true, &m, &c);
	messages_print(&m, false, &out);
	if (err)
		fail_msg("%.*s", STR_F(buf_str(&out)));
	buf_fini(&out);
	messages_fini(&m);
	sources_fini(&s);
	return c;
}

static const struct t_core *core_of(void *const *values)
{
	return values[T_CORE_AT];
}

static const struct t_gates *gates_of(void *const *values)
{
	return values[T_GATES_AT];
}

static const struct t_files *files_of(void *const *values)
{
	return values[T_FILES_AT];
}

#define same(s, literal) assert_true(str_eq((s), STR(literal)))

static void defaults_without_a_line(void **state)
{
	(void)state;
	struct conf *c = built("");
	const struct t_core *v = core_of(c->values);
	same(v->loops, "auto");
	assert_int_equal(v->header_b, 16384);
	assert_int_equal(v->index.count, 1);
	same(((struct str *)v->index.p)[0], "index.html");
	assert_int_equal(files_of(c->values)->try.count, 2);
	assert_null(v->user.p);
	assert_int_equal(c->site_count, 0);
	conf_free(c);
}

static void inheritance_goes_row_by_row(void **state)
{
	(void)state;
	struct conf *c = built("site a { route /x { root /r; files; } limits { header 1k; } route /y { files; } }\n"
	                       "site b { route * { files { listing on; } } }\n"
	                       "root www; limits { body 5m; header 2k; } files { try a b c; }\n");
	const struct site *a = &c->sites[0], *b = &c->sites[1];
	same(core_of(a->values)->root, "/etc/petrel/www");
	assert_int_equal(core_of(a->values)->header_b, 1024);
	assert_int_equal(core_of(a->values)->body_b, 5 << 20);
	same(core_of(a->routes[0].values)->root, "/r");
	assert_int_equal(core_of(a->routes[0].values)->header_b, 1024);
	assert_int_equal(core_of(b->values)->header_b, 2048);
	assert_true(files_of(b->routes[0].values)->listing);
	assert_int_equal(files_of(b->routes[0].values)->try.count, 3);
	assert_false(files_of(b->values)->listing);
	conf_free(c);
}

static void scopes_that_set_nothing_share(void **state)
{
	(void)state;
	struct conf *c = built("site a { route /x { files; } route /y { files; compress on; } }");
	const struct site *a = &c->sites[0];
	assert_ptr_equal(a->values, c->values);
	assert_ptr_equal(a->routes[0].values, c->values);
	assert_ptr_equal(a->routes[0].gates.p, a->fallback.gates.p);
	assert_ptr_equal(a->routes[1].values[T_CORE_AT], c->values[T_CORE_AT]);
	assert_ptr_not_equal(a->routes[1].values[T_GATES_AT], c->values[T_GATES_AT]);
	conf_free(c);
}

static void lists_add_to_the_outer_scopes(void **state)
{
	(void)state;
	struct conf *c = built("allow a; site x { allow b; allow c; route /1 { allow d; files; } route /2 { files; } }");
	const struct site *x = &c->sites[0];
	assert_int_equal(gates_of(c->values)->allow.count, 1);
	assert_int_equal(gates_of(x->values)->allow.count, 3);
	const struct items *all = &gates_of(x->routes[0].values)->allow;
	assert_int_equal(all->count, 4);
	static const char *const EXPECTED[] = { "a", "b", "c", "d" };
	for (size_t i = 0; i < all->count; i++)
		assert_true(str_eq(((struct str *)all->p)[i], str_of(EXPECTED[i])));
	assert_int_equal(gates_of(x->routes[1].values)->allow.count, 3);
	conf_free(c);
}

static void items_have_blocks(void **state)
{
	(void)state;
	struct conf *c = built("pool api { server a weight 2 backup; server b connections 7 weight 3; balance hash $uri; }\n"
	                       "pool two { server c; keepalive 1; retry 2 on connect 502; health GET /h rise 9; }");
	const struct t_pool *pools = core_of(c->values)->pools.p;
	const struct t_server *servers = pools[0].servers.p;
	assert_int_equal(core_of(c->values)->pools.count, 2);
	assert_int_equal(pools[0].servers.count, 2);
	same(servers[0].address, "a");
	assert_int_equal(servers[0].weight, 2);
	assert_true(servers[0].backup);
	assert_int_equal(servers[1].connections, 7);
	assert_int_equal(servers[1].weight, 3);
	assert_false(servers[1].backup);
	assert_int_equal(pools[0].balance, 3);
	same(pools[0].key, "$uri");
	assert_int_equal(pools[0].keepalive, 32);
	assert_int_equal(pools[1].servers.count, 1);
	assert_int_equal(((struct t_server *)pools[1].servers.p)->weight, 1);
	assert_int_equal(pools[1].keepalive, 1);
	assert_int_equal(pools[1].tries, 2);
	assert_int_equal(pools[1].retry_on.count, 3);
	assert_int_equal(pools[1].rise, 9);
	assert_int_equal(pools[1].every_ms, 5000);
	conf_free(c);
}

static void hooks_are_those_that_do_something(void **state)
{
	(void)state;
	struct conf *c = built("site a { route /x { files { listing on; } } route /y { respond 200 hi; } }");
	const struct route *x = &c->sites[0].routes[0], *y = &c->sites[0].routes[1];
	assert_ptr_equal(x->handler.module, &T_FILES);
	assert_ptr_equal(x->handler.values, x->values[T_FILES_AT]);
	assert_int_equal(x->gates.count, 1);
	assert_ptr_equal(x->gates.p[0].module, &T_GATES);
	assert_int_equal(x->heads.count, 2);
	assert_ptr_equal(x->heads.p[0].module, &T_FILES);
	assert_ptr_equal(x->heads.p[1].module, &T_GATES);
	assert_int_equal(y->heads.count, 1);
	assert_int_equal(y->dones.count, 1);
	const struct t_text *text = y->handler.values;
	assert_int_equal(text->status, 200);
	same(text->text, "hi");
	assert_null(c->sites[0].fallback.handler.module);
	assert_int_equal(c->sites[0].fallback.gates.count, 1);
	conf_free(c);
}

static void names_and_places(void **state)
{
	(void)state;
	struct conf *c = built("\n  site Example.ORG *.Example.org {\n\troute ~ \"^/u/(\\d+)$\" { files; }\n}\n");
	const struct site *s = &c->sites[0];
	same(s->names[0], "example.org");
	same(s->names[1], "*.example.org");
	assert_int_equal(s->place.line, 2);
	assert_int_equal(s->place.column, 3);
	same(s->place.file, "test.conf");
	assert_int_equal(s->routes[0].place.line, 3);
	assert_int_equal(s->routes[0].pattern.kind, PATTERN_REGEX);
	same(s->routes[0].pattern.text, "^/u/(\\d+)$");
	conf_free(c);
}

static void keywords_end_lists_unless_quoted(void **state)
{
	(void)state;
	struct conf *c = built("listen a backlog 5 tls; listen \"backlog\"; listen tls tls;");
	const struct t_listen *l = core_of(c->values)->listens.p;
	assert_true(l[0].tls);
	assert_int_equal(l[0].backlog, 5);
	same(l[1].address, "backlog");
	assert_false(l[1].tls);
	assert_true(l[2].tls);
	assert_int_equal(l[2].backlog, 4096);
	conf_free(c);
}

/* The messages, with their counts, that a text gives. */
static size_t said(const char *text, struct buf *out)
{
	struct sources s = {};
	struct messages m = {};
	struct conf *c = NULL;
	sources_from_text(&s, STR("t"), STR("/"), str_of(text));
	if (conf_build(&s, T_MODULES, T_COUNT, true, &m, &c) == 0)
		conf_free(c);
	messages_print(&m, false, out);
	size_t errors = m.count[LEVEL_ERROR];
	messages_fini(&m);
	sources_fini(&s);
	return errors;
}

static void every_error_in_one_go(void **state)
{
	(void)state;
	static const struct {
		const char *text, *first;
		size_t errors;
	} ROWS[] = {
		{ "lops 1;", "t:1:1: error: unknown directive \"lops\" in main", 1 },
		{ "loops;", "t:1:6: error: \"loops\" lacks its count", 1 },
		{ "loops 1 2;", "t:1:9: error: \"2\" is one word too many for \"loops\"", 1 },
		{ "loops 1; loops 2;", "t:1:10: error: \"loops\" stands twice in main", 1 },
		{ "limits { header 1; bodi 3; }", "t:1:17: error: wrong size \"1\" for \"header\"", 2 },
		{ "limits { header 1k; header 2k; }", "t:1:21: error: \"header\" stands twice in the block of limits", 1 },
		{ "limits;", "t:1:7: error: \"limits\" needs a block", 1 },
		{ "limits 3 { }", "t:1:8: error: \"limits\" takes a block only", 1 },
		{ "loops 1 { }", "t:1:9: error: \"loops\" takes no block", 1 },
		{ "site a { limits { connections 5; } }",
		  "t:1:19: error: \"connections\" of \"limits\" can't be set in a site", 1 },
		{ "site a { listen x; }", "t:1:10: error: \"listen\" is not allowed in a site", 1 },
		{ "memory 1k;", "t:1:1: error: \"memory\" is not allowed in main", 1 },
		{ "app php { }", "t:1:1: error: \"app php\" lacks \"command\"", 1 },
		{ "pool p { server a weight 0; }", "t:1:26: error: wrong weight \"0\" for \"server\"", 1 },
		{ "pool p { server a weight; }", "t:1:25: error: \"server\" lacks its number after \"weight\"", 1 },
		{ "pool p { server a backup backup; }", "t:1:26: error: \"backup\" stands twice", 1 },
		{ "pool p { server a wieght 1; }", "t:1:19: error: \"wieght\" is one word too many for \"server\"", 1 },
		{ "disk { engine thread; }", "t:1:15: error: wrong engine \"thread\" for \"engine\"", 1 },
		{ "site a { route /x { files; respond 200; } }", "t:1:28: error: a second handler, \"respond\", on one route", 1 },
		{ "site { }", "t:1:5: error: \"site\" lacks its name", 1 },
		{ "site a A { route * { files; } }", "t:1:8: error: \"a\" already names a site", 1 },
		{ "site a:80 { route * { files; } }", "t:1:6: error: wrong name \"a:80\" for a site", 1 },
		{ "site a;", "t:1:7: error: \"site\" needs a block", 1 },
		{ "site a { route { } }", "t:1:15: error: \"route\" takes one pattern", 1 },
		{ "site a { route x { } }", "t:1:16: error: wrong pattern", 1 },
		{ "site a { route ~ ( { } }", "t:1:18: error: wrong pattern", 1 },
		{ "site a { route * { cgi now; } }", "t:1:24: error: \"now\" is one word too many for \"cgi\"", 1 },
		{ "include;", "t:1:1: error: \"include\" takes one name or pattern", 1 },
		{ "include x.conf;", "t:1:9: error: no file can be included here", 1 },
		{ "listen a; listen a;", "t:1:18: error: petrel already listens on a", 1 },
		{ "user ${env.PETREL_UNSET_};", "t:1:6: error: the variable PETREL_UNSET_ is not set", 1 },
		{ "loops 1\nuser x\nbogus; hot { file 1q } root \"x;\nloops 2;", "t:1:8: error: a \";\" is missing here", 6 },
	};
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct buf out = {};
		size_t errors = said(ROWS[i].text, &out);
		if (!str_starts(buf_str(&out), str_of(ROWS[i].first)) || errors != ROWS[i].errors)
			fail_msg("row %zu, %s\nerrors %zu, expected %zu beginning with %s\n%.*s", i, ROWS[i].text, errors,
			         ROWS[i].errors, ROWS[i].first, STR_F(buf_str(&out)));
		buf_fini(&out);
	}
}

static void messages_are_bounded(void **state)
{
	(void)state;
	struct buf text = {}, out = {};
	for (int i = 0; i < 1000; i++)
		buf_add(&text, STR("nonsense;\n"));
	buf_add_char(&text, '\0');
	assert_int_equal(said(text.p, &out), 1000);
	assert_true(str_ends(buf_str(&out), STR("and 900 more errors\n")));
	buf_fini(&text);
	buf_fini(&out);
}

/* 10,000 sites build in well under a second; a quadratic step anywhere would take minutes. */
static void many_sites(void **state)
{
	(void)state;
	struct buf text = {};
	for (int i = 0; i < 10000; i++)
		buf_addf(&text, "site s%d.example.org *.s%d.example.org {\n  root /srv/%d;\n  route /a/* { files; expires 1d; }\n"
		         "  route = /p { respond 200 x; }\n  route * { files; }\n}\n", i, i, i);
	buf_add_char(&text, '\0');
	clock_t begin = clock();   /* of this process, whatever else the machine does */
	struct conf *c = built(text.p);
	double seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
	assert_int_equal(c->site_count, 10000);
	print_message("10,000 sites: %.3f s, %zu KiB\n", seconds, c->arena.held_b / 1024);
	assert_true(seconds < 5);
	conf_free(c);
	buf_fini(&text);
}

int main(void)
{
	const struct CMUnitTest TESTS[] = {
		cmocka_unit_test(defaults_without_a_line), cmocka_unit_test(inheritance_goes_row_by_row),
		cmocka_unit_test(scopes_that_set_nothing_share), cmocka_unit_test(lists_add_to_the_outer_scopes),
		cmocka_unit_test(items_have_blocks), cmocka_unit_test(hooks_are_those_that_do_something),
		cmocka_unit_test(names_and_places), cmocka_unit_test(keywords_end_lists_unless_quoted),
		cmocka_unit_test(every_error_in_one_go), cmocka_unit_test(messages_are_bounded),
		cmocka_unit_test(many_sites),
	};
	return cmocka_run_group_tests(TESTS, NULL, NULL);
}
