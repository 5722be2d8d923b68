/* The keeper: what becomes of `server` lines, names, health checks and the operator's changes, seen as the pool's peers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "../net/name_server.h"
#include "base/clock.h"
#include "config/build.h"
#include "control/keeper.h"
#include "http/core.h"

static const struct module *const MODULES_HERE[] = { &CORE, &BACKENDS };

static const struct record BEFORE[] = {
	{ "one.test", A, 60, "127.0.0.5" },
	{ "two.test", A, 1, "127.0.0.6" },
	{ "two.test", A, 1, "127.0.0.7" },
	{ "moves.test", A, 1, "127.0.0.8" },
	{ "leaves.test", A, 1, "127.0.0.9" },
	{ "_x._tcp.test", SRV, 1, "1 1 8001 one.test" },
	{ "_x._tcp.test", SRV, 1, "1 3 8002 one.test" },
	{ "_x._tcp.test", SRV, 1, "2 60000 8003 one.test" },
	{},
};

static const struct record AFTER[] = {
	{ "one.test", A, 60, "127.0.0.5" },
	{ "two.test", A, 1, "127.0.0.7" },
	{ "two.test", A, 1, "127.0.0.17" },
	{ "moves.test", A, 1, "127.0.0.18" },
	{ "comes.test", A, 60, "127.0.0.19" },
	{ "_x._tcp.test", SRV, 1, "1 1 8001 one.test" },
	{},
};

static int start(void **state)
{
	(void)state;
	return server_start(BEFORE);
}

static int stop(void **state)
{
	(void)state;
	return server_stop();
}

/* --- The worker in little. --- */

static struct loop loop;
static struct epoch *epoch;
static struct pools *pools;
static struct log *logs;
static struct keeper *keeper;
static struct buf seen, why;

static int setup(void **state)
{
	char servers[32];
	(void)state;
	server_records = BEFORE;
	if (loop_init(&loop, 0) || log_new(&logs, 1 << 16))
		return -1;
	epoch = epoch_new();
	pools = pools_new(epoch, 1);
	snprintf(servers, sizeof servers, "127.0.0.1:%u", server_port);
	keeper = keeper_new(&loop, pools, log_ring_new(logs), str_of(servers));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	keeper_free(keeper);
	pools_free(pools);
	epoch_free(epoch);
	log_free(logs);
	loop_fini(&loop);
	buf_fini(&seen);
	buf_fini(&why);
	return 0;
}

static void adopt(const char *text)
{
	struct sources s = {};
	struct messages m = {};
	struct conf *c = NULL;
	sources_from_text(&s, STR("t"), STR("/"), str_of(text));
	assert_int_equal(conf_build(&s, MODULES_HERE, countof(MODULES_HERE), false, &m, &c), 0);
	messages_fini(&m);
	sources_fini(&s);
	keeper_adopt(keeper, c, true);
	conf_free(c);
}

static void see(void *arg, struct pool *pool, struct peer *p)
{
	static const char *const STATES[] = { "drain", "down", "sick", "ejected", "unresolved" };
	struct buf *out = arg;
	struct addr a = { .length = p->addr_b, .storage = p->addr };
	(void)pool;
	buf_addf(out, "%s%.*s", out->n ? " " : "", STR_F(p->name));
	if (p->addr_b) {
		buf_add_char(out, '@');
		addr_print(out, &a);
	}
	if (p->weight != 1 || p->connections)
		buf_addf(out, "=%u/%u", (unsigned)p->weight, (unsigned)p->connections);
	if (p->backup)
		buf_add_char(out, '!');
	for (size_t i = 0; i < countof(STATES); i++)
		if (p->state >> i & 1)
			buf_addf(out, ",%s", STATES[i]);
}

static const char *shape(const char *name)
{
	struct pool *pool = pool_get(pools, str_of(name));
	buf_clear(&seen);
	pool_each(pool, see, &seen);
	buf_add_char(&seen, '\0');
	pool_put(pool);
	return seen.p;
}

