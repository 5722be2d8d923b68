/* Applications as machines: what is asked of the spawner, and which servers the pool has, when processes crash, are due,
 * are wanted or not.  The test is the spawner and the loop, and its clock jumps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "base/mem.h"
#include "config/build.h"
#include "control/apps.h"
#include "event/packet.h"
#include "event/spawn.h"
#include "http/backend.h"
#include "http/core.h"

static struct loop loop;             /* the control thread's */
static struct mailbox station;       /* of the one loop that serves */
static struct log *logs;
static struct epoch *epoch;
static struct pools *pools;
static struct apps *apps;
static int spawner;                  /* our end */
static struct spawn_received heard;
static pid_t last_pid;

static struct conf *conf_of(const char *text)
{
	static const struct module *const HERE[] = { &CORE, &BACKENDS };
	struct sources s = {};
	struct messages m = {};
	struct buf out = {};
	struct conf *c = NULL;
	sources_from_text(&s, STR("t"), STR("/"), str_of(text));
	int err = conf_build(&s, HERE, countof(HERE), false, &m, &c);
	messages_print(&m, false, &out);
	if (err)
		fail_msg("%s\n%.*s", text, STR_F(buf_str(&out)));
	buf_fini(&out);
	messages_fini(&m);
	sources_fini(&s);
	return c;
}

/* --- The loop, a turn at a time. --- */

static void turn(void)
{
	struct epoll_event events[16];
	int n = epoll_wait(loop.epoll_fd, events, 16, 0);
	for (int i = 0; i < n; i++)
		((struct watch *)events[i].data.ptr)->ready(events[i].data.ptr, events[i].events);
	mailbox_open(&station);
	mailbox_open(&loop.mailbox);
	wheel_turn(&loop.wheel, loop.now_ms);
	while (!link_alone(&loop.tasks)) {
		struct task *t = (struct task *)loop.tasks.next;
		link_del(&t->link);
		t->run(t);
	}
}

/* Time goes by, as finely as timers go. */
static void walk(uint64_t ms)
{
	for (uint64_t until_ms = loop.now_ms + ms; loop.now_ms < until_ms;) {
		loop.now_ms += ms < 10 ? 1 : 5;
		turn();
	}
	turn();
}

/* --- The spawner. --- */

static int hear(void)
{
	turn();
	int err = spawn_receive(spawner, &heard);
	/* Looks may come at any time. */
	while (!err && heard.m.kind == SPAWN_LOOK)
		err = spawn_receive(spawner, &heard);
	return err;
}

static void nothing(void)
{
	int err = hear();
	if (err != -EAGAIN)
		fail_msg("heard %d, number %d", heard.m.kind, (int)heard.m.number);
}

/* The next message is a start; its id.  The socket is kept in *fd where that is asked for. */
static uint64_t wants_start(int *fd)
{
	assert_int_equal(hear(), 0);
	assert_int_equal(heard.m.kind, SPAWN_START);
	if (fd)
		*fd = spawn_take_fd(&heard, 0);
	spawn_drop_fds(&heard);
	return heard.m.id;
}

static void wants_signal(uint64_t id, int number)
{
	assert_int_equal(hear(), 0);
	assert_int_equal(heard.m.kind, SPAWN_SIGNAL);
	assert_int_equal(heard.m.id, id);
	assert_int_equal(heard.m.number, number);
}

static void say(struct spawn_message m)
{
	assert_int_equal(spawn_send(spawner, &m, NULL, 0, false), 0);
	turn();
}

static void started(uint64_t id)
{
	say((struct spawn_message){ .kind = SPAWN_STARTED, .id = id, .number = ++last_pid });
}

static void ended(uint64_t id, int status)
{
	say((struct spawn_message){ .kind = SPAWN_ENDED, .id = id, .number = status });
}

/* --- The pool. --- */

static void add_name(void *arg, struct pool *pool, struct peer *peer)
{
	struct buf *out = arg;
	(void)pool;
	buf_addf(out, "%s%.*s", out->n ? " " : "", STR_F(peer->name));
}

static void serve(const char *names)
{
	struct buf out = {};
	struct pool *pool = pool_get(pools, STR("php"));
	pool_each(pool, add_name, &out);
	pool_put(pool);
	if (!str_eq(buf_str(&out), str_of(names)))
		fail_msg("\"%.*s\" serve, not \"%s\"", STR_F(buf_str(&out)), names);
	buf_fini(&out);
}

