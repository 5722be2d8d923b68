/* systemd's socket passing.  The supervisor's thread, at its start. */
#include "main/passed.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/num.h"

enum {
	FIRST_FD = 3,    /* SD_LISTEN_FDS_START */
	MOST_FDS = 4096,
};

static uint64_t number_in_env(const char *name)
{
	const char *text = getenv(name);
	uint64_t n = 0;
	return text && num_parse(str_of(text), INT32_MAX, &n) == 0 ? n : 0;
}

struct passed passed_take(void)
{
	struct passed p = { .first = FIRST_FD };
	uint64_t count = number_in_env("LISTEN_FDS");
	if (number_in_env("LISTEN_PID") == (uint64_t)getpid() && count <= MOST_FDS)
		p.count = (unsigned)count;
	for (unsigned i = 0; i < p.count; i++) {
		int fd = p.first + (int)i, flags = fcntl(fd, F_GETFL);
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		if (flags >= 0)
			fcntl(fd, F_SETFL, flags | O_NONBLOCK);  /* loops accept from it */
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return p;
}

int passed_find(const struct passed *p, const struct listen_spec *spec)
{
	for (unsigned i = 0; i < p->count; i++)
		if (listener_is(p->first + (int)i, spec))
			return p->first + (int)i;
	return -1;
}
