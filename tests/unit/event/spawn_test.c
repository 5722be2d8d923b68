/* What worker and spawner say to each other comes through whole; what is not such a message is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "event/packet.h"
#include "event/spawn.h"

static const struct spawn_message ROWS[] = {
	{ .kind = SPAWN_START, .id = 1, .number = 8080, .name = { "php", 3 } },
	{ .kind = SPAWN_FAILED, .id = UINT64_MAX, .number = EAGAIN, .text = { "can't make a process", 20 } },
	{ .kind = SPAWN_SEEN, .id = 7, .memory_b = UINT64_MAX, .descriptors = 12 },
	{ .kind = SPAWN_RUN, .id = 8, .number = -1, .name = { "a/b.cgi", 7 }, .text = { "A=1\0B=2", 8 } },
	{ .kind = SPAWN_ENDED },
};

static void messages_come_through(void **state)
{
	(void)state;
	int ends[2];
	struct spawn_received r = {};
	assert_int_equal(packet_pair(ends), 0);
	for (size_t i = 0; i < countof(ROWS); i++) {
		const struct spawn_message *m = &ROWS[i];
		assert_int_equal(spawn_send(ends[0], m, NULL, 0, false), 0);
		assert_int_equal(spawn_receive(ends[1], &r), 0);
		assert_int_equal(r.m.kind, m->kind);
		assert_true(r.m.id == m->id && r.m.number == m->number);
		assert_true(r.m.memory_b == m->memory_b && r.m.descriptors == m->descriptors);
		assert_true(str_eq(r.m.name, m->name) && str_eq(r.m.text, m->text));
		assert_int_equal(r.fds[0], -1);
	}
	assert_int_equal(spawn_receive(ends[1], &r), -EAGAIN);
	close(ends[0]);
	assert_int_equal(spawn_receive(ends[1], &r), -EPIPE);
	close(ends[1]);
	spawn_received_fini(&r);
}

static void a_descriptor_belongs_to_who_takes_it(void **state)
{
	(void)state;
	int ends[2], pipes[2];
	struct spawn_received r = {};
	char byte;
	assert_int_equal(packet_pair(ends), 0);
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	assert_int_equal(spawn_send(ends[0], &ROWS[0], &pipes[1], 1, true), 0);
	assert_int_equal(spawn_send(ends[0], &ROWS[0], &pipes[1], 1, true), 0);
	close(pipes[1]);
	assert_int_equal(spawn_receive(ends[1], &r), 0);
	int fd = spawn_take_fd(&r, 0);
	spawn_drop_fds(&r);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
	assert_int_equal(spawn_receive(ends[1], &r), 0);
	spawn_drop_fds(&r);
	assert_int_equal(read(pipes[0], &byte, 1), 1);
	assert_int_equal(read(pipes[0], &byte, 1), 0);
	close(pipes[0]);
	close(ends[0]);
	close(ends[1]);
	spawn_received_fini(&r);
}

static void whoever_does_not_read_is_not_waited_for(void **state)
{
	(void)state;
	int ends[2], err;
	assert_int_equal(packet_pair(ends), 0);
	while ((err = spawn_send(ends[0], &ROWS[0], NULL, 0, false)) == 0)
		continue;
	assert_int_equal(err, -ETIMEDOUT);
	close(ends[0]);
	close(ends[1]);
}

static void what_is_malformed_is_refused(void **state)
{
	(void)state;
	struct buf good = {};
	struct spawn_message m;
	spawn_encode(&ROWS[3], &good);
	for (size_t n = 0; n < good.n; n++)
		assert_int_equal(spawn_decode(str_make(good.p, n), &m), -EBADMSG);
	assert_int_equal(spawn_decode(buf_str(&good), &m), 0);
	buf_add_char(&good, 'x');
	assert_int_equal(spawn_decode(buf_str(&good), &m), -EBADMSG);
	good.n--;
	static const uint32_t KINDS[] = { 0, SPAWN_LAST + 1, UINT32_MAX };
	for (size_t i = 0; i < countof(KINDS); i++) {
		memcpy(good.p, &KINDS[i], sizeof KINDS[i]);
		assert_int_equal(spawn_decode(buf_str(&good), &m), -EBADMSG);
	}
	buf_fini(&good);
}

int main(void)
{
	static const struct CMUnitTest TESTS[] = {
		cmocka_unit_test(messages_come_through),
		cmocka_unit_test(a_descriptor_belongs_to_who_takes_it),
		cmocka_unit_test(whoever_does_not_read_is_not_waited_for),
		cmocka_unit_test(what_is_malformed_is_refused),
	};
	return cmocka_run_group_tests(TESTS, NULL, NULL);
}
