/* Addresses and networks: what is read, what is printed, what is refused and why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>

#include "base/mem.h"
#include "net/addr.h"

struct row {
	const char *text;
	const char *result;  /* printed again, or a part of the message */
	int err;
};

static void check_row(const struct type *type, const struct row *row)
{
	struct type_in in = {};
	struct type_range range = {};
	char value[256];
	assert_true(type->size <= sizeof value);
	int err = type->parse(&in, str_of(row->text), &range, value);
	if (err != row->err || (err && !strstr(in.error, row->result)))
		fail_msg("%s: %d, \"%s\"", row->text, err, in.error);
	if (err)
		return;
	struct buf out = {};
	type->print(&out, &range, value);
	buf_add_char(&out, '\0');
	assert_string_equal(out.p, row->result);
	buf_fini(&out);
}

static void addresses(void **state)
{
	(void)state;
	static const struct row ROWS[] = {
		{ "127.0.0.1:8080", "127.0.0.1:8080", 0 },
		{ "0.0.0.0:0", "0.0.0.0:0", 0 },
		{ "80", "[::]:80", 0 },
		{ "*:80", "[::]:80", 0 },
		{ ":80", "[::]:80", 0 },
		{ "[::1]:65535", "[::1]:65535", 0 },
		{ "[2001:DB8:0:0:0:0:0:1]:80", "[2001:db8::1]:80", 0 },
		{ "unix:/run/petrel.sock", "unix:/run/petrel.sock", 0 },
		{ "unix:/run/a b.sock", "\"unix:/run/a b.sock\"", 0 },
		{ "unix:@petrel", "unix:@petrel", 0 },
		{ "", "port", -EINVAL },
		{ "*", "port", -EINVAL },
		{ "65536", "65535", -EINVAL },
		{ "127.0.0.1:65536", "65535", -EINVAL },
		{ "127.0.0.1:", "65535", -EINVAL },
		{ "127.0.0.1", "the port is missing: 127.0.0.1:80", -EINVAL },
		{ "[::1]", "the port is missing: [::1]:80", -EINVAL },
		{ "::1", "in brackets", -EINVAL },
		{ "fe80::1:80", "in brackets", -EINVAL },
		{ "2001:db8::abcd", "in brackets", -EINVAL },
		{ "[::1:80", "not a numeric", -EINVAL },
		{ "[]:80", "between the brackets", -EINVAL },
		{ "[127.0.0.1]:80", "between the brackets", -EINVAL },
		{ "localhost:80", "names are not looked up", -EINVAL },
		{ "127.0.0.1.5:80", "not a numeric", -EINVAL },
		{ "127.0.0.1:+80", "port", -EINVAL },
		{ "127.0.0.1: 80", "port", -EINVAL },
		{ "unix:", "absolute path", -EINVAL },
		{ "unix:@", "absolute path", -EINVAL },
		{ "unix:run/x", "absolute path", -EINVAL },
	};
	for (size_t i = 0; i < countof(ROWS); i++)
		check_row(&TYPE_ADDRESS, &ROWS[i]);
}

static void the_longest_path(void **state)
{
	(void)state;
	char text[5 + 109] = "unix:/";
	struct type_in in = {};
	struct addr a;
	memset(text + 6, 'x', sizeof text - 6);
	assert_int_equal(TYPE_ADDRESS.parse(&in, str_make(text, 5 + 107), NULL, &a), 0);
	assert_int_equal(a.length, sizeof(struct sockaddr_un));
	assert_int_equal(a.local.sun_path[107], '\0');
	assert_int_equal(TYPE_ADDRESS.parse(&in, str_make(text, 5 + 108), NULL, &a), -EINVAL);
	text[5] = '@';
	assert_int_equal(TYPE_ADDRESS.parse(&in, str_make(text, 5 + 108), NULL, &a), 0);
	assert_int_equal(TYPE_ADDRESS.parse(&in, str_make(text, 5 + 109), NULL, &a), -EINVAL);
}

