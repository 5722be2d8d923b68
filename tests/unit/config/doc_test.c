/* Documentation from the tables: complete, and in forms that their readers accept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "config/doc.h"
#include "config/message.h"
#include "table.h"

static const struct doc_modules OURS = { T_MODULES, T_COUNT };
static const struct command_doc COMMANDS_OURS[] = {
	{ "check", "-c FILE [--json]", "Checks a configuration. Says \"every\" error with its \\n." },
	{ "version", "", "Prints the version." },
	{},
};

static bool holds(const struct buf *b, const char *text)
{
	return memmem(b->p, b->n, text, strlen(text)) != NULL;
}

static void a_directive_in_full(void **state)
{
	(void)state;
	struct buf out = {};
	assert_true(doc_directive(&OURS, STR("access_log"), &out));
	assert_true(holds(&out, "access_log FILE [common|combined|json];\n    in main, a site, a route\n"));
	assert_true(holds(&out, "FILE: a word (default: off)\n"));
	assert_true(holds(&out, "common|combined|json: one of common, combined, json (default: common)\n"));
	buf_clear(&out);
	/* A name that stands for two things is explained twice. */
	assert_true(doc_directive(&OURS, STR("cache"), &out));
	assert_true(holds(&out, "cache NAME { ... }\n    in main; may stand more than once\n"));
	assert_true(holds(&out, "cache NAME;\n    in a route\n"));
	assert_true(holds(&out, "    default_ttl TIME;\n        For answers that do not say.\n"));
	buf_clear(&out);
	assert_true(doc_directive(&OURS, STR("header_timeout"), &out));
	assert_true(holds(&out, "in the block of limits\n"));
	assert_true(holds(&out, "from 1ms to 1d (default: 10s)\n"));
	buf_clear(&out);
	assert_false(doc_directive(&OURS, STR("cash"), &out));
	assert_int_equal(out.n, 0);
	struct str nearest = doc_nearest(&OURS, STR("lisetn"));
	assert_true(str_eq(nearest, STR("listen")));
	assert_null(doc_nearest(&OURS, STR("xyzzy")).p);
	buf_fini(&out);
}

static void lists_and_pages(void **state)
{
	(void)state;
	struct buf out = {};
	doc_list(&OURS, &out);
	assert_true(holds(&out, "core\n  user                     The user that serves.\n"));
	buf_clear(&out);
	doc_index(&OURS, &out);
	assert_true(holds(&out, "| [listen](core.md#listen) | main | An address to serve on. |\n"));
	buf_clear(&out);
	doc_page(&T_CORE, &out);
	assert_true(holds(&out, "## limits\n\n`limits { ... }`  \nIn: main, a site.\n\nBounds.\n\nIn its block:\n\n"
	                  "- `connections COUNT;`  \n  How many connections there may be at a time.\n"
	                  "  - `COUNT`: a whole number, from 1 to 10000000; default `10000`\n"));
	assert_true(holds(&out, "Default: `loops auto;`\n"));
	assert_true(holds(&out, "Example:\n\n```\nuser www-data;\n```\n"));
	buf_fini(&out);
}

/* mandoc finds neither errors nor warnings; without mandoc there is nothing to ask. */
static void linted(const char *name, const struct buf *page)
{
	char path[64], command[160];
	snprintf(path, sizeof path, "/tmp/petrel-doc-%d-%s", (int)getpid(), name);
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	fwrite(page->p, 1, page->n, f);
	fclose(f);
	snprintf(command, sizeof command, "mandoc -T lint -W warning %s", path);
	int status = system("command -v mandoc >/dev/null") == 0 ? system(command) : 0;
	unlink(path);
	assert_int_equal(status, 0);
}

static void manual_pages(void **state)
{
	(void)state;
	struct buf out = {};
	doc_man_conf(&OURS, &out);
	linted("petrel.conf.5", &out);
	buf_clear(&out);
	doc_man_command(COMMANDS_OURS, &out);
	linted("petrel.1", &out);
	buf_fini(&out);
}

static void messages_as_json(void **state)
{
	(void)state;
	struct source source = { .name = STR("a\"b"), .folder = STR("/"), .text = STR("one\ntwo three\n") };
	struct spot at = { &source, 8, 5, 2, 5 };
	struct messages m = {};
	struct buf out = {};
	message_hint(&m, message_add(&m, LEVEL_ERROR, &at, "wrong \"%s\"", "three"), "try %d", 4);
	message_add(&m, LEVEL_ERROR, &at, "wrong \"%s\"", "three");
	message_add(&m, LEVEL_WARNING, NULL, "of no place");
	messages_print_json(&m, &out);
	static const char EXPECTED[] =
		"{\"errors\":1,\"warnings\":1,\"messages\":[\n"
		"{\"level\":\"error\",\"file\":\"a\\\"b\",\"line\":2,\"column\":5,\"length\":5,\"source\":\"two three\","
		"\"text\":\"wrong \\\"three\\\"\",\"hints\":[\"try 4\"]},\n"
		"{\"level\":\"warning\",\"text\":\"of no place\",\"hints\":[]}]}\n";
	assert_true(str_eq(buf_str(&out), str_of(EXPECTED)));
	buf_clear(&out);
	messages_print(&m, true, &out);
	assert_true(holds(&out, "\033[1;31m^~~~~\033[0m\n"));
	buf_fini(&out);
	messages_fini(&m);
}

int main(void)
{
	const struct CMUnitTest TESTS[] = {
		cmocka_unit_test(a_directive_in_full), cmocka_unit_test(lists_and_pages), cmocka_unit_test(manual_pages),
		cmocka_unit_test(messages_as_json),
	};
	return cmocka_run_group_tests(TESTS, NULL, NULL);
}
