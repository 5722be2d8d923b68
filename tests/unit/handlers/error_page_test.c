/* error_page: which page, with which status and fields, and what happens when it is missing itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "served.h"

static const char CONF[] =
	"error_page 404 403 /sorry;\n"
	"site * {\n"
	"  error_page 500 502 503 /down;\n"
	"  route /sorry  { deny all; respond 200 \"sorry\" type text/x; }\n"
	"  route /down   { respond 200 \"down for $path\"; }\n"
	"  route /denied { deny all; respond 200 never; }\n"
	"  route /broken { respond 500 plain; }\n"
	"  route /lost   { error_page 404 /missing; respond 404 plain; }\n"
	"  route /self   { error_page 410 /self; respond 410 plain; }\n"
	"  route /away   { error_page 410 /moved; respond 410 plain; }\n"
	"  route /moved  { redirect 301 /; }\n"
	"}";

static void pages(void **state)
{
	(void)state;
	static const struct {
		const char *head, *begins, *ends;
	} ROWS[] = {
		{ GET("/nowhere"), "404\n", "\nsorry" },
		{ GET("/denied"), "403\n", "\nsorry" },  /* its page passes the gate that it stands behind */
		{ GET("/sorry"), "403\n", "\nsorry" },
		{ GET("/broken"), "500\n", "\ndown for /down" },
		{ GET("/down"), "200\n", "\ndown for /down" },
		{ "POST /broken HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "500\n", "\ndown for /down" },
		{ "HEAD /broken HTTP/1.1\r\nHost: a\r\n\r\n", "500\n", "\n\n" },
		/* The plain page, and no circle. */
		{ GET("/lost"), "404\n", "404 Not Found\n" },
		{ GET("/self"), "410\n", "410 Gone\n" },
		{ GET("/away"), "410\n", "410 Gone\n" },
	};
	struct served s;
	served_open(&s, CONF);
	for (size_t i = 0; i < countof(ROWS); i++) {
		served_get(&s, ROWS[i].head);
		struct str text = buf_str(&s.text);
		if (!str_starts(text, str_of(ROWS[i].begins)) || !str_ends(text, str_of(ROWS[i].ends)))
			fail_msg("%s: %s", ROWS[i].head, s.text.p);
	}
	served_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(pages) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
