/* Tunnels: bytes both ways between two pairs of sockets, their ends, and who does not take them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "http/origin.h"
#include "http/tunnel.h"

enum { CLIENT, SERVER, BIG_B = 3 << 20 };

struct fixture {
	struct home home;
	struct origin origin;
	struct tunnel tunnel;
	struct task task;
	int inner[2], outer[2];   /* petrel's ends, and those of the client and the server */
	bool readable, fin;
};

static void nothing(struct task *t)
{
	(void)t;
}

static void start(struct fixture *f)
{
	*f = (struct fixture){ .readable = true };
	assert_int_equal(loop_init(&f->home.loop, 0), 0);
	for (int i = 0; i < 2; i++) {
		int pair[2];
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
		f->inner[i] = pair[0];
		f->outer[i] = pair[1];
	}
	f->origin.watch.fd = f->inner[SERVER];
	f->origin.home = &f->home;
	f->origin.readable = true;
	f->tunnel.origin = &f->origin;
	task_init(&f->task, nothing);
}

static void stop(struct fixture *f)
{
	for (int i = 0; i < 2; i++) {
		close(f->inner[i]);
		close(f->outer[i]);
	}
	buf_fini(&f->tunnel.up.held);
	buf_fini(&f->tunnel.down.held);
	task_stop(&f->task);
	loop_fini(&f->home.loop);
}

/* A turn, as if both sockets had something. */
static bool turn(struct fixture *f)
{
	f->readable = f->origin.readable = true;
	return tunnel_run(&f->tunnel, &f->task, f->inner[CLIENT], &f->readable, f->fin);
}

static void say(struct fixture *f, int who, const char *text)
{
	assert_int_equal(write(f->outer[who], text, strlen(text)), strlen(text));
}

/* It sends no more, and the kernel has said so. */
static void say_end(struct fixture *f, int who)
{
	shutdown(f->outer[who], SHUT_WR);
	*(who == CLIENT ? &f->fin : &f->origin.fin) = true;
}

static void expect(struct fixture *f, int who, const char *text)
{
	char got[100];
	ssize_t n = read(f->outer[who], got, sizeof got);
	assert_int_equal(n, strlen(text));
	assert_memory_equal(got, text, strlen(text));
}

static void both_ways(void **state)
{
	struct fixture f;
	(void)state;
	start(&f);
	buf_add(&f.tunnel.up.held, STR("early "));
	buf_add(&f.tunnel.down.held, STR("greeting "));
	say(&f, CLIENT, "hello");
	say(&f, SERVER, "world");
	assert_true(turn(&f));
	expect(&f, SERVER, "early hello");
	expect(&f, CLIENT, "greeting world");
	assert_true(turn(&f));
	say(&f, SERVER, "more");
	assert_true(turn(&f));
	expect(&f, CLIENT, "more");
	assert_int_equal(f.tunnel.up.moved_b, 5);
	assert_int_equal(f.tunnel.down.moved_b, 9);
	stop(&f);
}

/* Each side's end is passed on behind its last bytes; with both it is over. */
static void ends(void **state)
{
	(void)state;
	for (int first = 0; first < 2; first++) {
		struct fixture f;
		int other = !first;
		char byte;
		start(&f);
		say(&f, first, "last");
		say_end(&f, first);
		assert_true(turn(&f));
		expect(&f, other, "last");
		assert_int_equal(read(f.outer[other], &byte, 1), 0);
		say(&f, other, "still");
		assert_true(turn(&f));
		expect(&f, first, "still");
		say_end(&f, other);
		assert_false(turn(&f));
		assert_int_equal(read(f.outer[first], &byte, 1), 0);
		stop(&f);
	}
}

static void breaks(void **state)
{
	(void)state;
	for (int who = 0; who < 2; who++) {
		struct fixture f;
		start(&f);
		say(&f, !who, "for nobody");
		close(f.outer[who]);
		f.outer[who] = open("/dev/null", O_RDWR);
		assert_false(turn(&f));
		stop(&f);
	}
}

/* Nothing is read that is not taken, but for one buffer; and all of it arrives. */
static void is_slow(void **state)
{
	struct fixture f;
	char *sent = malloc(BIG_B), *got = malloc(BIG_B);
	size_t in = 0, out = 0;
	(void)state;
	for (size_t i = 0; i < BIG_B; i++)
		sent[i] = (char)(i * 7 + i / 251);
	start(&f);
	/* Until nothing moves any more: both sockets are full, and what is held is at most a buffer. */
	for (;;) {
		uint64_t before = f.tunnel.down.moved_b;
		ssize_t n = write(f.outer[SERVER], sent + in, BIG_B - in);
		in += n > 0 ? (size_t)n : 0;
		assert_true(turn(&f));
		assert_true(f.tunnel.down.held.n - f.tunnel.down.at <= LOOP_SCRATCH_B);
		if (n <= 0 && f.tunnel.down.moved_b == before)
			break;
	}
	assert_true(in < BIG_B);
	while (out < BIG_B) {
		ssize_t n = write(f.outer[SERVER], sent + in, BIG_B - in);
		in += n > 0 ? (size_t)n : 0;
		n = read(f.outer[CLIENT], got + out, BIG_B - out);
		out += n > 0 ? (size_t)n : 0;
		assert_true(turn(&f));
	}
	assert_memory_equal(sent, got, BIG_B);
	assert_int_equal(f.tunnel.down.held.n, 0);
	stop(&f);
	free(sent);
	free(got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ways),
		cmocka_unit_test(ends),
		cmocka_unit_test(breaks),
		cmocka_unit_test(is_slow),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
