/* Descriptors read and written to their end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/whole.h"

enum { LARGE_B = 300000 };

static void there_and_back(void **state)
{
	(void)state;
	static const size_t SIZES[] = { 0, 1, 65536, LARGE_B };
	char *bytes = mem_new(LARGE_B);
	memset(bytes, 'x', LARGE_B);
	for (size_t i = 0; i < countof(SIZES); i++) {
		int fd = memfd_create("test", MFD_CLOEXEC);
		struct buf back = {};
		assert_int_equal(write_whole(fd, str_make(bytes, SIZES[i])), 0);
		/* From its first byte on, wherever its offset is. */
		assert_int_equal(read_whole(fd, LARGE_B, &back), 0);
		assert_int_equal(back.n, SIZES[i]);
		if (SIZES[i])
			assert_int_equal(read_whole(fd, SIZES[i] - 1, &back), -EFBIG);
		buf_fini(&back);
		close(fd);
	}
	mem_free(bytes);
}

static void what_can_not_be(void **state)
{
	(void)state;
	struct buf back = {};
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC), ends[2];
	assert_int_equal(write_whole(full, STR("x")), -ENOSPC);
	assert_int_equal(write_whole(-1, STR("x")), -EBADF);
	assert_int_equal(read_whole(-1, 1, &back), -EBADF);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(read_whole(ends[0], 1, &back), -ESPIPE);
	int copy = fd_copy(ends[0]);
	assert_true(copy >= 0);
	fd_swap(&ends[0], copy);
	fd_swap(&ends[0], -1);
	assert_int_equal(ends[0], -1);
	fd_swap(&ends[1], -1);
	fd_swap(&full, -1);
	buf_fini(&back);
}

int main(void)
{
	const struct CMUnitTest TESTS[] = { cmocka_unit_test(there_and_back), cmocka_unit_test(what_can_not_be) };
	return cmocka_run_group_tests(TESTS, NULL, NULL);
}
