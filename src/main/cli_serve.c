/* petrel serve: a folder, without a configuration file.  The configuration is written here, in memory, and then
 * takes the same way as any other. */
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "main/cli_run.h"
#include "main/serve_app.h"
#include "main/supervisor.h"

enum {
	PORT = 8080,
	PORTS = 10,      /* tried one after the other, where no --listen chooses */
	STOP_MS = 1000,  /* who presses Ctrl-C wants it to end */
};

const struct option SERVE_OPTIONS[] = {
	[SERVE_LISTEN] = { "listen", 'l', "ADDR:PORT", "where to serve (127.0.0.1:8080, or the next free port)" },
	[SERVE_LISTING] = { "listing", 0, NULL, "list folders that have no index page" },
	[SERVE_APP] = { "app", 'a', "COMMAND", "a program that answers what is no file: \"php-cgi\", \"python3 app.py\"" },
	{},
};

struct served {
	char folder[PATH_MAX];
	struct addr addr;
	enum spoken spoken;            /* by the app, where there is one */
};

static int parse(const char *text, struct addr *a)
{
	struct type_in in = {};
	struct type_range range = {};
	int err = TYPE_ADDRESS.parse(&in, str_of(text), &range, a);
	if (err)
		fprintf(stderr, "petrel serve: --listen %s: %s\n", text, in.error);
	return err;
}

/* The first port from PORT on that nobody has.  It is closed again, to be opened in the one place that opens listeners;
 * whoever takes it in between causes an error message, no harm. */
static int choose(struct addr *a)
{
	char text[32], error[256];
	for (int port = PORT; port < PORT + PORTS; port++) {
		struct listen_spec spec = { .backlog = 1 };
		int fd;
		snprintf(text, sizeof text, "127.0.0.1:%d", port);
		if (parse(text, &spec.addr) < 0)
			return -EINVAL;
		int err = listener_open(&spec, &fd, error, sizeof error);
		if (err) {
			fprintf(stderr, "petrel serve: %s\n", error);
			if (err != -EADDRINUSE)
				return err;
			continue;
		}
		close(fd);
		*a = spec.addr;
		if (port != PORT)
			fprintf(stderr, "petrel serve: taking the next free port, %d\n", port);
		return 0;
	}
	return -EADDRINUSE;
}

static void write_routes(struct buf *out, const struct served *served, const struct options *o)
{
	bool listing = o->values[SERVE_LISTING] != NULL;
	if (o->values[SERVE_APP])
		serve_app_routes(out, served->folder, served->spoken, listing);
	else
		buf_addf(out, "\troute * { files { listing %s; } }\n", listing ? "on" : "off");
}

static void write_conf(struct buf *out, const struct served *served, const struct options *o)
{
	struct type_range range = {};
	if (o->values[SERVE_APP])
		serve_app_block(out, o->values[SERVE_APP], served->spoken);
	buf_add(out, STR("listen "));
	TYPE_ADDRESS.print(out, &range, &served->addr);
	buf_add(out, STR(";\nsite * {\n\troot "));
	type_print_word(out, str_of(served->folder));
	buf_add(out, STR(";\n"));
	write_routes(out, served, o);
	buf_add(out, STR("}\n"));
}

/* What to type into a browser. */
static void print_url(const struct addr *a)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&a->storage;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&a->storage;
	struct buf text = {};
	bool any = (a->any.sa_family == AF_INET && v4->sin_addr.s_addr == INADDR_ANY) ||
	           (a->any.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr));
	addr_print(&text, a);
	if (any)
		printf("  http://localhost:%u/\n", addr_port(a));
	else
		printf("  %s%.*s%s\n", a->any.sa_family == AF_UNIX ? "" : "http://", STR_F(buf_str(&text)),
		       a->any.sa_family == AF_UNIX ? "" : "/");
	buf_fini(&text);
}

static void serving(void *arg, const struct addr *at)
{
	const struct served *served = arg;
	printf("petrel " PETREL_VERSION " serves %s\n", served->folder);
	print_url(at);
	fflush(stdout);
}

/* The absolute path of an existing folder, or -errno after saying what is wrong. */
static int resolve(const char *folder, char *path)
{
	struct stat st;
	int err = !realpath(folder, path) || stat(path, &st) < 0 ? -errno : S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
	if (err == -ENOTDIR)
		fprintf(stderr, "petrel serve: %s is not a folder\n", folder);
	else if (err)
		fprintf(stderr, "petrel serve: %s: %s\n", folder, strerror(-err));
	return err;
}

int cli_serve(const struct options *o)
{
	static struct served served;  /* as large as a path */
	const char *folder = o->word_count ? o->words[0] : ".";
	if (resolve(folder, served.folder))
		return 1;
	if (o->values[SERVE_LISTEN] ? parse(o->values[SERVE_LISTEN], &served.addr) : choose(&served.addr))
		return o->values[SERVE_LISTEN] ? 2 : 1;
	struct buf text = {};
	if (o->values[SERVE_APP])
		served.spoken = serve_app_speaks(o->values[SERVE_APP]);
	write_conf(&text, &served, o);
	struct supervisor_spec spec = {
		.origin = { .name = STR("petrel serve"), .folder = str_of(served.folder), .text = buf_str(&text) },
		.stop_ms = STOP_MS,
		.serving = serving,
		.arg = &served,
	};
	int status = supervisor_run(&spec);
	buf_fini(&text);
	return status;
}
