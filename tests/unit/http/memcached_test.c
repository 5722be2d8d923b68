/* The memcached client: beside a real server, and beside ones that do what no server should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/memcached.h"
#include "real_memcached.h"

/* --- One thread has all: the loop that asks is the control thread's, too. --- */

enum { WAIT_MS = 10000 };  /* a pool's own deadline comes before */

static struct home home;
static struct memcacheds *all;
static struct log *log_of_all;

static int setup(void **state)
{
	(void)state;
	home = (struct home){};
	if (loop_init(&home.loop, 0) || log_new(&log_of_all, 1 << 16))
		return -1;
	all = memcacheds_new(&home.loop, 1, log_of_all);
	memcacheds_loop(all, 0, &home.loop);
	return 0;
}

static void stop_at(struct timer *t)
{
	(void)t;
	loop_stop(&home.loop);
}

static void run_ms(uint64_t ms)
{
	struct timer t;
	home.loop.stopping = false;
	timer_init(&t, stop_at);
	timer_set(&home.loop.wheel, &t, home.loop.now_ms + ms);
	loop_run(&home.loop);
	timer_stop(&t);
}

static void count_one(void *arg, struct memcached *m)
{
	(void)m;
	++*(unsigned *)arg;
}

/* Where a test failed its pools are left: what is said about that is not to be lost in what follows from it. */
static int teardown(void **state)
{
	unsigned left = 0;
	(void)state;
	/* Word goes to the loop and back, a turn each; on a busy machine a run may be one turn long. */
	for (unsigned i = 0; i < 4; i++)
		run_ms(5);
	memcacheds_each(all, count_one, &left);
	if (left)
		return 0;
	memcacheds_free(all);
	log_free(log_of_all);
	loop_fini(&home.loop);
	return 0;
}

static struct memcached *pool_of(uint16_t port, uint64_t timeout_ms)
{
	char text[32];
	snprintf(text, sizeof text, "127.0.0.1:%u", port);
	struct memcached_server_conf server = { str_of(text), 1 };
	struct memcached_conf conf = { .name = STR("test"), .servers = { &server, 1 }, .timeout_ms = timeout_ms };
	return memcached_get(all, &conf);
}

/* --- Somebody who asks. --- */

struct asker {
	struct task task;
	struct mc_op op;
	unsigned *left;
};

static void woken(struct task *t)
{
	struct asker *a = container_of(t, struct asker, task);
	if (--*a->left == 0)
		loop_stop(&home.loop);
}

static bool begin(struct asker *a, unsigned *left, struct memcached *m, const char *verb, struct str key, const char *flags)
{
	struct mc_request ask = { .verb = verb, .key = key, .flags = str_of(flags) };
	*a = (struct asker){ .left = left };
	task_init(&a->task, woken);
	a->op.task = &a->task;
	return memcached_ask(m, &home, &ask, &a->op, WAIT_MS);
}

static bool ask(struct asker *a, struct memcached *m, const char *verb, struct str key, const char *flags)
{
	unsigned left = 1;
	if (!begin(a, &left, m, verb, key, flags))
		return false;
	home.loop.stopping = false;
	loop_run(&home.loop);
	assert_int_not_equal(a->op.got, MC_WAITING);
	return true;
}

static void put(struct memcached *m, struct str key, const char *flags, unsigned ttl_s, struct str value)
{
	struct mc_request r = { .verb = "ms", .key = key, .flags = str_of(flags), .ttl_s = ttl_s, .parts = &value,
		                .part_count = 1 };
	memcached_tell(m, &home, &r);
}

static struct memcached_server_stats stats(struct memcached *m)
{
	struct memcached_server_stats s;
	memcached_stats(m, 0, &s);
	return s;
}

static void expect_text(struct asker *a, const char *value)
{
	assert_int_equal(a->op.got, MC_ANSWERED);
	assert_int_equal(a->op.answer.code, MC_VA);
	assert_int_equal(a->op.value.n, strlen(value));
	assert_memory_equal(a->op.value.p, value, strlen(value));
	mc_cancel(&a->op);
}

/* A connection is made in the background; until it stands nobody waits for it. */
static void ask_connected(struct asker *a, struct memcached *m, struct str key)
{
	for (unsigned i = 0; i < 1000; i++) {
		run_ms(10);
		if (ask(a, m, "mg", key, "v"))
			return;
	}
	fail_msg("there is no connection");
}

