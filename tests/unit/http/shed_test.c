/* Requests that are refused for load: a body of the kind that was asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <unistd.h>

#include "http/shed.h"
#include "../handlers/served.h"

static enum go shed_handle(struct req *r, const void *values)
{
	(void)values;
	return req_shed(r, END_DISK_QUEUE);
}

/* A handler that is always too busy. */
static const struct directive BUSY_DIRECTIVES[] = { { .name = "busy", .kind = DIR_HANDLER, .scopes = SCOPE_ROUTE }, {} };
static const struct module BUSY = { .name = "busy", .directives = BUSY_DIRECTIVES, .handle = shed_handle };

static void kinds(void **state)
{
	(void)state;
	static const struct {
		const char *head, *type, *ends;
	} ROWS[] = {
		{ GET("/x.png"), "\nContent-Type: image/gif\n", "\nGIF89a" },
		{ GET_WITH("/x", "Accept: image/avif,image/*,*/*;q=0.8"), "\nContent-Type: image/gif\n", "\nGIF89a" },
		{ GET("/x.json"), "\nContent-Type: application/json\n", ",\"retry_after\":3}\n" },
		{ GET_WITH("/x", "Accept: application/json, text/html"), "\nContent-Type: application/json\n", "}\n" },
		{ GET_WITH("/x", "Accept: text/html,image/png"), "\nContent-Type: text/html; charset=utf-8\n", "</html>\n" },
		{ GET("/x"), "\nContent-Type: text/plain; charset=utf-8\n", "moment.\n" },
	};
	const struct module *modules[] = { MODULES[0], &SHED, &BUSY };
	struct served s = {};
	struct sources sources = {};
	struct messages m = {};
	struct conf *c = NULL;
	char path[] = "/tmp/petrel-shed-XXXXXX.gif", conf[256];
	int fd = mkstemps(path, 4);
	assert_int_equal(write(fd, "GIF89a", 6), 6);
	close(fd);
	snprintf(conf, sizeof conf, "shed { retry_after 2500ms; image %s; } site * { route * { busy; } }", path);
	sources_from_text(&sources, STR("test.conf"), STR("/"), str_of(conf));
	assert_int_equal(conf_build(&sources, modules, countof(modules), true, &m, &c), 0);
	messages_fini(&m);
	sources_fini(&sources);
	s.use = (struct conf_use){ .conf = c, .released = served_released };
	home_conf_set(&s.home, &s.use);
	s.home.meters = meters_new(1);
	SHED.open(c->values[1], NULL);
	unlink(path);
	for (size_t i = 0; i < countof(ROWS); i++) {
		served_get(&s, ROWS[i].head);
		assert_int_equal(s.r->answer.status, 503);
		assert_has(&s, "\nRetry-After: 3\n");
		assert_has(&s, ROWS[i].type);
		if (!str_ends(buf_str(&s.text), str_of(ROWS[i].ends)))
			fail_msg("%s: %s", ROWS[i].head, s.text.p);
	}
	assert_int_equal(counter_get(&meters_at(s.home.meters, 0, METER_REST)->shed), countof(ROWS));
	SHED.close(c->values[1], NULL);
	served_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(kinds) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
