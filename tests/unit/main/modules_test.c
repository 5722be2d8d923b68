/* The real tables: every row can be explained, its defaults are values of its types, and the manual page is well-formed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/build.h"
#include "config/doc.h"
#include "config/dump.h"
#include "config/values.h"
#include "main/modules.h"

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

static void the_manual_page(void **state)
{
	(void)state;
	struct doc_modules all = { MODULES, MODULE_COUNT };
	struct buf out = {};
	doc_man_conf(&all, &out);
	linted("petrel.conf.5", &out);
	buf_fini(&out);
}

/* Every row of the real tables has its sentence, and a handler is what its module can do. */
static void tables_are_complete(void **state)
{
	(void)state;
	for (size_t i = 0; i < MODULE_COUNT; i++) {
		unsigned handlers = 0;
		assert_non_null(MODULES[i]->doc);
		for (const struct directive *d = MODULES[i]->directives; d && d->name; d++) {
			if (!d->doc || !str_ends(str_of(d->doc), STR(".")))
				fail_msg("%s: %s has no sentence", MODULES[i]->name, d->name);
			handlers += d->kind == DIR_HANDLER;
			assert_true(d->scopes != 0);
		}
		assert_true(handlers <= 1);
		assert_true(!handlers || MODULES[i]->handle);
	}
}

/* Every value lies within its struct: the values of its module, or the item of its list. */
static void fit(const struct module *m, const struct directive *rows, size_t size)
{
	for (const struct directive *d = rows; d && d->name; d++) {
		bool list = d->kind == DIR_LIST;
		for (const struct arg *a = d->args; a && a->name && d->kind <= DIR_HANDLER; a++) {
			size_t end = (list ? 0 : d->offset) + a->offset + value_size(a);
			if (end > (list ? d->item_size : size))
				fail_msg("%s: %s of %s is written past the end of its struct", m->name, a->name, d->name);
		}
		if (list && d->offset + sizeof(struct items) > size)
			fail_msg("%s: the list %s is written past the end of its struct", m->name, d->name);
		fit(m, d->inner, list ? d->item_size : size);
	}
}

static void values_fit_their_structs(void **state)
{
	(void)state;
	for (size_t i = 0; i < MODULE_COUNT; i++)
		fit(MODULES[i], MODULES[i]->directives, MODULES[i]->size);
}

/* Building presets every row; printing and reading back shows that the defaults are the tables' own words. */
static void defaults_read_back(void **state)
{
	(void)state;
	struct buf text = {}, again = {};
	for (int round = 0; round < 2; round++) {
		struct sources s = {};
		struct messages m = {};
		struct conf *c = NULL;
		sources_from_text(&s, STR("defaults"), STR("/"), buf_str(&text));
		assert_int_equal(conf_build(&s, MODULES, MODULE_COUNT, false, &m, &c), 0);
		conf_dump(c, round ? &again : &text);
		conf_free(c);
		messages_fini(&m);
		sources_fini(&s);
	}
	assert_true(str_eq(buf_str(&text), buf_str(&again)));
	buf_fini(&text);
	buf_fini(&again);
}

int main(void)
{
	const struct CMUnitTest TESTS[] = {
		cmocka_unit_test(the_manual_page), cmocka_unit_test(tables_are_complete),
		cmocka_unit_test(values_fit_their_structs), cmocka_unit_test(defaults_read_back),
	};
	return cmocka_run_group_tests(TESTS, NULL, NULL);
}