static void wait_connected(struct memcached *m)
{
	struct asker a;
	for (unsigned i = 0; i < 100; i++) {
		ask_connected(&a, m, STR("nothing"));
		mc_cancel(&a.op);
		if (a.op.got == MC_ANSWERED)
			return;
	}
	fail_msg("there is no answer");
}

static void what_is_stored_is_found(void **state)
{
	(void)state;
	uint16_t port = free_port();
	pid_t pid = real_up(port);
	struct memcached *m = pool_of(port, 5000);
	struct asker a;
	wait_connected(m);
	struct memcached_server_stats before = stats(m);
	assert_true(ask(&a, m, "mg", STR("k"), "v"));
	assert_int_equal(a.op.answer.code, MC_EN);
	put(m, STR("k"), "F7", 60, STR("value\r\nof two lines"));
	put(m, STR("with blanks \r\n and more"), "", 0, STR(""));
	assert_true(ask(&a, m, "mg", STR("k"), "t f c v"));
	assert_int_equal(a.op.answer.flags, 7);
	assert_in_range(a.op.answer.ttl_s, 58, 60);  /* seconds go on */
	expect_text(&a, "value\r\nof two lines");
	assert_true(ask(&a, m, "mg", STR("with blanks \r\n and more"), "k v"));
	expect_text(&a, "");
	memcached_tell_surely(m, &home, &(struct mc_request){ .verb = "md", .key = STR("k") });
	assert_true(ask(&a, m, "mg", STR("k"), "v"));
	assert_int_equal(a.op.answer.code, MC_EN);
	struct memcached_server_stats s = stats(m);
	assert_int_equal(s.gets - before.gets, 4);
	assert_int_equal(s.hits - before.hits, 2);
	assert_int_equal(s.misses - before.misses, 2);
	assert_int_equal(s.sets, 2);
	assert_int_equal(s.deletes, 1);
	assert_int_equal(s.kept, 0);
	assert_int_equal(s.state, BREAKER_CLOSED);
	memcached_put(m);
	real_end(pid);
}

static void many_are_asked_at_once(void **state)
{
	enum { MANY = 5000 };
	static struct asker askers[MANY];
	static char large[300000];
	(void)state;
	uint16_t port = free_port();
	pid_t pid = real_up(port);
	struct memcached *m = pool_of(port, 5000);
	unsigned left = MANY;
	char key[32];
	wait_connected(m);
	memset(large, 'x', sizeof large);
	for (unsigned i = 0; i < MANY; i += 2) {
		int n = snprintf(key, sizeof key, "key:%u", i);
		put(m, str_make(key, (size_t)n), "", 60, i % 1000 ? str_make(key, (size_t)n) : str_make(large, sizeof large));
	}
	for (unsigned i = 0; i < MANY; i++)
		assert_true(begin(&askers[i], &left, m, "mg", str_make(key, (size_t)snprintf(key, sizeof key, "key:%u", i)), "v"));
	home.loop.stopping = false;
	loop_run(&home.loop);
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(key, sizeof key, "key:%u", i);
		if (i % 2)
			assert_int_equal(askers[i].op.answer.code, MC_EN);
		else if (i % 1000)
			expect_text(&askers[i], key);
		else
			assert_int_equal(askers[i].op.value.n, sizeof large);
		mc_cancel(&askers[i].op);
	}
	memcached_put(m);
	real_end(pid);
}

static void who_leaves_early_gets_nothing(void **state)
{
	(void)state;
	uint16_t port = free_port();
	pid_t pid = real_up(port);
	struct memcached *m = pool_of(port, 5000);
	struct asker gone, a;
	unsigned left = 1;
	wait_connected(m);
	put(m, STR("k"), "", 0, STR("v"));
	assert_true(begin(&gone, &left, m, "mg", STR("k"), "v"));
	mc_cancel(&gone.op);
	assert_true(ask(&a, m, "mg", STR("k"), "v"));
	expect_text(&a, "v");
	assert_int_equal(left, 1);
	memcached_put(m);
	real_end(pid);
}

static void wait_for(struct memcached *m, enum breaker_state state, uint64_t most_ms)
{
	struct asker a;
	for (uint64_t ms = 0; stats(m).state != state && ms < most_ms; ms += 10) {
		run_ms(10);
		/* Who looks whether the ramp is over ends it. */
		if (ask(&a, m, "mg", STR("any"), ""))
			mc_cancel(&a.op);
	}
	assert_int_equal(stats(m).state, state);
}

