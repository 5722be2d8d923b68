/* Media types: the table's order, endings, and what is worth compressing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "base/mem.h"
#include "http/mime.h"

static void sorted(void **state)
{
	(void)state;
	for (size_t i = 1; i < mime_count(); i++) {
		struct str before = str_of(mime_ending(i - 1)), this = str_of(mime_ending(i));
		if (str_cmp(before, this) >= 0)
			fail_msg("\"%s\" stands before \"%s\"", before.p, this.p);
	}
	for (size_t i = 0; i < mime_count(); i++)
		for (const char *c = mime_ending(i); *c; c++)
			assert_int_equal(*c, ascii_lower(*c));
	assert_true(mime_count() > 250);
}

static void all_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < mime_count(); i++) {
		char path[40];
		int n = snprintf(path, sizeof path, "/a.b/c.%s", mime_ending(i));
		struct str type = mime_of(str_make(path, (size_t)n));
		if (!str_eq(type, STR("application/octet-stream")))
			continue;
		assert_true(str_eq(type, mime_of(STR("x.bin"))));
	}
}

static const struct {
	const char *path, *type;
	bool compresses;
} ROWS[] = {
	{ "/index.html", "text/html; charset=utf-8", true },
	{ "/a/STYLE.CSS", "text/css; charset=utf-8", true },
	{ "app.js", "text/javascript; charset=utf-8", true },
	{ "/x.json", "application/json", true },
	{ "/x.svg", "image/svg+xml", true },
	{ "/x.wasm", "application/wasm", true },
	{ "/x.webmanifest", "application/manifest+json", true },
	{ "/font.ttf", "font/ttf", true },
	{ "/font.woff2", "font/woff2", false },
	{ "/photo.jpeg", "image/jpeg", false },
	{ "/photo.avif", "image/avif", false },
	{ "/archive.tar.gz", "application/gzip", false },
	{ "/film.mp4", "video/mp4", false },
	{ "/dir.css/plain", "application/octet-stream", false },
	{ "/plain", "application/octet-stream", false },
	{ "/trailing.", "application/octet-stream", false },
	{ "/x.averyveryverylongending", "application/octet-stream", false },
	{ "", "application/octet-stream", false },
};

static void rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct str type = mime_of(str_of(ROWS[i].path));
		if (!str_eq(type, str_of(ROWS[i].type)))
			fail_msg("%s: %.*s", ROWS[i].path, STR_F(type));
		assert_int_equal(mime_compresses(type), ROWS[i].compresses);
	}
	assert_true(mime_compresses(STR("Text/Whatever")));
	assert_true(mime_compresses(STR("application/problem+json ;charset=x")));
	assert_false(mime_compresses(STR("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(sorted), cmocka_unit_test(all_found), cmocka_unit_test(rows) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
