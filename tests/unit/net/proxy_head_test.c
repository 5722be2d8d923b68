/* PROXY protocol heads: what is read, what is refused, and that what is written is read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/mem.h"
#include "net/proxy_head.h"

static const struct {
	struct str in;
	enum proxy_parsed parsed;
	const char *from;    /* NULL: left alone */
	uint16_t port;
} ROWS[] = {
	{ STR("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\nGET"), PROXY_DONE, "192.0.2.1", 56324 },
	{ STR("PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n"), PROXY_DONE, "2001:db8::1", 1 },
	{ STR("PROXY UNKNOWN\r\n"), PROXY_DONE, NULL, 0 },
	{ STR("PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n"), PROXY_DONE, NULL, 0 },
	{ STR("PROXY TCP4 192.0.2.1 198.51.100.1 56324\r\n"), PROXY_BAD, NULL, 0 },
	{ STR("PROXY TCP4 192.0.2.1 198.51.100.1 70000 443\r\n"), PROXY_BAD, NULL, 0 },
	{ STR("PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n"), PROXY_BAD, NULL, 0 },
	{ STR("PROXY TCP5 192.0.2.1 198.51.100.1 1 2\r\n"), PROXY_BAD, NULL, 0 },
	{ STR("PROXY TCP4 192.0.2.1 198.51.100.1 1 2\n"), PROXY_BAD, NULL, 0 },
	{ STR("GET / HTTP/1.1\r\n"), PROXY_BAD, NULL, 0 },
	{ STR("PROXY TCP4 192.0.2.1 198"), PROXY_MORE, NULL, 0 },
	{ STR("P"), PROXY_MORE, NULL, 0 },
	{ STR("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\1\x12\x34\1\xbb"), PROXY_DONE, "192.0.2.1", 0x1234 },
	{ STR("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"), PROXY_DONE, NULL, 0 },
	{ STR("\r\n\r\n\0\r\nQUIT\n\x21\x31\0\2ab"), PROXY_DONE, NULL, 0 },
	{ STR("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0b\xc0\0\2\1\xc6\x33\x64\1\x12\x34\1"), PROXY_BAD, NULL, 0 },
	{ STR("\r\n\r\n\0\r\nQUIT\n\x11\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\1\x12\x34\1\xbb"), PROXY_BAD, NULL, 0 },
	{ STR("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\1"), PROXY_MORE, NULL, 0 },
};

static void reads(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct ip from = { .family = AF_UNIX, .port = 7 };
		size_t length_b = 0;
		char text[46];
		assert_int_equal(proxy_head_parse(ROWS[i].in, &from, &length_b), ROWS[i].parsed);
		if (!ROWS[i].from) {
			assert_int_equal(from.family, AF_UNIX);
			continue;
		}
		size_t n = ip_print(text, &from);
		assert_true(str_eq(str_make(text, n), str_of(ROWS[i].from)));
		assert_int_equal(from.port, ROWS[i].port);
	}
}

/* Every head that is cut short is either waited for or refused, never taken. */
static void waits_for_all(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct ip from = {};
		size_t length_b = 0;
		if (proxy_head_parse(ROWS[i].in, &from, &length_b) != PROXY_DONE)
			continue;
		for (size_t n = 1; n < length_b; n++)
			assert_int_equal(proxy_head_parse(str_head(ROWS[i].in, n), &from, &(size_t){ 0 }), PROXY_MORE);
	}
}

static void writes_what_it_reads(void **state)
{
	static const struct ip V4 = { AF_INET, 4711, { 192, 0, 2, 1 } }, V4_TO = { AF_INET, 80, { 198, 51, 100, 1 } };
	static const struct ip V6 = { AF_INET6, 1, { 0x20, 1, 0xd, 0xb8, [15] = 1 } }, V6_TO = { AF_INET6, 2, { [15] = 1 } };
	static const struct ip NONE = { .family = AF_UNIX };
	static const struct { const struct ip *from, *to; bool known; } PAIRS[] = {
		{ &V4, &V4_TO, true }, { &V6, &V6_TO, true }, { &V4, &V6_TO, false }, { &NONE, &NONE, false },
	};
	(void)state;
	for (size_t i = 0; i < countof(PAIRS); i++) {
		for (int version = 1; version <= 2; version++) {
			char head[PROXY_HEAD_ROOM_B];
			struct ip from = {};
			size_t length_b = 0, n = proxy_head_print(head, version, PAIRS[i].from, PAIRS[i].to);
			assert_int_equal(proxy_head_parse(str_make(head, n), &from, &length_b), PROXY_DONE);
			assert_int_equal(length_b, n);
			if (PAIRS[i].known)
				assert_memory_equal(&from, PAIRS[i].from, sizeof from);
			else
				assert_int_equal(from.family, 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads),
		cmocka_unit_test(waits_for_all),
		cmocka_unit_test(writes_what_it_reads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