static void a_server_dies_and_comes_back(void **state)
{
	(void)state;
	uint16_t port = free_port();
	pid_t pid = real_up(port);
	struct memcached *m = pool_of(port, 100);
	struct asker a;
	wait_connected(m);
	put(m, STR("k"), "", 0, STR("v"));
	run_ms(20);
	real_end(pid);
	wait_for(m, BREAKER_OPEN, 10000);
	assert_false(ask(&a, m, "mg", STR("k"), "v"));
	for (unsigned i = 0; i < MEMCACHED_KEPT_MOST + 5; i++)
		memcached_tell_surely(m, &home, &(struct mc_request){ .verb = "md", .key = i % 2 ? STR("k") : STR("l") });
	run_ms(10);
	assert_int_equal(stats(m).kept, MEMCACHED_KEPT_MOST);
	assert_int_equal(stats(m).kept_lost, 5);
	pid = real_up(port);
	wait_for(m, BREAKER_RAMP, 10000);
	assert_int_equal(stats(m).kept, 0);
	wait_for(m, BREAKER_CLOSED, 10000);
	assert_true(ask(&a, m, "mg", STR("k"), "v"));
	memcached_put(m);
	real_end(pid);
}

static void a_stopped_one_is_told_later(void **state)
{
	(void)state;
	uint16_t port = free_port();
	pid_t pid = real_up(port);
	struct memcached *m = pool_of(port, 100);
	struct asker a;
	wait_connected(m);
	put(m, STR("k"), "", 0, STR("v"));
	assert_true(ask(&a, m, "mg", STR("k"), "v"));
	expect_text(&a, "v");
	real_stop(pid);
	memcached_tell_surely(m, &home, &(struct mc_request){ .verb = "md", .key = STR("k") });
	/* What it was told may be late before what it is asked. */
	for (unsigned i = 0; i < BREAKER_LATE_MOST && stats(m).state == BREAKER_CLOSED; i++) {
		uint64_t from_ns = clock_ns();
		assert_true(ask(&a, m, "mg", STR("k"), "v"));
		assert_int_equal(a.op.got, MC_LATE);
		assert_true(clock_ns() - from_ns < 2000 * 1000000ull);
	}
	assert_int_equal(stats(m).state, BREAKER_OPEN);
	assert_int_equal(stats(m).why, BREAKER_LATE);
	for (unsigned i = 0; i < 100 && !stats(m).kept; i++)
		run_ms(100);
	assert_int_equal(stats(m).kept, 1);
	kill(pid, SIGCONT);
	wait_for(m, BREAKER_RAMP, 10000);
	wait_for(m, BREAKER_CLOSED, 10000);
	assert_true(ask(&a, m, "mg", STR("k"), "v"));
	assert_int_equal(a.op.answer.code, MC_EN);
	memcached_put(m);
	real_end(pid);
}

static void nobody_listens(void **state)
{
	(void)state;
	struct memcached *m = pool_of(free_port(), 20);
	struct asker a;
	run_ms(20);
	assert_false(ask(&a, m, "mg", STR("k"), "v"));
	assert_int_equal(stats(m).state, BREAKER_OPEN);
	assert_int_equal(stats(m).why, BREAKER_CONNECT);
	put(m, STR("k"), "", 0, STR("v"));
	memcached_put(m);
}

static void a_name_without_an_address_is_a_miss(void **state)
{
	(void)state;
	struct memcached_server_conf server = { STR("no.such.name.invalid:11211"), 1 };
	struct memcached_conf conf = { .name = STR("test"), .servers = { &server, 1 }, .timeout_ms = 20 };
	struct memcached *m = memcached_get(all, &conf);
	struct asker a;
	run_ms(20);
	assert_false(ask(&a, m, "mg", STR("k"), "v"));
	assert_int_equal(stats(m).why, BREAKER_UNKNOWN);
	assert_ptr_equal(memcached_get(all, &conf), m);
	memcached_put(m);
	memcached_put(m);
}

