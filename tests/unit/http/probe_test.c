/* Health checks, of a server on a thread of the test that does what the request's path says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "http/probe.h"

/* --- The server.  One connection at a time; "/quit" ends it. --- */

static const struct reply {
	const char *path, *text;     /* NULL: silence */
} REPLIES[] = {
	{ "/ok", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello" },
	{ "/old", "HTTP/1.0 200\r\n\r\n" },
	{ "/created", "HTTP/1.1 201 Created\r\n\r\n" },
	{ "/moved", "HTTP/1.1 302 Found\r\n\r\n" },
	{ "/missing", "HTTP/1.1 404 Not Found\r\n\r\n" },
	{ "/broken", "HTTP/1.1 503 \r\n\r\nhello" },
	{ "/early", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nhello" },
	{ "/upgrade", "HTTP/1.1 101 Switching Protocols\r\n\r\n" },
	{ "/field", "HTTP/1.1 200 OK\r\nX: hello\r\n\r\nbye" },
	{ "/ssh", "SSH-2.0-OpenSSH\r\n" },
	{ "/two", "HTTP/2 200 OK\r\n\r\n" },
	{ "/short", "HTTP/1.1 20" },
	{ "/number", "HTTP/1.1 2000 OK\r\n\r\n" },
	{ "/minus", "HTTP/1.1 -20 OK\r\n\r\n" },
	{ "/empty", "" },
	{ "/silent", NULL },
};

static int server_fd;
static struct sockaddr_storage server_at;
static socklen_t server_at_b = sizeof server_at;
static pthread_t server;
static _Atomic unsigned flips;     /* "/flip": well while it is even */
static char seen[2048];

static void say(int fd, const char *path)
{
	static char line[65600];
	memset(line, 'x', sizeof line);
	for (size_t i = 0; i < countof(REPLIES); i++)
		if (strcmp(path, REPLIES[i].path) == 0 && REPLIES[i].text)
			send(fd, REPLIES[i].text, strlen(REPLIES[i].text), MSG_NOSIGNAL);
		else if (strcmp(path, REPLIES[i].path) == 0)
			poll(&(struct pollfd){ .fd = fd, .events = POLLRDHUP }, 1, 3000);
	if (strcmp(path, "/slow") == 0)
		for (const char *z = "HTTP/1.1 200 OK\r\n\r\n--hello--"; *z; z++) {
			send(fd, z, 1, MSG_NOSIGNAL);
			poll(NULL, 0, 1);
		}
	if (strcmp(path, "/flip") == 0)
		send(fd, flips % 2 ? "HTTP/1.1 500 X\r\n\r\n" : "HTTP/1.1 200 X\r\n\r\n", 18, MSG_NOSIGNAL);
	if (strcmp(path, "/long") == 0) {
		memcpy(line, "HTTP/1.1 200 OK\r\n\r\n", 19);
		send(fd, line, sizeof line, MSG_NOSIGNAL);
		send(fd, "hello", 5, MSG_NOSIGNAL);
		poll(&(struct pollfd){ .fd = fd, .events = POLLRDHUP }, 1, 3000);
	}
	if (strcmp(path, "/endless") == 0)
		while (send(fd, line, sizeof line, MSG_NOSIGNAL) > 0)
			;
}

static void *serve(void *arg)
{
	char path[64] = "";
	(void)arg;
	while (strcmp(path, "/quit") != 0) {
		char got[2048];
		int fd = accept(server_fd, NULL, NULL);
		ssize_t n = recv(fd, got, sizeof got - 1, 0);
		got[n > 0 ? n : 0] = '\0';
		if (n > 0)
			memcpy(seen, got, (size_t)n + 1);
		if (sscanf(got, "%*s %63s", path) == 1)
			say(fd, path);
		close(fd);
	}
	return NULL;
}

static int server_start(void **state)
{
	(void)state;
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	server_fd = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(server_fd, (struct sockaddr *)&at, sizeof at) || listen(server_fd, 16) ||
	    getsockname(server_fd, (struct sockaddr *)&server_at, &server_at_b))
		return -1;
	return pthread_create(&server, NULL, serve, NULL);
}

static int server_stop(void **state)
{
	(void)state;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&server_at, server_at_b) || send(fd, "GET /quit", 9, 0) != 9)
		return -1;
	pthread_join(server, NULL);
	close(fd);
	return close(server_fd);
}

/* --- Looks. --- */

struct looker {
	struct probe probe;
	unsigned changes, stop_after;
	bool well;
	char why[PROBE_WHY_B];
};

static struct loop loop;

static int setup(void **state)
{
	(void)state;
	return loop_init(&loop, 0);
}

static int teardown(void **state)
{
	(void)state;
	loop_fini(&loop);
	return 0;
}

static void changed(struct probe *p, bool well, const char *why)
{
	struct looker *k = container_of(p, struct looker, probe);
	k->well = well;
	snprintf(k->why, sizeof k->why, "%s", why);
	if (++k->changes == k->stop_after) {
		probe_fini(p);
		loop_stop(&loop);
	}
}

static void look(struct looker *k, const struct health_conf *h, unsigned stop_after)
{
	*k = (struct looker){ .stop_after = stop_after };
	loop.stopping = false;
	probe_init(&k->probe, &loop, h, STR("api.test:80"));
	k->probe.changed = changed;
	probe_start(&k->probe, &server_at, server_at_b);
}

