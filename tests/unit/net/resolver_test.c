/* The resolver, asking a small name server on a thread of the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

#include "name_server.h"
#include "net/resolver.h"

static const struct record RECORDS[] = {
	{ "one.test", A, 60, "127.0.0.5" },
	{ "three.test", A, 300, "127.0.0.9" },
	{ "three.test", A, 20, "127.0.0.7" },
	{ "three.test", AAAA, 100, "2001:db8::1" },
	{ "six.test", AAAA, 100, "::1" },
	{ "alias.test", CNAME, 5, "one.test" },
	{ "_x._tcp.test", SRV, 40, "10 5 8001 one.test" },
	{ "_x._tcp.test", SRV, 50, "20 1 8002 three.test" },
	{ "_x._tcp.test", SRV, 50, "10 7 8003 gone.test" },
	{ "_no._tcp.test", SRV, 50, "0 0 0 " },
	{ "_far._tcp.test", SRV, 50, "0 0 1 gone.test" },
	{ "half.test", HALF, 0, "" },
	{ "_half._tcp.test", HALF, 0, "" },
	{ "nobody.test", NOBODY, 0, "" },
	{ "later.test", LATER, 0, "" },
	{ "later.test", A, 60, "127.0.0.6" },
	{},
};

static int start(void **state)
{
	(void)state;
	return server_start(RECORDS);
}

static int stop(void **state)
{
	(void)state;
	return server_stop();
}

/* --- Who asks. --- */

struct asker {
	struct resolver_query query;
	int err;
	uint64_t ttl_ms, took_ms;
	struct buf text;       /* "127.0.0.5:80 …", of SRV "127.0.0.5:8001/10/5" */
	unsigned heard;
};

static struct loop loop;
static struct resolver *resolver;
static unsigned left;

static int setup(void **state)
{
	char servers[32];
	(void)state;
	asked_of_server = 0;
	left = 0;
	if (loop_init(&loop, 0))
		return -1;
	snprintf(servers, sizeof servers, "127.0.0.1:%u", server_port);
	return resolver_new(&resolver, &loop, str_of(servers));
}

static int teardown(void **state)
{
	(void)state;
	resolver_free(resolver);
	loop_fini(&loop);
	return 0;
}

static void heard(struct resolver_query *q, const struct resolver_answer *a)
{
	struct asker *k = container_of(q, struct asker, query);
	k->heard++;
	k->err = a->err;
	k->ttl_ms = a->ttl_ms;
	k->took_ms = loop.now_ms - k->took_ms;
	assert_true(a->err ? a->why != NULL && !a->count : a->count > 0);
	for (size_t i = 0; i < a->count; i++) {
		if (i)
			buf_add_char(&k->text, ' ');
		addr_print(&k->text, &a->found[i].addr);
		if (q->srv)
			buf_addf(&k->text, "/%u/%u", a->found[i].priority, a->found[i].weight);
	}
	buf_add_char(&k->text, '\0');
	if (--left == 0)
		loop_stop(&loop);
}

static void ask(struct asker *k, const char *name, uint64_t timeout_ms)
{
	*k = (struct asker){ .query = { .name = str_of(name), .port = 80, .srv = name[0] == '_', .timeout_ms = timeout_ms,
	                                .done = heard },
	                     .took_ms = loop.now_ms };
	left++;
	resolver_ask(resolver, &k->query);
}

static const struct row {
	const char *name;
	int err;
	unsigned ttl_s;
	const char *text;
} ROWS[] = {
	{ "one.test", 0, 60, "127.0.0.5:80" },
	{ "three.test", 0, 20, "127.0.0.7:80 127.0.0.9:80" },
	{ "six.test", 0, 100, "[::1]:80" },
	{ "alias.test", 0, 5, "127.0.0.5:80" },
	{ "gone.test", -ENOENT, 0, "" },
	{ "_x._tcp.test", 0, 20, "127.0.0.5:8001/10/5 127.0.0.7:8002/20/1 127.0.0.9:8002/20/1" },
	{ "_no._tcp.test", -ENOENT, 0, "" },
	{ "_far._tcp.test", -ENOENT, 0, "" },
	{ "_gone._tcp.test", -ENOENT, 0, "" },
	{ "one.test.", 0, 60, "127.0.0.5:80" },
	{ "localhost", 0, 0, "127.0.0.1:80" },    /* of /etc/hosts, or as every system knows it */
	{ "", -EINVAL, 0, "" },
	{ "a-name-of-more-than-63-bytes-is-none-that-the-domain-name-system-can-hold.test", -EINVAL, 0, "" },
};