static void a_name_is_looked_up(void **state)
{
	(void)state;
	uint16_t port = free_port();
	pid_t pid = real_up(port);
	char text[32];
	snprintf(text, sizeof text, "localhost:%u", port);
	struct memcached_server_conf server = { str_of(text), 1 };
	struct memcached_conf conf = { .name = STR("test"), .servers = { &server, 1 }, .timeout_ms = 5000 };
	struct memcached *m = memcached_get(all, &conf);
	struct asker a;
	wait_for(m, BREAKER_CLOSED, 10000);
	wait_connected(m);
	assert_true(ask(&a, m, "mg", STR("k"), "v"));
	assert_int_equal(a.op.answer.code, MC_EN);
	memcached_put(m);
	real_end(pid);
}

static void the_gutter_serves_meanwhile(void **state)
{
	(void)state;
	uint16_t port = free_port();
	pid_t pid = real_up(port);
	char text[32];
	snprintf(text, sizeof text, "127.0.0.1:%u", port);
	struct memcached_server_conf dead = { STR("127.0.0.1:1"), 1 }, well = { str_of(text), 1 };
	struct memcached_conf gutter = { .name = STR("gutter"), .servers = { &well, 1 }, .timeout_ms = 5000 };
	struct memcached_conf conf = { .name = STR("test"), .servers = { &dead, 1 }, .timeout_ms = 5000, .gutter = &gutter };
	struct memcached *m = memcached_get(all, &conf);
	struct asker a;
	wait_connected(m);
	put(m, STR("k"), "", 3600, STR("v"));
	assert_true(ask(&a, m, "mg", STR("k"), "t v"));
	assert_in_range(a.op.answer.ttl_s, 50, MEMCACHED_GUTTER_S);
	expect_text(&a, "v");
	memcached_tell_surely(m, &home, &(struct mc_request){ .verb = "md", .key = STR("k") });
	assert_true(ask(&a, m, "mg", STR("k"), "t v"));
	assert_int_equal(a.op.answer.code, MC_EN);
	memcached_put(m);
	run_ms(20);
	real_end(pid);
}

/* --- Ones that lie. --- */

/* What a server says to the first thing that it is asked; %O is the opaque, and "|" means that it closes there. */
static const struct lie {
	const char *text;
	enum mc_got got;
	enum breaker_state state;
	enum breaker_why why;
} LIES[] = {
	{ "HD O%O\r\n", MC_ANSWERED, BREAKER_CLOSED, BREAKER_NEVER },
	{ "EN\r\n", MC_ANSWERED, BREAKER_CLOSED, BREAKER_NEVER },
	{ "SERVER_ERROR out of memory\r\n", MC_ANSWERED, BREAKER_CLOSED, BREAKER_NEVER },
	{ "VA 3 O%O\r\nabc\r\n", MC_ANSWERED, BREAKER_CLOSED, BREAKER_NEVER },
	{ "VA 3 O1\r\nabc\r\n", MC_LOST, BREAKER_OPEN, BREAKER_NONSENSE },
	{ "VA 3 O%O\r\nabcd\r\n", MC_LOST, BREAKER_OPEN, BREAKER_NONSENSE },
	{ "VA 3 O%O\r\nab\r\n|", MC_LOST, BREAKER_OPEN, BREAKER_NONSENSE },
	{ "VA 300 O%O\r\nab|", MC_LOST, BREAKER_OPEN, BREAKER_END },
	{ "VA -3 O%O\r\n", MC_LOST, BREAKER_OPEN, BREAKER_NONSENSE },
	{ "VA 99999999999999999999 O%O\r\n", MC_LOST, BREAKER_OPEN, BREAKER_NONSENSE },
	{ "VA O%O\r\n", MC_LOST, BREAKER_OPEN, BREAKER_NONSENSE },
	{ "HD\r\n", MC_LOST, BREAKER_OPEN, BREAKER_NONSENSE },
	{ "HD O%O q7\r\n", MC_LOST, BREAKER_OPEN, BREAKER_NONSENSE },
	{ "HD O%O\r\nHD O7\r\n", MC_ANSWERED, BREAKER_OPEN, BREAKER_NONSENSE },
	{ "hello\r\n", MC_LOST, BREAKER_OPEN, BREAKER_NONSENSE },
	{ "ERROR\r\n", MC_ANSWERED, BREAKER_OPEN, BREAKER_NONSENSE },
	{ "\r\n", MC_LOST, BREAKER_OPEN, BREAKER_NONSENSE },
	{ "HD O%O\n", MC_LOST, BREAKER_OPEN, BREAKER_NONSENSE },
	{ "HTTP/1.1 400 Bad Request\r\n\r\n", MC_LOST, BREAKER_OPEN, BREAKER_NONSENSE },
	{ "|", MC_LOST, BREAKER_OPEN, BREAKER_END },
	{ "H|", MC_LOST, BREAKER_OPEN, BREAKER_END },
	{ "", MC_LATE, BREAKER_CLOSED, BREAKER_NEVER },
	{ "VA 300 O%O\r\nabc", MC_LATE, BREAKER_CLOSED, BREAKER_NEVER },
	{ "~", MC_LATE, BREAKER_CLOSED, BREAKER_NEVER },
};