/* Takes a slot of one of them. */
static struct peer *ask(void)
{
	struct peer *peer;
	struct pick pick = { .now_ms = loop.now_ms };
	struct pool *pool = pool_get(pools, STR("php"));
	enum picked picked = pool_pick(pool, &pick, &peer);
	pool_put(pool);
	assert_int_equal(picked, PICKED);
	return peer;
}

static void answer(struct peer *peer)
{
	peer_leave(peer->pool, peer, OUTCOME_GOOD, 0, loop.now_ms);
}

static void have_requests(int count)
{
	while (count--)
		answer(ask());
}

/* --- Beginning and end. --- */

static void new_spawner(void)
{
	int ends[2];
	assert_int_equal(packet_pair(ends), 0);
	spawner = ends[1];
	apps_spawner(apps, ends[0]);
}

static void configure(const char *app)
{
	char text[512];
	snprintf(text, sizeof text, "%s site * { }", app);
	struct conf *c = conf_of(text);
	struct pool *pool = pool_get(pools, STR("php"));
	pool_set_rules(pool, &(struct pool_rules){ .queue = 100 });
	apps_conf(apps, c);
	pool_put(pool);
	conf_free(c);
	turn();
}

static int set_up(void **state)
{
	(void)state;
	last_pid = 4000;
	epoch = epoch_new();
	pools = pools_new(epoch, 1);
	assert_int_equal(loop_init(&loop, 0), 0);
	assert_int_equal(mailbox_init(&station), 0);
	pools_loop(pools, 0, &station);
	assert_int_equal(log_new(&logs, 1 << 16), 0);
	apps = apps_new(&loop, log_ring_new(logs), pools, epoch);
	new_spawner();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		turn();
	apps_free(apps);
	pools_free(pools);
	epoch_free(epoch);
	loop_fini(&loop);
	mailbox_fini(&station);
	log_free(logs);
	close(spawner);
	spawn_received_fini(&heard);
	heard = (struct spawn_received){};
	return 0;
}

#define PHP "app php { command php-cgi; "

static uint64_t one_runs(const char *conf)
{
	configure(conf);
	uint64_t id = wants_start(NULL);
	started(id);
	serve("php/1");
	nothing();
	return id;
}

/* --- Tests. --- */

static void the_least_number_runs_at_once(void **state)
{
	(void)state;
	int fd;
	configure(PHP "processes 2..4; }");
	uint64_t first = wants_start(&fd), second = wants_start(NULL);
	assert_true(str_eq(heard.m.name, STR("php")));
	assert_int_equal(heard.m.number, 0);
	assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	nothing();
	serve("");
	started(first);
	serve("php/1");
	started(second);
	serve("php/1 php/2");
	struct peer *peer = ask();
	int client = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&peer->addr, peer->addr_b), 0);
	int server = accept(fd, NULL, NULL);
	assert_true(server >= 0);
	answer(peer);
	close(server);
	close(client);
	close(fd);
}