struct waiting {
	struct timer timer;
	const char *pool, *text;
	uint64_t until_ms;
};

static void look(struct timer *t)
{
	struct waiting *w = container_of(t, struct waiting, timer);
	epoch_reap(epoch);
	if (strcmp(shape(w->pool), w->text) == 0 || loop.now_ms > w->until_ms)
		loop_stop(&loop);
	else
		timer_set(&loop.wheel, t, loop.now_ms + 10);
}

/* Within five seconds the pool's servers are these. */
static void becomes(const char *pool, const char *text)
{
	struct waiting w = { .pool = pool, .text = text, .until_ms = clock_ms() + 5000 };
	timer_init(&w.timer, look);
	timer_set(&loop.wheel, &w.timer, loop.now_ms);
	loop.stopping = false;
	loop_run(&loop);
	assert_string_equal(shape(pool), text);
}

static struct peer *peer(const char *pool, const char *name)
{
	struct pool *p = pool_get(pools, str_of(pool));
	struct peer *peer = pool_find(p, str_of(name));
	pool_put(p);
	assert_non_null(peer);
	return peer;
}

/* --- The configuration. --- */

static void servers_as_configured(void **state)
{
	(void)state;
	adopt("pool api { server 10.0.0.1:9000 weight 2 connections 100; server unix:/run/x.sock; server [::1]:80 backup;\n"
	      "balance hash $path; queue 7; eject 4 for 2s; retry_budget 9%; slow_start 3s; }");
	assert_string_equal(shape("api"), "10.0.0.1:9000@10.0.0.1:9000=2/100 unix:/run/x.sock@unix:/run/x.sock "
	                                  "[::1]:80@[::1]:80!");
	struct pool *pool = pool_get(pools, STR("api"));
	struct pool_rules r = pool_rules(pool);
	pool_put(pool);
	assert_true(r.balance == BALANCE_HASH && r.queue == 7 && r.eject_after == 4 && r.eject_ms == 2000);
	assert_true(r.retry_percent == 9 && r.slow_start_ms == 3000);
	struct peer *first = peer("api", "10.0.0.1:9000");
	adopt("pool api { server 10.0.0.2:9000; server 10.0.0.1:9000 weight 3; }");
	assert_string_equal(shape("api"), "10.0.0.2:9000@10.0.0.2:9000 10.0.0.1:9000@10.0.0.1:9000=3/0");
	assert_ptr_equal(peer("api", "10.0.0.1:9000"), first);
}

static void see_name(void *arg, struct pool *pool)
{
	buf_addf(arg, "%.*s ", STR_F(pool_name(pool)));
}

static void pools_go_with_their_configuration(void **state)
{
	struct buf names = {};
	(void)state;
	adopt("pool a { server 10.0.0.1:1; } pool b { server 10.0.0.1:1; server nowhere.test:1; } app c { command x; }");
	adopt("pool b { server 10.0.0.1:2; } app a { command x; }");
	pools_each(pools, see_name, &names);
	buf_add_char(&names, '\0');
	assert_string_equal(names.p, "b a ");
	assert_string_equal(shape("a"), "");
	buf_fini(&names);
}

/* Whoever owns an app's processes sets them as its peers. */
static void an_app_is_left_alone(void **state)
{
	struct peer_spec spec = { .name = STR("php/1"), .weight = 1 };
	(void)state;
	adopt("app php { command x; queue 3; }");
	struct pool *pool = pool_get(pools, STR("php"));
	pool_set_peers(pool, &spec, 1);
	adopt("app php { command y; queue 4; }");
	assert_int_equal(pool_rules(pool).queue, 4);
	assert_string_equal(shape("php"), "php/1,unresolved");
	assert_int_equal(keeper_server_state(keeper, STR("php"), STR("php/1"), PEER_DOWN, 0, false, &why), -EINVAL);
	pool_put(pool);
}

/* --- Names. --- */