static struct liar {
	int fd;
	const struct lie *lie;
	uint16_t port;
	pthread_t thread;
} liar;

/* A byte each five milliseconds, of a line that never ends. */
static void trickle(int fd)
{
	while (send(fd, "A", 1, MSG_NOSIGNAL) == 1)
		poll(NULL, 0, 5);
}

static void lie_to(int fd, const char *asked)
{
	const char *opaque = strstr(asked, " O");
	char text[256] = "";
	for (const char *z = liar.lie->text; *z && *z != '|'; z++)
		if (z[0] == '%' && *++z == 'O')
			strncat(text, opaque + 2, strspn(opaque + 2, "0123456789"));
		else
			strncat(text, z, 1);
	if (text[0] == '~')
		trickle(fd);
	else
		send(fd, text, strlen(text), MSG_NOSIGNAL);
	if (!strchr(liar.lie->text, '|'))
		poll(&(struct pollfd){ .fd = fd, .events = POLLRDHUP }, 1, 3000);
}

static void *lies(void *arg)
{
	char asked[2048];
	(void)arg;
	int fd = accept(liar.fd, NULL, NULL);
	ssize_t n = recv(fd, asked, sizeof asked - 1, 0);
	asked[n > 0 ? n : 0] = '\0';
	if (n > 0)
		lie_to(fd, asked);
	close(fd);
	return NULL;
}

static void liar_start(const struct lie *lie)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof at;
	liar = (struct liar){ .fd = socket(AF_INET, SOCK_STREAM, 0), .lie = lie };
	assert_int_equal(bind(liar.fd, (struct sockaddr *)&at, sizeof at) || listen(liar.fd, 1), 0);
	assert_int_equal(getsockname(liar.fd, (struct sockaddr *)&at, &n), 0);
	liar.port = ntohs(at.sin_port);
	assert_int_equal(pthread_create(&liar.thread, NULL, lies, NULL), 0);
}

static void lies_are_misses(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(LIES); i++) {
		const struct lie *lie = &LIES[i];
		struct asker a;
		print_message("%s\n", lie->text);
		liar_start(lie);
		struct memcached *m = pool_of(liar.port, 250);
		ask_connected(&a, m, STR("k"));
		assert_int_equal(a.op.got, lie->got);
		run_ms(5);
		assert_int_equal(stats(m).state, lie->state);
		assert_int_equal(stats(m).why, lie->why);
		mc_cancel(&a.op);
		close(liar.fd);
		memcached_put(m);
		run_ms(5);
		pthread_join(liar.thread, NULL);
	}
}

/* Silence for so long is enough, even where nobody asks often. */
static void silence_ends_a_connection(void **state)
{
	static const struct lie SILENT = { "", MC_LATE, BREAKER_OPEN, BREAKER_LATE };
	struct asker a;
	(void)state;
	liar_start(&SILENT);
	struct memcached *m = pool_of(liar.port, 20);
	ask_connected(&a, m, STR("k"));
	assert_int_equal(a.op.got, MC_LATE);
	run_ms(1100);
	assert_int_equal(stats(m).state, BREAKER_OPEN);
	assert_int_equal(stats(m).why, BREAKER_LATE);
	close(liar.fd);
	memcached_put(m);
	run_ms(5);
	pthread_join(liar.thread, NULL);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_is_stored_is_found), T(many_are_asked_at_once), T(who_leaves_early_gets_nothing),
		T(a_server_dies_and_comes_back), T(a_stopped_one_is_told_later), T(nobody_listens),
		T(a_name_without_an_address_is_a_miss), T(a_name_is_looked_up), T(the_gutter_serves_meanwhile), T(lies_are_misses),
		T(silence_ends_a_connection),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