static const struct row {
	const char *path;
	uint64_t status;
	const char *body;
	bool well;
	const char *why;
} ROWS[] = {
	{ "/ok", 0, "", true, "answered 200" },
	{ "/ok", 0, "ell", true, "answered with what it has to contain" },
	{ "/ok", 0, "help", false, "answered without \"help\"" },
	{ "/ok", 204, "", false, "answered 200" },
	{ "/old", 0, "", true, "answered 200" },
	{ "/created", 201, "", true, "answered 201" },
	{ "/moved", 0, "", true, "answered 302" },
	{ "/missing", 0, "", false, "answered 404" },
	{ "/missing", 404, "", true, "answered 404" },
	{ "/broken", 0, "hello", false, "answered 503" },
	{ "/early", 0, "hello", true, "answered with what it has to contain" },
	{ "/upgrade", 101, "", true, "answered 101" },
	{ "/field", 0, "hello", false, "answered without \"hello\"" },
	{ "/slow", 200, "hello", true, "answered with what it has to contain" },
	{ "/long", 200, "hello", false, "answered 65536 bytes without \"hello\"" },
	{ "/endless", 200, "", false, "does not answer in HTTP" },
	{ "/ssh", 0, "", false, "does not answer in HTTP" },
	{ "/two", 0, "", false, "does not answer in HTTP" },
	{ "/number", 0, "", false, "does not answer in HTTP" },
	{ "/minus", 0, "", false, "does not answer in HTTP" },
	{ "/short", 0, "", false, "closed the connection without an answer" },
	{ "/empty", 0, "", false, "closed the connection without an answer" },
	{ "/silent", 0, "", false, "did not answer within 300ms" },
};

static void one_look_says_why(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(ROWS); i++) {
		const struct row *row = &ROWS[i];
		struct health_conf h = { .on = true, .path = str_of(row->path), .status = row->status, .body = str_of(row->body),
		                         .every_ms = 10000, .timeout_ms = 300, .rise = 2, .fall = 3 };
		struct looker k;
		look(&k, &h, 1);
		loop_run(&loop);
		print_message("%s: %s\n", row->path, k.why);
		assert_string_equal(k.why, row->why);
		assert_int_equal(k.well, row->well);
	}
}

static void the_request_is_what_was_asked_for(void **state)
{
	struct health_conf h = { .on = true, .method = STR("HEAD"), .path = STR("/ok"), .every_ms = 10000, .timeout_ms = 300 };
	struct looker k;
	(void)state;
	look(&k, &h, 1);
	loop_run(&loop);
	assert_string_equal(seen, "HEAD /ok HTTP/1.1\r\nHost: api.test:80\r\nUser-Agent: petrel\r\nAccept: */*\r\n"
	                          "Connection: close\r\n\r\n");
	h.host = STR("www.test");
	look(&k, &h, 1);
	loop_run(&loop);
	assert_non_null(strstr(seen, "\r\nHost: www.test\r\n"));
}

static void rise_and_fall_are_counted(void **state)
{
	struct health_conf h = { .on = true, .path = STR("/flip"), .every_ms = 20, .timeout_ms = 300, .rise = 2, .fall = 3 };
	struct looker k;
	(void)state;
	flips = 0;
	look(&k, &h, 1);
	loop_run(&loop);
	assert_true(k.well);
	look(&k, &h, 2);
	k.probe.known = k.probe.well = true;
	flips = 1;
	k.changes = 1;
	loop_run(&loop);
	assert_false(k.well);
	assert_int_equal(k.probe.looks, 3);
	look(&k, &h, 1);
	k.probe.known = true;
	flips = 2;
	loop_run(&loop);
	assert_true(k.well);
	assert_int_equal(k.probe.looks, 2);
}

static void a_connection_may_be_enough(void **state)
{
	struct health_conf h = { .on = true, .tcp = true, .every_ms = 10000, .timeout_ms = 300 };
	struct sockaddr_storage nowhere = server_at;
	struct looker k;
	(void)state;
	look(&k, &h, 1);
	loop_run(&loop);
	assert_true(k.well);
	assert_string_equal(k.why, "can be connected to");
	look(&k, &h, 1);
	((struct sockaddr_in *)&nowhere)->sin_port = htons(1);
	probe_start(&k.probe, &nowhere, server_at_b);
	loop_run(&loop);
	assert_false(k.well);
	assert_string_equal(k.why, "can't be connected to: Connection refused");
}

static void a_probe_may_end_at_any_time(void **state)
{
	struct health_conf h = { .on = true, .path = STR("/silent"), .every_ms = 10000, .timeout_ms = 3000 };
	struct health_conf fast = { .on = true, .path = STR("/ok"), .every_ms = 10000, .timeout_ms = 3000 };
	struct looker silent, k;
	(void)state;
	probe_init(&silent.probe, &loop, &h, STR(""));
	probe_fini(&silent.probe);
	look(&silent, &h, 1);
	look(&k, &fast, 0);
	wheel_turn(&loop.wheel, loop.now_ms + 8);
	assert_int_equal(silent.probe.at, PROBE_CONNECT);
	probe_fini(&silent.probe);
	probe_fini(&k.probe);
	assert_int_equal(silent.changes, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(one_look_says_why), T(the_request_is_what_was_asked_for), T(rise_and_fall_are_counted),
		T(a_connection_may_be_enough), T(a_probe_may_end_at_any_time),
	};
	return cmocka_run_group_tests(tests, server_start, server_stop);
}