static void a_crash_is_followed_by_a_start_in_the_same_place(void **state)
{
	(void)state;
	int fd, again;
	struct stat a, b;
	configure(PHP "processes 1; }");
	uint64_t id = wants_start(&fd);
	started(id);
	have_requests(3);
	ended(id, SIGSEGV);
	serve("php/1");
	uint64_t next = wants_start(&again);
	assert_true(next != id);
	assert_int_equal(fstat(fd, &a) | fstat(again, &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	close(fd);
	close(again);
	started(next);
	serve("php/1");
}

static void crash_after_crash_waits_longer(void **state)
{
	(void)state;
	static const uint64_t WAITS_MS[] = { 100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000 };
	uint64_t id = one_runs(PHP "processes 1; }");
	ended(id, 1 << 8);
	for (size_t i = 0; i < countof(WAITS_MS); i++) {
		id = wants_start(NULL);
		started(id);
		serve("php/1");
		ended(id, 1 << 8);
		serve("");
		walk(WAITS_MS[i] - 20);
		nothing();
		walk(40);
	}
	/* A long life forgives. */
	started(wants_start(NULL));
	walk(11000);
	ended(heard.m.id, SIGKILL);
	serve("php/1");
	wants_start(NULL);
}

static void one_that_ends_after_its_work_has_not_failed(void **state)
{
	(void)state;
	uint64_t id = one_runs(PHP "processes 1; }");
	for (int i = 0; i < 5; i++) {
		have_requests(1);
		ended(id, 0);
		id = wants_start(NULL);
		started(id);
		serve("php/1");
	}
}

static void what_can_not_be_started_is_tried_again(void **state)
{
	(void)state;
	configure(PHP "processes 1; }");
	uint64_t id = wants_start(NULL);
	say((struct spawn_message){ .kind = SPAWN_FAILED, .id = id, .number = EAGAIN, .text = STR("can't make a process") });
	nothing();
	walk(120);
	started(wants_start(NULL));
	serve("php/1");
}

static void a_process_that_is_due_is_replaced_before_it_ends(void **state)
{
	(void)state;
	uint64_t id = one_runs(PHP "processes 1; recycle requests 5; stop_timeout 2s; }");
	walk(2000);
	struct peer *slow = ask();
	answer(slow), have_requests(3);
	slow = ask();
	walk(1100);
	uint64_t next = wants_start(NULL);
	serve("php/1");
	started(next);
	serve("php/2");
	walk(5000);
	nothing();
	answer(slow);
	walk(60);
	wants_signal(id, SIGTERM);
	walk(1900);
	nothing();
	walk(150);
	wants_signal(id, SIGKILL);
	ended(id, SIGKILL);
	walk(3000);
	nothing();
	serve("php/2");
}

/* A tunnel, say. */
static void a_process_that_never_gets_done_is_ended(void **state)
{
	(void)state;
	uint64_t id = one_runs(PHP "processes 1; recycle requests 1; drain_timeout 10s; }");
	struct peer *tunnel = ask();
	walk(1100);
	uint64_t next = wants_start(NULL);
	started(next);
	walk(400);
	serve("php/2");
	walk(9500);
	nothing();
	walk(600);
	wants_signal(id, SIGTERM);
	ended(id, SIGTERM);
	answer(tunnel);
	walk(3000);
	nothing();
	serve("php/2");
}

static void memory_and_descriptors_are_looked_at(void **state)
{
	(void)state;
	static const struct {
		uint64_t memory_b, descriptors;
		bool due;
	} ROWS[] = { { 1000, 10, false }, { 64 << 20, 10, true }, { 1000, 100, true } };
	for (size_t i = 0; i < countof(ROWS); i++) {
		if (i)
			set_up(state);
		uint64_t id = one_runs(PHP "processes 1; recycle memory 64m descriptors 100; }");
		say((struct spawn_message){ .kind = SPAWN_SEEN, .id = id, .memory_b = ROWS[i].memory_b,
		                            .descriptors = ROWS[i].descriptors });
		walk(1100);
		if (ROWS[i].due)
			wants_start(NULL);
		else
			nothing();
		if (i < countof(ROWS) - 1)
			tear_down(state);
	}
}

static int looks(void)
{
	int count = 0;
	while (spawn_receive(spawner, &heard) == 0)
		count += heard.m.kind == SPAWN_LOOK;
	return count;
}

/* One that has much to do may grow fast. */
static void the_busy_are_looked_at_more_often(void **state)
{
	(void)state;
	int quiet, busy;
	one_runs(PHP "processes 1; recycle memory 64m; }");
	looks();
	for (int i = 0; i < 10; i++) {
		have_requests(1);
		walk(100);
	}
	quiet = looks();
	for (int i = 0; i < 10; i++) {
		have_requests(200);
		walk(100);
	}
	busy = looks();
	assert_in_range(quiet, 1, 5);
	assert_in_range(busy, 8, 11);
}

static void age_ends_processes_one_after_the_other(void **state)
{
	(void)state;
	uint64_t ids[6];
	configure(PHP "processes 3; recycle age 1m; }");
	for (int i = 0; i < 3; i++)
		ids[i] = wants_start(NULL);
	for (int i = 0; i < 3; i++)
		started(ids[i]);
	serve("php/1 php/2 php/3");
	walk(61000);
	ids[3] = wants_start(NULL);
	nothing();
	for (int i = 0; i < 3; i++) {
		started(ids[3 + i]);
		if (i < 2)
			ids[4 + i] = wants_start(NULL);
		walk(60);
		wants_signal(ids[i], SIGTERM);
		ended(ids[i], 0);
	}
	serve("php/4 php/5 php/6");
	nothing();
}

/* Whoever waits in the queue. */
static void served(struct mail *m)
{
	struct pool_waiter *w = container_of(m, struct pool_waiter, mail);
	answer(w->peer);
	w->peer = NULL;
}

static void wait_in_queue(struct pool_waiter *w)
{
	struct pool *pool = pool_get(pools, STR("php"));
	*w = (struct pool_waiter){ .mail.deliver = served, .to = &station, .pick.now_ms = loop.now_ms };
	enum waits waits = pool_wait(pool, w);
	pool_put(pool);
	assert_int_equal(waits, WAITS_QUEUED);
}

static void who_waits_makes_it_grow_and_quiet_makes_it_shrink(void **state)
{
	(void)state;
	struct pool_waiter waiters[5];
	uint64_t first = one_runs(PHP "processes 1..3; recycle idle 10s; }");
	struct peer *busy = ask();
	wait_in_queue(&waiters[0]);
	uint64_t second = wants_start(NULL);
	nothing();
	for (int i = 1; i < 5; i++)
		wait_in_queue(&waiters[i]);
	walk(120);
	nothing();
	/* It takes the first of them, and the others still wait. */
	started(second);
	uint64_t third = wants_start(NULL);
	started(third);
	turn();
	answer(busy);
	walk(9000);
	nothing();
	walk(5000);
	wants_signal(first, SIGTERM);
	ended(first, 0);
	walk(3000);
	assert_int_equal(hear(), 0);
	assert_true(heard.m.kind == SPAWN_SIGNAL && (heard.m.id == second || heard.m.id == third));
	serve(heard.m.id == third ? "php/2" : "php/3");
	ended(heard.m.id, 0);
	walk(5000);
	nothing();
}

/* One that can't be started keeps no others from being, as long as more of them run. */
static void it_grows_past_one_that_backs_off(void **state)
{
	(void)state;
	struct pool_waiter waiter;
	uint64_t ids[3];
	configure(PHP "processes 3..6; }");
	for (int i = 0; i < 3; i++)
		ids[i] = wants_start(NULL);
	for (int i = 0; i < 3; i++)
		started(ids[i]);
	struct peer *busy[] = { ask(), ask() };
	ended(ids[2], 1 << 8);
	uint64_t id = wants_start(NULL);
	started(id);
	ended(id, 1 << 8);
	serve("php/1 php/2");
	wait_in_queue(&waiter);
	id = wants_start(NULL);
	started(id);
	serve("php/1 php/2 php/4");
	turn();
	assert_null(waiter.peer);
	answer(busy[0]);
	answer(busy[1]);
}

static void none_until_there_is_a_request(void **state)
{
	(void)state;
	struct pool_waiter waiter;
	configure(PHP "processes 0..2; recycle idle 5s; }");
	walk(3000);
	nothing();
	wait_in_queue(&waiter);
	uint64_t id = wants_start(NULL);
	started(id);
	turn();
	assert_null(waiter.peer);
	walk(7000);
	wants_signal(id, SIGTERM);
	serve("");
}

static void a_changed_command_replaces_processes_and_nothing_else_does(void **state)
{
	(void)state;
	uint64_t id = one_runs(PHP "processes 1..2; env A 1; }");
	configure(PHP "processes 1..2; env A 1; recycle age 1h; }");
	nothing();
	configure(PHP "processes 1..2; env A 2; }");
	uint64_t next = wants_start(NULL);
	started(next);
	/* It may die of its first breath: then the old one goes on. */
	ended(next, 1 << 8);
	serve("php/1 php/2");
	next = wants_start(NULL);
	started(next);
	ended(next, 1 << 8);
	serve("php/1");
	walk(150);
	next = wants_start(NULL);
	started(next);
	walk(400);
	wants_signal(id, SIGTERM);
	serve("php/2");
}

static void an_app_that_is_removed_finishes_first(void **state)
{
	(void)state;
	uint64_t id = one_runs(PHP "processes 1; }");
	struct peer *slow = ask();
	configure("");
	serve("");
	walk(1000);
	nothing();
	/* It comes back before the last one is gone. */
	configure(PHP "processes 1; }");
	uint64_t next = wants_start(NULL);
	started(next);
	serve("php/2");
	answer(slow);
	walk(60);
	wants_signal(id, SIGTERM);
	ended(id, 0);
	nothing();
}

static void a_lost_spawner_takes_all_with_it(void **state)
{
	(void)state;
	configure(PHP "processes 2; }");
	uint64_t a = wants_start(NULL), b = wants_start(NULL);
	started(a), started(b);
	serve("php/1 php/2");
	close(spawner);
	turn();
	serve("");
	walk(500);
	new_spawner();
	a = wants_start(NULL), b = wants_start(NULL);
	nothing();
	started(a), started(b);
	serve("php/1 php/2");
}

static void a_port_is_tried_until_somebody_listens(void **state)
{
	(void)state;
	configure("app php { command x; protocol http; processes 1; start_timeout 3s; stop_timeout 1s; }");
	uint64_t id = wants_start(NULL);
	uint16_t port = (uint16_t)heard.m.number;
	assert_true(port > 1024);
	started(id);
	walk(500);
	serve("");
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at) | listen(fd, 5), 0);
	walk(50);
	serve("php/1");
	close(fd);
	ended(id, SIGKILL);
	serve("");
	/* This one never listens. */
	id = wants_start(NULL);
	started(id);
	walk(3050);
	wants_signal(id, SIGTERM);
	nothing();
	ended(id, SIGTERM);
	walk(50);
	nothing();
	walk(100);
	wants_start(NULL);
}

