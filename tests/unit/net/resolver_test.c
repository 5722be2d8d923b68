/* The resolver, asking a small name server on a thread of the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/resolver.h"

/* --- The name server: a record per row; a name without one does not exist. --- */

enum { A = 1, CNAME = 5, AAAA = 28, SRV = 33, HALF = 1000, NOBODY, LATER };

static const struct record {
	const char *name;
	int type;
	unsigned ttl_s;
	const char *data;           /* an address, a name, or "priority weight port target" */
} RECORDS[] = {
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
};

static int server_fd = -1;
static uint16_t server_port;
static pthread_t server;
static _Atomic unsigned asked_of_server;

static void put16(struct buf *b, unsigned n)
{
	buf_add_char(b, (char)(n >> 8));
	buf_add_char(b, (char)n);
}

static void put_name(struct buf *b, struct str name)
{
	while (name.p && name.n) {
		struct str label = str_cut(&name, '.');
		buf_add_char(b, (char)label.n);
		buf_add(b, label);
	}
	buf_add_char(b, '\0');
}

static void put_srv(struct buf *b, const char *text)
{
	char *at;
	unsigned priority = (unsigned)strtoul(text, &at, 10), weight = (unsigned)strtoul(at, &at, 10);
	put16(b, priority);
	put16(b, weight);
	put16(b, (unsigned)strtoul(at, &at, 10));
	put_name(b, str_of(at + 1));
}

static void put_data(struct buf *b, const struct record *r)
{
	unsigned char bytes[16];
	if (r->type == A || r->type == AAAA) {
		inet_pton(r->type == A ? AF_INET : AF_INET6, r->data, bytes);
		buf_add(b, str_make((char *)bytes, r->type == A ? 4 : 16));
	} else if (r->type == SRV) {
		put_srv(b, r->data);
	} else {
		put_name(b, str_of(r->data));
	}
}

static void put_record(struct buf *b, const struct record *r)
{
	struct buf data = {};
	put_name(b, str_of(r->name));
	put16(b, (unsigned)r->type);
	put16(b, 1);
	put16(b, r->ttl_s >> 16);
	put16(b, r->ttl_s);
	put_data(&data, r);
	put16(b, (unsigned)data.n);
	buf_add(b, buf_str(&data));
	buf_fini(&data);
}

/* The name of a query, with dots; how many bytes its question has. */
static size_t question_read(const unsigned char *q, char *name)
{
	size_t at = 12, n = 0;
	while (q[at]) {
		memcpy(name + n, q + at + 1, q[at]);
		n += q[at];
		name[n++] = '.';
		at += q[at] + 1u;
	}
	name[n ? n - 1 : 0] = '\0';
	return at + 5;
}

struct said {
	struct buf answers;
	unsigned count;
	bool known, silent;
};

static void say(struct said *s, const char *name, int type)
{
	for (const struct record *r = RECORDS; r < RECORDS + countof(RECORDS); r++) {
		if (strcmp(r->name, name) != 0)
			continue;
		s->known = true;
		s->silent |= r->type == NOBODY || (r->type == LATER && asked_of_server < 3);
		if (r->type == type || r->type == CNAME)
			put_record(&s->answers, r);
		else if (r->type == HALF)
			buf_add(&s->answers, STR("\xc0"));
		else
			continue;
		s->count++;
		if (r->type == CNAME)
			say(s, r->data, type);
	}
}

/* False: no answer at all. */
static bool answer(const unsigned char *q, struct buf *out)
{
	char name[512];
	struct said s = {};
	size_t end = question_read(q, name);
	asked_of_server++;
	say(&s, name, q[end - 4] << 8 | q[end - 3]);
	buf_add(out, str_make((const char *)q, 2));
	put16(out, s.known ? 0x8580 : 0x8583);   /* an answer, with authority; else: no such name */
	put16(out, 1);
	put16(out, s.count);
	put16(out, 0);
	put16(out, 0);
	buf_add(out, str_make((const char *)q + 12, end - 12));
	buf_add(out, buf_str(&s.answers));
	buf_fini(&s.answers);
	return !s.silent;
}

/* Until an empty datagram comes. */
static void *serve(void *arg)
{
	(void)arg;
	for (;;) {
		unsigned char q[512] = {};
		struct sockaddr_in from;
		socklen_t from_b = sizeof from;
		struct buf out = {};
		ssize_t n = recvfrom(server_fd, q, sizeof q - 1, 0, (struct sockaddr *)&from, &from_b);
		if (n <= 0)
			return NULL;
		if (answer(q, &out))
			sendto(server_fd, out.p, out.n, 0, (struct sockaddr *)&from, from_b);
		buf_fini(&out);
	}
}

static struct sockaddr_in server_addr(void)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	                             .sin_port = htons(server_port) };
}

static int server_start(void **state)
{
	(void)state;
	struct sockaddr_in at = server_addr();
	socklen_t at_b = sizeof at;
	server_fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (bind(server_fd, (struct sockaddr *)&at, at_b) || getsockname(server_fd, (struct sockaddr *)&at, &at_b))
		return -1;
	server_port = ntohs(at.sin_port);
	return pthread_create(&server, NULL, serve, NULL);
}

static int server_stop(void **state)
{
	(void)state;
	struct sockaddr_in at = server_addr();
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	sendto(fd, "", 0, 0, (struct sockaddr *)&at, sizeof at);
	close(fd);
	pthread_join(server, NULL);
	return close(server_fd);
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
	{ "three.test", 0, 20, "127.0.0.7:80 127.0.0.9:80 [2001:db8::1]:80" },
	{ "six.test", 0, 100, "[::1]:80" },
	{ "alias.test", 0, 5, "127.0.0.5:80" },
	{ "gone.test", -ENOENT, 0, "" },
	{ "_x._tcp.test", 0, 20, "127.0.0.5:8001/10/5 127.0.0.7:8002/20/1 127.0.0.9:8002/20/1 [2001:db8::1]:8002/20/1" },
	{ "_no._tcp.test", -ENOENT, 0, "" },
	{ "_far._tcp.test", -ENOENT, 0, "" },
	{ "_gone._tcp.test", -ENOENT, 0, "" },
	{ "one.test.", 0, 60, "127.0.0.5:80" },
	{ "localhost", 0, 0, "127.0.0.1:80 [::1]:80" },    /* of /etc/hosts, or as every system knows it */
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
		if (strcmp(ROWS[i].name, "localhost") != 0)
			assert_string_equal(k->text.p, ROWS[i].text);
		else
			assert_non_null(strstr(k->text.p, "127.0.0.1:80"));
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
	return cmocka_run_group_tests(tests, server_start, server_stop);
}
