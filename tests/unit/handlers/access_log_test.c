/* access_log: the lines of each format, and that no client can forge one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <jansson.h>
#include <sys/mman.h>
#include <unistd.h>

#include "handlers/handlers.h"
#include "served.h"
#include "share/log.h"

/* A served configuration whose logs go to memory. */
struct logged {
	struct served s;
	int fd;
	char line[8192];
};

static void each(void (*hook)(void *, const struct commons *), struct logged *l)
{
	for (size_t i = 0; i < MODULE_COUNT; i++)
		if (MODULES[i] == &ACCESS_LOG)
			hook(l->s.use.conf->sites[0].routes[0].values[i], &(struct commons){ .log = l->s.log });
}

static void logged_open(struct logged *l, const char *format)
{
	char conf[512];
	snprintf(conf, sizeof conf,
	         "log_format mine \"[$field_x] $method $status $end\"; log_format object \"{\\\"x\\\":\\\"$field_x\\\"}\" json;"
	         "site * { route * { access_log /test %s; respond 200 \"hello\"; } }", format);
	served_open(&l->s, conf);
	l->fd = memfd_create("log", MFD_CLOEXEC);
	assert_int_equal(log_new(&l->s.log, 1 << 16), 0);
	l->s.home.ring = log_ring_new(l->s.log);
	struct log_sink *sink = log_sink_get(l->s.log, STR("/test"), dup(l->fd));
	each(ACCESS_LOG.open, l);
	log_sink_put(l->s.log, sink);
}

/* Ends the log and gives its text. */
static const char *logged_close(struct logged *l)
{
	each(ACCESS_LOG.close, l);
	log_free(l->s.log);
	ssize_t n = pread(l->fd, l->line, sizeof l->line - 1, 0);
	assert_true(n >= 0);
	l->line[n] = '\0';
	close(l->fd);
	served_close(&l->s);
	return l->line;
}

/* Bytes beyond ASCII, and what ends a value or a line where nobody takes care. */
static const char EVIL[] = "GET /p?\"%0a HTTP/1.1\r\nHost: a\r\nReferer: \"\\\r\n"
                           "User-Agent: \xc3\xa4\xff\tx\r\nX: \"]\\\r\n\r\n";

static void plain(void **state)
{
	(void)state;
	static const struct {
		const char *format, *head, *begins, *ends;
	} ROWS[] = {
		{ "common", GET("/x"), "192.0.2.1 - - [", " +0000] \"GET /x HTTP/1.1\" 200 5\n" },
		{ "combined", GET("/x"), "192.0.2.1 - - [", "] \"GET /x HTTP/1.1\" 200 5 \"-\" \"-\"\n" },
		{ "", EVIL, "192.0.2.1 - - [",
		  "] \"GET /p?\\x22%0a HTTP/1.1\" 200 5 \"\\x22\\x5C\" \"\\xC3\\xA4\\xFF\\x09x\"\n" },
		{ "mine", EVIL, "[\\x22]\\x5C] GET 200 done\n", "" },
		{ "mine", GET("/"), "[-] GET 200 done\n", "" },
	};
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct logged l;
		logged_open(&l, ROWS[i].format);
		served_get(&l.s, ROWS[i].head);
		struct str line = str_of(logged_close(&l));
		if (!str_starts(line, str_of(ROWS[i].begins)) || !str_ends(line, str_of(ROWS[i].ends)))
			fail_msg("%s: %s", ROWS[i].format, line.p);
	}
}

static json_t *parsed(const char *line)
{
	json_error_t error;
	json_t *j = json_loads(line, 0, &error);
	if (!j)
		fail_msg("%s in %s", error.text, line);
	return j;
}

static void json(void **state)
{
	(void)state;
	struct logged l;
	logged_open(&l, "json");
	served_get(&l.s, EVIL);
	json_t *j = parsed(logged_close(&l));
	assert_string_equal(json_string_value(json_object_get(j, "referer")), "\"\\");
	assert_string_equal(json_string_value(json_object_get(j, "user_agent")), "\xc3\xa4\xef\xbf\xbd\tx");
	assert_int_equal(json_integer_value(json_object_get(j, "status")), 200);
	assert_string_equal(json_string_value(json_object_get(j, "end")), "done");
	assert_int_equal(strlen(json_string_value(json_object_get(j, "time"))), 24);
	json_decref(j);
	logged_open(&l, "object");
	served_get(&l.s, EVIL);
	j = parsed(logged_close(&l));
	assert_string_equal(json_string_value(json_object_get(j, "x")), "\"]\\");
	json_decref(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(plain), cmocka_unit_test(json) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
