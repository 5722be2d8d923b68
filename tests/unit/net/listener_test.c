/* Listening sockets against the real kernel, and a door on a loop: accepting, pausing for want of descriptors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/listener.h"

static struct listen_spec spec_of(const char *text)
{
	struct type_in in = {};
	struct listen_spec spec = { .backlog = 16 };
	assert_int_equal(TYPE_ADDRESS.parse(&in, str_of(text), NULL, &spec.addr), 0);
	return spec;
}

/* After port 0: the spec of where it really listens. */
static struct listen_spec bound(const struct listen_spec *spec, int fd)
{
	struct listen_spec b = *spec;
	b.addr.length = sizeof b.addr.storage;
	assert_int_equal(getsockname(fd, &b.addr.any, &b.addr.length), 0);
	return b;
}

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t n = sizeof value;
	assert_int_equal(getsockopt(fd, level, name, &value, &n), 0);
	return value;
}

static int connect_to(const struct listen_spec *spec)
{
	int fd = socket(spec->addr.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	if (connect(fd, &spec->addr.any, spec->addr.length) == 0)
		return fd;
	int err = -errno;
	close(fd);
	return err;
}

static void opens_and_tells_who_is_in_the_way(void **state)
{
	(void)state;
	char error[200] = "", name[16];
	int fd, again;
	struct listen_spec spec = spec_of("127.0.0.1:0");
	assert_int_equal(listener_open(&spec, &fd, error, sizeof error), 0);
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	struct listen_spec there = bound(&spec, fd);
	assert_true(listener_is(fd, &there));
	assert_false(listener_is(fd, &spec));
	assert_false(listener_is(0, &there));
	assert_int_equal(listener_open(&there, &again, error, sizeof error), -EADDRINUSE);
	snprintf(name, sizeof name, "(pid %d)", (int)getpid());
	assert_non_null(strstr(error, "is in use by"));
	assert_non_null(strstr(error, name));
	assert_non_null(strstr(error, "choose another port with listen"));
	close(fd);
}

static void any_address_takes_both_families(void **state)
{
	(void)state;
	char error[200];
	int fd, client;
	struct listen_spec spec = spec_of("*:0");
	assert_int_equal(listener_open(&spec, &fd, error, sizeof error), 0);
	struct listen_spec there = bound(&spec, fd), v4 = spec_of("127.0.0.1:0");
	((struct sockaddr_in *)&v4.addr.storage)->sin_port = htons(addr_port(&there.addr));
	client = connect_to(&v4);
	assert_true(client >= 0);
	close(client);
	close(fd);
	spec.v6only = true;
	assert_int_equal(listener_open(&spec, &fd, error, sizeof error), 0);
	there = bound(&spec, fd);
	((struct sockaddr_in *)&v4.addr.storage)->sin_port = htons(addr_port(&there.addr));
	assert_int_equal(connect_to(&v4), -ECONNREFUSED);
	close(fd);
}

static void reuseport_opens_many(void **state)
{
	(void)state;
	char error[200];
	int first, second;
	struct listen_spec spec = spec_of("127.0.0.1:0");
	spec.reuseport = true;
	assert_int_equal(listener_open(&spec, &first, error, sizeof error), 0);
	struct listen_spec there = bound(&spec, first);
	assert_int_equal(listener_open(&there, &second, error, sizeof error), 0);
	close(first);
	close(second);
	spec = spec_of("unix:/tmp/never");
	spec.reuseport = true;
	assert_int_equal(listener_open(&spec, &first, error, sizeof error), -EINVAL);
}

static void foreign_addresses_are_refused(void **state)
{
	(void)state;
	char error[200];
	int fd;
	struct listen_spec spec = spec_of("192.0.2.1:0");
	assert_int_equal(listener_open(&spec, &fd, error, sizeof error), -EADDRNOTAVAIL);
	assert_non_null(strstr(error, "no address of this machine"));
	spec = spec_of("unix:/nowhere/at/all");
	assert_int_equal(listener_open(&spec, &fd, error, sizeof error), -ENOENT);
	assert_non_null(strstr(error, "folder does not exist"));
}

static void unix_sockets(void **state)
{
	(void)state;
	char folder[] = "/tmp/petrel-listener-XXXXXX", text[64], error[200];
	struct stat st;
	int fd, again;
	assert_non_null(mkdtemp(folder));
	snprintf(text, sizeof text, "unix:%s/s", folder);
	struct listen_spec spec = spec_of(text);
	spec.mode = STR("0640");
	assert_int_equal(listener_open(&spec, &fd, error, sizeof error), 0);
	assert_int_equal(stat(text + 5, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_true(listener_is(fd, &spec));
	assert_int_equal(listener_open(&spec, &again, error, sizeof error), -EADDRINUSE);
	assert_non_null(strstr(error, "choose another path"));
	spec.mode = STR("0600");
	assert_int_equal(listener_adjust(fd, &spec), 0);
	assert_int_equal(stat(text + 5, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* The file stays behind; nobody answers on it any more. */
	close(fd);
	assert_int_equal(listener_open(&spec, &fd, error, sizeof error), 0);
	close(fd);
	unlink(text + 5);
	/* A file of another kind is never removed. */
	close(open(text + 5, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(listener_open(&spec, &fd, error, sizeof error), -EADDRINUSE);
	assert_non_null(strstr(error, "no socket"));
	assert_int_equal(stat(text + 5, &st), 0);
	unlink(text + 5);
	rmdir(folder);
}

static void abstract_sockets(void **state)
{
	(void)state;
	char text[64], error[200];
	int fd, again;
	snprintf(text, sizeof text, "unix:@petrel-test-%d", (int)getpid());
	struct listen_spec spec = spec_of(text);
	assert_int_equal(listener_open(&spec, &fd, error, sizeof error), 0);
	assert_true(listener_is(fd, &spec));
	assert_int_equal(listener_open(&spec, &again, error, sizeof error), -EADDRINUSE);
	assert_non_null(strstr(error, "(pid "));
	close(fd);
}

struct place {
	struct door door;
	struct loop loop;
	struct timer end;
	int fds[64];
	int accepted, starved, err;
	int wanted;
	struct ip from;
};

static void accepted(struct door *d, int fd, const struct ip *from)
{
	struct place *p = container_of(d, struct place, door);
	p->fds[p->accepted++] = fd;
	p->from = *from;
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	if (p->accepted == p->wanted) {
		door_close(d);
		loop_stop(&p->loop);
	}
}

static void set_descriptors(rlim_t most)
{
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = most ? most : limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void starved(struct door *d, int err)
{
	struct place *p = container_of(d, struct place, door);
	p->starved++;
	p->err = err;
	set_descriptors(0);
}

static void too_late(struct timer *t)
{
	(void)t;
	fail_msg("the door did not open again");
}

static void a_door_accepts_and_pauses(void **state)
{
	(void)state;
	char error[200];
	int fd, clients[50];
	struct place p = { .wanted = 50 };
	struct listen_spec spec = spec_of("127.0.0.1:0");
	spec.backlog = 100;
	assert_int_equal(listener_open(&spec, &fd, error, sizeof error), 0);
	struct listen_spec there = bound(&spec, fd);
	assert_int_equal(loop_init(&p.loop, 0), 0);
	p.door.accepted = accepted;
	p.door.starved = starved;
	assert_int_equal(door_open(&p.door, &p.loop, fd), 0);
	for (int i = 0; i < p.wanted; i++)
		assert_true((clients[i] = connect_to(&there)) >= 0);
	set_descriptors((rlim_t)clients[49] + 10);
	timer_init(&p.end, too_late);
	timer_set(&p.loop.wheel, &p.end, p.loop.now_ms + 5000);
	loop_run(&p.loop);
	assert_int_equal(p.accepted, 50);
	assert_int_equal(p.starved, 1);
	assert_int_equal(p.err, -EMFILE);
	assert_int_equal(p.from.family, AF_INET);
	assert_int_equal(option(p.fds[0], IPPROTO_TCP, TCP_NODELAY), 1);
	for (int i = 0; i < p.wanted; i++) {
		close(clients[i]);
		close(p.fds[i]);
	}
	loop_fini(&p.loop);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_and_tells_who_is_in_the_way),
		cmocka_unit_test(any_address_takes_both_families),
		cmocka_unit_test(reuseport_opens_many),
		cmocka_unit_test(foreign_addresses_are_refused),
		cmocka_unit_test(unix_sockets),
		cmocka_unit_test(abstract_sockets),
		cmocka_unit_test(a_door_accepts_and_pauses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