static void the_listing_is_json(void **state)
{
	(void)state;
	struct buf out = {};
	uint64_t id = one_runs(PHP "processes 1; }");
	have_requests(7);
	ended(id, SIGSEGV);
	started(wants_start(NULL));
	have_requests(2);
	apps_print(apps, &out);
	json_t *all = json_loadb(out.p, out.n, 0, NULL), *app = json_array_get(all, 0), *list, *end;
	const char *name, *state_name, *text;
	int pid, requests, restarts;
	if (json_unpack(app, "{s:s, s:i, s:o, s:o}", "name", &name, "restarts", &restarts, "processes", &list, "last_end",
	                &end))
		fail_msg("%.*s", STR_F(buf_str(&out)));
	assert_string_equal(name, "php");
	assert_int_equal(restarts, 1);
	assert_int_equal(json_unpack(json_array_get(list, 0), "{s:i, s:s, s:i}", "pid", &pid, "state", &state_name, "requests",
	                             &requests), 0);
	assert_int_equal(pid, 4002);
	assert_string_equal(state_name, "ready");
	assert_int_equal(requests, 2);
	assert_int_equal(json_unpack(end, "{s:s}", "text", &text), 0);
	assert_string_equal(text, "process 4001 (php/1) was killed by SIGSEGV after 0.0 s and 7 requests");
	json_decref(all);
	buf_fini(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest TESTS[] = {
		TEST(the_least_number_runs_at_once),
		TEST(a_crash_is_followed_by_a_start_in_the_same_place),
		TEST(crash_after_crash_waits_longer),
		TEST(one_that_ends_after_its_work_has_not_failed),
		TEST(what_can_not_be_started_is_tried_again),
		TEST(a_process_that_is_due_is_replaced_before_it_ends),
		TEST(a_process_that_never_gets_done_is_ended),
		TEST(memory_and_descriptors_are_looked_at),
		TEST(the_busy_are_looked_at_more_often),
		TEST(age_ends_processes_one_after_the_other),
		TEST(who_waits_makes_it_grow_and_quiet_makes_it_shrink),
		TEST(it_grows_past_one_that_backs_off),
		TEST(none_until_there_is_a_request),
		TEST(a_changed_command_replaces_processes_and_nothing_else_does),
		TEST(an_app_that_is_removed_finishes_first),
		TEST(a_lost_spawner_takes_all_with_it),
		TEST(a_port_is_tried_until_somebody_listens),
		TEST(the_listing_is_json),
	};
	return cmocka_run_group_tests(TESTS, NULL, NULL);
}