static void names_become_peers(void **state)
{
	(void)state;
	adopt("pool api { server one.test:80 weight 2; server two.test:81 connections 9; server gone.test:82; }");
	assert_string_equal(shape("api"), "one.test:80=2/0,unresolved two.test:81=1/9,unresolved gone.test:82,unresolved");
	becomes("api", "one.test:80@127.0.0.5:80=2/0 two.test:81/127.0.0.6@127.0.0.6:81=1/9 "
	               "two.test:81/127.0.0.7@127.0.0.7:81=1/9 gone.test:82,unresolved");
	assert_true(str_starts(keeper_why(keeper, STR("api"), STR("gone.test:82")), STR("has no address")));
	assert_int_equal(keeper_why(keeper, STR("api"), STR("one.test:80")).n, 0);
	/* A reload does not ask for what is known. */
	struct peer *one = peer("api", "one.test:80");
	adopt("pool api { server one.test:80; server gone.test:82; }");
	assert_ptr_equal(peer("api", "one.test:80"), one);
	assert_string_equal(shape("api"), "one.test:80@127.0.0.5:80 gone.test:82,unresolved");
}

static void names_are_asked_for_again(void **state)
{
	(void)state;
	adopt("pool api { server two.test:81; server moves.test:82; server leaves.test:83; server comes.test:84; }");
	becomes("api", "two.test:81/127.0.0.6@127.0.0.6:81 two.test:81/127.0.0.7@127.0.0.7:81 moves.test:82@127.0.0.8:82 "
	               "leaves.test:83@127.0.0.9:83 comes.test:84,unresolved");
	struct peer *stays = peer("api", "two.test:81/127.0.0.7");
	server_records = AFTER;
	becomes("api", "two.test:81/127.0.0.7@127.0.0.7:81 two.test:81/127.0.0.17@127.0.0.17:81 "
	               "moves.test:82@127.0.0.18:82 leaves.test:83@127.0.0.9:83 comes.test:84@127.0.0.19:84");
	assert_ptr_equal(peer("api", "two.test:81/127.0.0.7"), stays);
}

static void srv_records_have_weights_and_backups(void **state)
{
	(void)state;
	adopt("pool api { server _x._tcp.test srv connections 5; }");
	becomes("api", "_x._tcp.test/127.0.0.5:8001@127.0.0.5:8001=1/5 _x._tcp.test/127.0.0.5:8002@127.0.0.5:8002=3/5 "
	               "_x._tcp.test/127.0.0.5:8003@127.0.0.5:8003=256/5!");
	server_records = AFTER;
	becomes("api", "_x._tcp.test@127.0.0.5:8001=1/5");
}

/* --- Health. --- */

static int listener(uint16_t *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(*port) };
	socklen_t at_b = sizeof at;
	int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, at_b), 0);
	assert_int_equal(listen(fd, 64), 0);
	getsockname(fd, (struct sockaddr *)&at, &at_b);
	*port = ntohs(at.sin_port);
	return fd;
}

static void the_sick_get_nothing(void **state)
{
	char conf[256], well[64], sick[80], plain[32];
	uint16_t port = 0;
	(void)state;
	int fd = listener(&port);
	snprintf(well, sizeof well, "127.0.0.1:%u@127.0.0.1:%u", port, port);
	snprintf(sick, sizeof sick, "%s,sick", well);
	snprintf(plain, sizeof plain, "127.0.0.1:%u", port);
	snprintf(conf, sizeof conf, "pool api { server %s; health tcp every 20ms timeout 1s rise 2 fall 2; }", plain);
	adopt(conf);
	becomes("api", well);
	close(fd);
	becomes("api", sick);
	assert_true(str_starts(keeper_why(keeper, STR("api"), str_of(plain)), STR("can't be connected to: ")));
	adopt(conf);    /* a reload forgets nothing */
	assert_string_equal(shape("api"), sick);
	fd = listener(&port);
	becomes("api", well);
	close(fd);
	becomes("api", sick);
	snprintf(conf, sizeof conf, "pool api { server %s; }", plain);
	adopt(conf);    /* who is not asked is not sick */
	assert_string_equal(shape("api"), well);
}

