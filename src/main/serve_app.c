/* Trying a program, and writing its configuration.  Runs before the supervisor; keeps nothing. */
#include "main/serve_app.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "control/slot.h"
#include "main/launch.h"

enum {
	TRIAL_MS = 15000,
	PATIENCE_MS = 2000,   /* then it is said what is waited for */
	LOOK_MS = 20,
	END_MS = 2000,     /* from SIGTERM to SIGKILL */
};

extern char **environ;

/* --- Its environment: the one of whoever types the command. --- */

static struct items env_of_shell(void)
{
	struct str *list = NULL;
	size_t count = 0;
	for (char **e = environ; *e; e++) {
		list = mem_grow(list, (count + 1) * sizeof *list);
		list[count++] = str_of(*e);
	}
	return (struct items){ list, count };
}

/* --- The trial. --- */

struct trial {
	struct slot socket, port;
	int fastcgi;         /* connected to the socket: a question is asked there */
	pid_t pid;
};

/* FCGI_GET_VALUES for FCGI_MAX_CONNS (FastCGI 1.0, 4.1), which every FastCGI program answers. */
static const unsigned char QUESTION[] = { 1, 9, 0, 0, 0, 16, 0, 0, 14, 0, 'F', 'C', 'G', 'I', '_',
	                                      'M', 'A', 'X', '_', 'C', 'O', 'N', 'N', 'S' };
enum { ANSWER_TYPE = 10 };

static int dial(const struct slot *s, int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&s->addr, s->addr_b) < 0 && errno != EINPROGRESS) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static bool trial_begin(struct trial *t, const char *command)
{
	char error[256];
	struct items env = env_of_shell();
	*t = (struct trial){ .fastcgi = -1 };
	slot_init(&t->port);
	if (slot_open_socket(&t->socket, error, sizeof error) < 0 || slot_open_port(&t->port, error, sizeof error) < 0) {
		fprintf(stderr, "petrel serve: %s\n", error);
		return false;
	}
	t->fastcgi = dial(&t->socket, AF_UNIX);
	if (t->fastcgi >= 0)
		(void)!write(t->fastcgi, QUESTION, sizeof QUESTION);
	struct launch l = { .command = command, .folder = ".", .env = env, .input = t->socket.listen_fd, .listens = true,
		                .output = STDERR_FILENO, .port = t->port.port, .cgroup = -1 };
	t->pid = launch(&l, error, sizeof error);
	mem_free(env.p);
	if (t->pid < 0)
		fprintf(stderr, "petrel serve: %s: %s\n", error, strerror(-t->pid));
	return t->pid > 0;
}

static bool speaks_fastcgi(const struct trial *t)
{
	unsigned char head[2];
	return recv(t->fastcgi, head, sizeof head, MSG_DONTWAIT) == sizeof head && head[0] == 1 && head[1] == ANSWER_TYPE;
}

static bool listens(const struct trial *t)
{
	int fd = dial(&t->port, AF_INET), err = 0;
	struct pollfd p = { fd, POLLOUT, 0 };
	socklen_t n = sizeof err;
	bool does = fd >= 0 && poll(&p, 1, 100) == 1 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &n) == 0 && !err;
	if (fd >= 0)
		close(fd);
	return does;
}

static bool has_ended(struct trial *t)
{
	if (t->pid > 0 && waitpid(t->pid, NULL, WNOHANG) == t->pid)
		t->pid = 0;
	return t->pid <= 0;
}

static void trial_end(struct trial *t)
{
	if (t->fastcgi >= 0)
		close(t->fastcgi);
	slot_close(&t->socket);
	slot_close(&t->port);
	if (has_ended(t))
		return;
	kill(-t->pid, SIGTERM);
	for (uint64_t until_ms = clock_ms() + END_MS; clock_ms() < until_ms && !has_ended(t);)
		poll(NULL, 0, LOOK_MS);
	if (has_ended(t))
		return;
	kill(-t->pid, SIGKILL);
	waitpid(t->pid, NULL, 0);
}