static void names_become_addresses(void **state)
{
	static struct asker askers[countof(ROWS)];
	(void)state;
	for (size_t i = 0; i < countof(ROWS); i++)
		ask(&askers[i], ROWS[i].name, 5000);
	for (size_t i = 0; i < countof(ROWS); i++)
		assert_int_equal(askers[i].heard, 0);    /* never before resolver_ask() returned */
	loop_run(&loop);
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct asker *k = &askers[i];
		print_message("%s: %s\n", ROWS[i].name, k->text.p);
		assert_int_equal(k->heard, 1);
		assert_int_equal(k->err, ROWS[i].err);
		assert_string_equal(k->text.p, ROWS[i].text);
		if (!k->err)
			assert_int_equal(k->ttl_ms, ROWS[i].ttl_s * 1000);
		buf_fini(&k->text);
	}
}

static void what_can_not_be_understood_is_an_error(void **state)
{
	struct asker a, b;
	(void)state;
	ask(&a, "half.test", 6000);
	ask(&b, "_half._tcp.test", 6000);
	loop_run(&loop);
	assert_int_not_equal(a.err, 0);
	assert_int_not_equal(b.err, 0);
	buf_fini(&a.text);
	buf_fini(&b.text);
}

static void a_time_limit_holds(void **state)
{
	struct asker a, b;
	(void)state;
	ask(&a, "nobody.test", 300);
	loop_run(&loop);
	assert_int_equal(a.err, -ETIMEDOUT);
	assert_in_range(a.took_ms, 300, 900);
	/* The library still waits; that disturbs nobody. */
	loop.stopping = false;
	ask(&b, "one.test", 5000);
	loop_run(&loop);
	assert_int_equal(b.err, 0);
	buf_fini(&a.text);
	buf_fini(&b.text);
}

static void a_lost_question_is_asked_again(void **state)
{
	struct asker a;
	(void)state;
	ask(&a, "later.test", 9000);
	loop_run(&loop);
	assert_int_equal(a.err, 0);
	assert_string_equal(a.text.p, "127.0.0.6:80");
	assert_true(asked_of_server > 2);
	buf_fini(&a.text);
}

static void who_cancels_hears_nothing(void **state)
{
	static struct asker a, b, c, d;
	(void)state;
	ask(&a, "one.test", 5000);
	ask(&b, "localhost", 5000);    /* known at once, not told yet */
	ask(&c, "three.test", 5000);
	ask(&d, "_x._tcp.test", 5000);
	resolver_cancel(&a.query);
	resolver_cancel(&a.query);
	resolver_cancel(&b.query);
	resolver_cancel(&d.query);
	left = 1;
	loop_run(&loop);
	assert_int_equal(a.heard + b.heard + d.heard, 0);
	assert_int_equal(c.heard, 1);
	/* The same struct may ask again, and be under way when all ends. */
	ask(&a, "one.test", 5000);
	ask(&b, "nobody.test", 5000);
	ask(&d, "_x._tcp.test", 5000);
	buf_fini(&c.text);
}

static void bad_servers_are_refused(void **state)
{
	struct resolver *r;
	(void)state;
	assert_int_equal(resolver_new(&r, &loop, STR("not an address")), -EINVAL);
	assert_int_equal(resolver_new(&r, &loop, STR("")), 0);
	resolver_free(r);
	resolver_free(NULL);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(names_become_addresses), T(what_can_not_be_understood_is_an_error), T(a_time_limit_holds),
		T(a_lost_question_is_asked_again), T(who_cancels_hears_nothing), T(bad_servers_are_refused),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