static void ejections_end(void **state)
{
	struct peer *p;
	(void)state;
	adopt("pool api { server 10.0.0.1:80; server 10.0.0.2:80; eject 1 for 300ms; }");
	struct pool *pool = pool_get(pools, STR("api"));
	assert_int_equal(pool_pick(pool, &(struct pick){ .now_ms = clock_ms() }, &p), PICKED);
	peer_leave(pool, p, OUTCOME_FAILED, 0, clock_ms());
	pool_put(pool);
	assert_string_equal(shape("api"), "10.0.0.1:80@10.0.0.1:80,ejected 10.0.0.2:80@10.0.0.2:80");
	becomes("api", "10.0.0.1:80@10.0.0.1:80 10.0.0.2:80@10.0.0.2:80");
	assert_int_equal(p->failures, 0);
}

static void the_slow_are_ejected(void **state)
{
	(void)state;
	adopt("pool api { server 10.0.0.1:80; server 10.0.0.2:80; server 10.0.0.3:80; eject 0 for 300ms slower 4; }");
	atomic_store(&peer("api", "10.0.0.1:80")->latency_us, 10000);
	atomic_store(&peer("api", "10.0.0.2:80")->latency_us, 39000);
	atomic_store(&peer("api", "10.0.0.3:80")->latency_us, 90000);
	becomes("api", "10.0.0.1:80@10.0.0.1:80 10.0.0.2:80@10.0.0.2:80 10.0.0.3:80@10.0.0.3:80");
	atomic_store(&peer("api", "10.0.0.3:80")->latency_us, 900000);
	becomes("api", "10.0.0.1:80@10.0.0.1:80 10.0.0.2:80@10.0.0.2:80 10.0.0.3:80@10.0.0.3:80,ejected");
	becomes("api", "10.0.0.1:80@10.0.0.1:80 10.0.0.2:80@10.0.0.2:80 10.0.0.3:80@10.0.0.3:80");
	assert_int_equal(peer("api", "10.0.0.3:80")->latency_us, 0);
}

/* --- The operator. --- */

static int add(const char *text, bool keep)
{
	buf_clear(&why);
	return keeper_server_add(keeper, STR("api"), &(struct server_conf){ .text = str_of(text), .weight = 1 }, keep, &why);
}

static int removed(const char *text, bool keep)
{
	buf_clear(&why);
	return keeper_server_remove(keeper, STR("api"), str_of(text), keep, &why);
}

static int wish(const char *text, unsigned set, unsigned clear, bool keep)
{
	buf_clear(&why);
	return keeper_server_state(keeper, STR("api"), str_of(text), set, clear, keep, &why);
}

static int weigh(const char *text, unsigned weight, bool keep)
{
	buf_clear(&why);
	return keeper_server_weight(keeper, STR("api"), str_of(text), weight, keep, &why);
}

static const char CONF[] = "pool api { server 10.0.0.1:80; server 10.0.0.2:80; }";

static void changes_last_until_the_next_configuration(void **state)
{
	(void)state;
	for (int round = 0; round < 2; round++) {
		adopt(CONF);
		assert_string_equal(shape("api"), "10.0.0.1:80@10.0.0.1:80 10.0.0.2:80@10.0.0.2:80");
		assert_int_equal(add("10.0.0.3:80", false), 0);
		assert_int_equal(removed("10.0.0.2:80", false), 0);
		assert_int_equal(wish("10.0.0.1:80", PEER_DRAINING, PEER_DOWN, false), 0);
		assert_int_equal(weigh("10.0.0.1:80", 9, false), 0);
		assert_string_equal(shape("api"), "10.0.0.1:80@10.0.0.1:80=9/0,drain 10.0.0.3:80@10.0.0.3:80");
	}
}