static void networks(void **state)
{
	(void)state;
	static const struct row ROWS[] = {
		{ "10.0.0.0/8", "10.0.0.0/8", 0 },
		{ "10.0.0.1", "10.0.0.1", 0 },
		{ "0.0.0.0/0", "0.0.0.0/0", 0 },
		{ "::/0", "::/0", 0 },
		{ "::1", "::1", 0 },
		{ "2001:db8::/32", "2001:db8::/32", 0 },
		{ "::ffff:10.0.0.0/104", "10.0.0.0/8", 0 },
		{ "::ffff:192.0.2.1", "192.0.2.1", 0 },
		{ "all", "all", 0 },
		{ "unix", "unix", 0 },
		{ "10.0.0.1/8", "10.0.0.0/8 is the network", -EINVAL },
		{ "192.168.1.0/22", "192.168.0.0/22 is the network", -EINVAL },
		{ "2001:db8::1/32", "2001:db8::/32 is the network", -EINVAL },
		{ "10.0.0.0/33", "up to 32", -EINVAL },
		{ "::/129", "up to 128", -EINVAL },
		{ "10.0.0.0/", "up to 32", -EINVAL },
		{ "10.0.0.0/-1", "up to 32", -EINVAL },
		{ "10.0.0/8", "not an IPv4", -EINVAL },
		{ "/8", "not an IPv4", -EINVAL },
		{ "", "not an IPv4", -EINVAL },
		{ "any", "not an IPv4", -EINVAL },
	};
	for (size_t i = 0; i < countof(ROWS); i++)
		check_row(&TYPE_NETWORK, &ROWS[i]);
}

/* As accept4() would have filled it in. */
static struct ip client(const char *text)
{
	struct sockaddr_storage from = {};
	struct sockaddr_in *v4 = (struct sockaddr_in *)&from;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&from;
	from.ss_family = AF_UNIX;
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
		from.ss_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1)
		from.ss_family = AF_INET6;
	v4->sin_port = htons(4711);
	return ip_of(&from);
}

static void members(void **state)
{
	(void)state;
	static const struct {
		const char *network, *ip;
		bool has;
	} ROWS[] = {
		{ "10.0.0.0/8", "10.255.255.255", true },
		{ "10.0.0.0/8", "11.0.0.0", false },
		{ "10.0.0.0/8", "::ffff:10.1.2.3", true },
		{ "192.168.4.0/22", "192.168.7.255", true },
		{ "192.168.4.0/22", "192.168.8.0", false },
		{ "127.0.0.1", "127.0.0.1", true },
		{ "127.0.0.1", "127.0.0.2", false },
		{ "0.0.0.0/0", "1.2.3.4", true },
		{ "0.0.0.0/0", "::1", false },
		{ "::/0", "1.2.3.4", false },
		{ "2001:db8::/33", "2001:db8:7fff::1", true },
		{ "2001:db8::/33", "2001:db8:8000::1", false },
		{ "::1", "::1", true },
		{ "all", "::1", true },
		{ "all", "1.2.3.4", true },
		{ "all", "unix", true },
		{ "unix", "unix", true },
		{ "unix", "1.2.3.4", false },
	};
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct type_in in = {};
		struct network n;
		struct ip ip = client(ROWS[i].ip);
		assert_int_equal(TYPE_NETWORK.parse(&in, str_of(ROWS[i].network), NULL, &n), 0);
		if (network_has(&n, &ip) != ROWS[i].has)
			fail_msg("%s, %s", ROWS[i].network, ROWS[i].ip);
	}
}

static void clients_print(void **state)
{
	(void)state;
	static const struct {
		const char *ip, *text;
	} ROWS[] = {
		{ "192.0.2.1", "192.0.2.1" },
		{ "0.10.99.100", "0.10.99.100" },
		{ "255.255.255.255", "255.255.255.255" },
		{ "::ffff:192.0.2.1", "192.0.2.1" },
		{ "2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1" },
		{ "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1" },
		{ "unix", "unix" },
	};
	for (size_t i = 0; i < countof(ROWS); i++) {
		char text[46];
		struct ip ip = client(ROWS[i].ip);
		size_t n = ip_print(text, &ip);
		assert_true(str_eq(str_make(text, n), str_of(ROWS[i].text)));
		assert_int_equal(ip.port, ip.family == AF_UNIX ? 0 : 4711);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses),     cmocka_unit_test(the_longest_path), cmocka_unit_test(networks),
		cmocka_unit_test(members),       cmocka_unit_test(clients_print),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