/* Until it listens, answers, has ended, or has had its time. */
static enum spoken watch_trial(struct trial *t)
{
	uint64_t begin_ms = clock_ms(), took_ms = 0;
	bool told = false;
	while (!listens(t) && !has_ended(t) && took_ms < TRIAL_MS) {
		if (speaks_fastcgi(t))
			return SPOKEN_FASTCGI;
		if (took_ms >= PATIENCE_MS && !told)
			fprintf(stderr, "petrel serve: waiting for the app to listen on port %u (in $PORT), or to speak FastCGI\n",
			        t->port.port);
		told |= took_ms >= PATIENCE_MS;
		poll(NULL, 0, LOOK_MS);
		took_ms = clock_ms() - begin_ms;
	}
	return SPOKEN_HTTP;
}

static enum spoken find_out(const char *command)
{
	struct trial t;
	enum spoken spoken = trial_begin(&t, command) ? watch_trial(&t) : SPOKEN_HTTP;
	trial_end(&t);
	return spoken;
}

enum spoken serve_app_speaks(const char *command)
{
	struct str rest = str_trim(str_of(command)), first = str_cut(&rest, ' ');
	size_t slash = str_rfind(first, '/');
	if (str_starts(slash < first.n ? str_from(first, slash + 1) : first, STR("php-cgi")))
		return SPOKEN_PHP;
	return find_out(command);
}

/* --- The configuration. --- */

/* What a shell can hold and a configuration should not: functions, several lines; and what is ours to say. */
static bool is_plain(struct str name, struct str value)
{
	static const struct str OURS[] = { { "PORT", 4 }, { "LISTEN_FDS", 10 }, { "LISTEN_PID", 10 }, { "NOTIFY_SOCKET", 13 } };
	for (size_t i = 0; i < countof(OURS); i++)
		if (str_eq(name, OURS[i]))
			return false;
	for (size_t i = 0; i < name.n; i++)
		if (!ascii_alpha(name.p[i]) && !ascii_digit(name.p[i]) && name.p[i] != '_')
			return false;
	return name.n && str_is_printable(value) && !strstr(value.p, "${");
}

static void add_env(struct buf *out)
{
	for (char **e = environ; *e; e++) {
		struct str value = str_of(*e), name = str_cut(&value, '=');
		if (!value.p || !is_plain(name, value))
			continue;
		buf_addf(out, "\tenv %.*s ", STR_F(name));
		type_print_word(out, value);
		buf_add(out, STR(";\n"));
	}
}

void serve_app_block(struct buf *out, const char *command, enum spoken spoken)
{
	char folder[PATH_MAX];
	buf_add(out, STR("app app {\n\tcommand "));
	type_print_word(out, str_of(command));
	/* What a program keeps in its memory is whole where there is one of it. */
	buf_addf(out, ";\n\tprotocol %s;\n\tprocesses %s;\n\tstart_timeout 1m;\n\tstop_timeout 1s;\n",
	         spoken == SPOKEN_HTTP ? "http" : "fastcgi", spoken == SPOKEN_PHP ? "1..4" : "1");
	if (getcwd(folder, sizeof folder)) {
		buf_add(out, STR("\tfolder "));
		type_print_word(out, str_of(folder));
		buf_add(out, STR(";\n"));
	}
	add_env(out);
	buf_add(out, STR("}\n"));
}

static void php_routes(struct buf *out, const char *folder, bool listing)
{
	char path[PATH_MAX + 16];
	snprintf(path, sizeof path, "%s/index.php", folder);
	buf_addf(out, "\tindex index.php index.html;\n\troute *.php { fastcgi app; }\n\troute *.php/* { fastcgi app; }\n"
	         "\troute * { files { listing %s; try $path $path/ %s; } }\n", listing ? "on" : "off",
	         access(path, R_OK) == 0 ? "/index.php" : "=404");
}

void serve_app_routes(struct buf *out, const char *folder, enum spoken spoken, bool listing)
{
	switch (spoken) {
	case SPOKEN_PHP: php_routes(out, folder, listing); break;
	case SPOKEN_FASTCGI: buf_add(out, STR("\troute * { fastcgi app { mount /; } }\n")); break;
	case SPOKEN_HTTP:
		buf_add(out, STR("\troute = /.petrel/app { internal; proxy app { path $target; } }\n"
		                 "\troute * { files { try $path ${path}index.html /.petrel/app; } }\n"));
		break;
	}
}