static void or_as_long_as_it_was_said(void **state)
{
	(void)state;
	adopt(CONF);
	assert_int_equal(add("10.0.0.3:80", true), 0);
	assert_int_equal(add("10.0.0.4:80", true), 0);
	assert_int_equal(removed("10.0.0.2:80", true), 0);
	assert_int_equal(wish("10.0.0.1:80", PEER_DOWN, PEER_DRAINING, true), 0);
	assert_int_equal(weigh("10.0.0.1:80", 9, false), 0);
	adopt(CONF);
	assert_string_equal(shape("api"), "10.0.0.1:80@10.0.0.1:80=9/0,down 10.0.0.3:80@10.0.0.3:80 10.0.0.4:80@10.0.0.4:80");
	/* All of it can be taken back. */
	assert_int_equal(wish("10.0.0.1:80", 0, PEER_DOWN | PEER_DRAINING | PEER_EJECTED, false), 0);
	assert_int_equal(add("10.0.0.2:80", false), 0);
	assert_int_equal(removed("10.0.0.3:80", false), 0);
	assert_string_equal(shape("api"), "10.0.0.1:80@10.0.0.1:80=9/0 10.0.0.4:80@10.0.0.4:80 10.0.0.2:80@10.0.0.2:80");
	adopt("pool api { server 10.0.0.4:80 weight 3; }");
	assert_string_equal(shape("api"), "10.0.0.4:80@10.0.0.4:80=3/0");
	adopt(CONF);
	assert_string_equal(shape("api"), "10.0.0.1:80@10.0.0.1:80 10.0.0.2:80@10.0.0.2:80");
}

static void a_name_means_all_its_addresses(void **state)
{
	(void)state;
	adopt("pool api { server two.test:81; }");
	becomes("api", "two.test:81/127.0.0.6@127.0.0.6:81 two.test:81/127.0.0.7@127.0.0.7:81");
	assert_int_equal(wish("two.test:81", PEER_DRAINING, 0, true), 0);
	assert_int_equal(wish("two.test:81/127.0.0.7", 0, PEER_DRAINING, true), 0);
	assert_int_equal(weigh("two.test:81/127.0.0.7", 4, true), 0);
	assert_int_equal(removed("two.test:81/127.0.0.7", true), -EINVAL);
	assert_string_equal(shape("api"), "two.test:81/127.0.0.6@127.0.0.6:81,drain two.test:81/127.0.0.7@127.0.0.7:81=4/0");
	server_records = AFTER;
	becomes("api", "two.test:81/127.0.0.7@127.0.0.7:81=4/0 two.test:81/127.0.0.17@127.0.0.17:81,drain");
	assert_int_equal(removed("two.test:81", false), 0);
	assert_string_equal(shape("api"), "");
	assert_int_equal(add("one.test:80", false), 0);
	becomes("api", "one.test:80@127.0.0.5:80");
}

static void what_is_not_there_is_named(void **state)
{
	(void)state;
	adopt(CONF);
	assert_int_equal(removed("10.0.0.9:80", false), -ENOENT);
	buf_add_char(&why, '\0');
	assert_string_equal(why.p, "there is no server \"10.0.0.9:80\" in the pool api; there are: 10.0.0.1:80, 10.0.0.2:80");
	assert_int_equal(add("10.0.0.2:80", false), -EEXIST);
	assert_int_equal(weigh("10.0.0.2:80", 0, false), -EINVAL);
	assert_int_equal(weigh("10.0.0.2:80", 257, false), -EINVAL);
	assert_int_equal(keeper_server_state(keeper, STR("x"), STR("y"), 0, 0, false, &why), -ENOENT);
	assert_int_equal(keeper_why(keeper, STR("x"), STR("y")).n, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(servers_as_configured),
		T(pools_go_with_their_configuration),
		T(an_app_is_left_alone),
		T(names_become_peers),
		T(names_are_asked_for_again),
		T(srv_records_have_weights_and_backups),
		T(the_sick_get_nothing),
		T(ejections_end),
		T(the_slow_are_ejected),
		T(changes_last_until_the_next_configuration),
		T(or_as_long_as_it_was_said),
		T(a_name_means_all_its_addresses),
		T(what_is_not_there_is_named),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
