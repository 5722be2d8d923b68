/* petrel reload: asks the running server to read its configuration again, and says what came of it. */
#include "main/cli_reload.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/build.h"
#include "http/core.h"
#include "main/modules.h"

enum { RELOAD_CONFIG };
enum { ANSWER_MOST_B = 1 << 20 };

/* A reload of ten thousand sites takes a fraction of a second; a server that hangs takes longer. */
static const struct timeval PATIENCE = { .tv_sec = 30 };

const struct option RELOAD_OPTIONS[] = {
	[RELOAD_CONFIG] = { "config", 'c', "FILE", "the configuration, which names the admin socket" },
	{},
};

/* The admin socket that the file names: 0, or 1 after saying what is wrong. */
static int find_admin(const char *file, struct addr *out)
{
	struct sources sources = {};
	struct messages messages = {};
	struct conf *conf = NULL;
	int status = 1;
	int err = sources_read(&sources, str_of(file), &messages);
	if (err || conf_build(&sources, MODULES, MODULE_COUNT, false, &messages, &conf)) {
		struct buf text = {};
		messages_print(&messages, false, &text);
		fprintf(stderr, "%.*s%s: nothing was asked of the server, which goes on as it was\n", STR_F(buf_str(&text)),
		        file);
		buf_fini(&text);
	} else {
		struct type_in in = {};
		struct type_range range = {};
		struct str admin = conf_core(conf)->admin;
		status = admin.n && TYPE_ADDRESS.parse(&in, admin, &range, out) == 0 ? 0 : 1;
		if (status)
			fprintf(stderr, "petrel reload: %s names no admin socket: add \"admin unix:/run/petrel/admin.sock;\" and "
			                "restart, or send SIGHUP\n", file);
	}
	conf_free(conf);
	messages_fini(&messages);
	sources_fini(&sources);
	return status;
}

static int ask(const struct addr *admin, struct buf *answer)
{
	static const char REQUEST[] = "POST /reload HTTP/1.0\r\nHost: admin\r\n\r\n";
	int fd = socket(admin->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	int err = 0;
	ssize_t n = 1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &PATIENCE, sizeof PATIENCE);
	if (connect(fd, &admin->any, admin->length) < 0 || send(fd, REQUEST, sizeof REQUEST - 1, MSG_NOSIGNAL) < 0)
		err = -errno;
	while (!err && n > 0 && answer->n < ANSWER_MOST_B) {
		n = recv(fd, buf_room(answer, 65536), 65536, 0);
		if (n > 0)
			answer->n += (size_t)n;
		else if (n < 0)
			err = -errno;
	}
	close(fd);
	return err;
}

static void print_message(const json_t *m)
{
	const char *file = json_string_value(json_object_get(m, "file"));
	const char *level = json_string_value(json_object_get(m, "level"));
	const char *text = json_string_value(json_object_get(m, "text"));
	if (file)
		fprintf(stderr, "%s:%lld:%lld: ", file, (long long)json_integer_value(json_object_get(m, "line")),
		        (long long)json_integer_value(json_object_get(m, "column")));
	fprintf(stderr, "%s: %s\n", level ? level : "error", text ? text : "");
}

static int tell(struct str answer)
{
	size_t head = 0;
	while (head + 4 <= answer.n && memcmp(answer.p + head, "\r\n\r\n", 4) != 0)
		head++;
	struct str body = str_from(answer, head + 4);
	json_t *json = json_loadb(body.p, body.n, 0, NULL);
	const json_t *messages = json_object_get(json, "messages"), *m;
	bool fine = json_is_true(json_object_get(json, "ok"));
	size_t i;
	json_array_foreach(messages, i, m)
		print_message(m);
	if (!json)
		fprintf(stderr, "petrel reload: the server answered something else than JSON: %.*s\n",
		        (int)str_find(answer, '\r'), answer.p);
	else
		fputs(fine ? "reloaded\n" : "not reloaded: everything is as it was\n", fine ? stdout : stderr);
	json_decref(json);
	return fine ? 0 : 1;
}

int cli_reload(const struct options *o)
{
	const char *file = o->values[RELOAD_CONFIG];
	struct addr admin;
	struct buf answer = {};
	if (!file) {
		fputs("petrel reload: which configuration?  petrel reload -c petrel.conf\n", stderr);
		return 2;
	}
	if (find_admin(file, &admin))
		return 1;
	int err = ask(&admin, &answer);
	int status = 1;
	if (err)
		fprintf(stderr, "petrel reload: no answer on the admin socket: %s\n", strerror(-err));
	else
		status = tell(buf_str(&answer));
	buf_fini(&answer);
	return status;
}
