/* The effective configuration: complete, readable, and the same when it is read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "config/build.h"
#include "config/dump.h"
#include "table.h"

/* What a text amounts to. */
static void dumped(struct str text, struct buf *out)
{
	struct sources s = {};
	struct messages m = {};
	struct conf *c = NULL;
	struct buf said = {};
	sources_from_text(&s, STR("t"), STR("/etc"), text);
	if (conf_build(&s, T_MODULES, T_COUNT, false, &m, &c) < 0) {
		messages_print(&m, false, &said);
		fail_msg("%.*s\n%.*s", STR_F(buf_str(&said)), STR_F(text));
	}
	conf_dump(c, out);
	conf_free(c);
	messages_fini(&m);
	sources_fini(&s);
}

static void reads_back_the_same(void **state)
{
	(void)state;
	static const char *const ROWS[] = {
		"",
		"user \"\"; loops \" \"; index \"a b\" ${x} \"\\x01\\\\\" \"\\\"\" # \";\n;",
		"limits { header 1k; } site a { limits { header 2k; } route /x { files { listing on; } } }",
		"listen \"tls\" tls; listen a backlog 1; access_log off json;",
		"site a { route /x { respond 200; } route /y { respond 200 \"\"; } route /z { respond 200 \"\\n;\"; } }",
		"site a { route ~ \"^/a{2};$\" { cgi; } route \"/a b*\" { redirect 301 $1; } route * { } }",
		"pool p { server a backup; server backup weight 3; retry 2 on connect 502; sticky cookie X; }",
		"app a { command \"php-cgi -b 1\"; recycle age 1h; } app b { command x; protocol http; }",
		"allow 1; allow 2; site a { allow 3; route /x { allow 4; files; } route /y { files; } }",
		"tls { certificate a key b; protocols 1.3; } site a { tls { protocols 1.2; } route * { files; } }",
		"shed { image busy.gif; } site a { shed { retry_after 0; } route * { shed { image x; } files; } }",
		"limits { min_rate 0; } hot { memory 0; recheck 1h1ms; } root \"\\${env.X}\";",
		"files { try a b; } site a { files { listing on; } route /a { files; } route /b { files { try c; } } }",
	};
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct buf once = {}, twice = {};
		dumped(str_of(ROWS[i]), &once);
		dumped(buf_str(&once), &twice);
		if (!str_eq(buf_str(&once), buf_str(&twice)))
			fail_msg("row %zu:\n%.*s\n---\n%.*s", i, STR_F(buf_str(&once)), STR_F(buf_str(&twice)));
		buf_fini(&once);
		buf_fini(&twice);
	}
}

static void reads_nicely(void **state)
{
	(void)state;
	static const char TEXT[] =
		"listen 80 tls;\nroot www;\nsite example.org {\n limits { header 1k; }\n root /srv;\n"
		"route /x { files { listing on; } compress on; }\n route = /y { respond 404; }\n}";
	static const char EXPECTED[] =
		"site example.org {\n"
		"    root     /srv;\n"
		"    throttle off;\n"
		"    limits {\n"
		"        header 1k;\n"
		"    }\n"
		"    route = /x {\n"
		"        compress on;\n"
		"        files {\n"
		"            listing on;\n"
		"            try     $path $path/;\n"
		"        }\n"
		"    }\n"
		"    route = /y {\n"
		"        respond 404;\n"
		"    }\n"
		"}\n";
	struct buf out = {};
	dumped(str_of(TEXT), &out);
	if (!str_ends(buf_str(&out), str_of(EXPECTED)))
		fail_msg("%.*s", STR_F(buf_str(&out)));
	assert_non_null(memmem(out.p, out.n, "root       /etc/www;\nindex      index.html;\n", 44));
	assert_non_null(memmem(out.p, out.n, "    header_timeout 10s;\n", 24));
	assert_null(memmem(out.p, out.n, "user", 4));
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest TESTS[] = { cmocka_unit_test(reads_back_the_same), cmocka_unit_test(reads_nicely) };
	return cmocka_run_group_tests(TESTS, NULL, NULL);
}
