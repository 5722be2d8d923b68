/* petrel reload: asks the running server to read its configuration again, and says what came of it. */
#include "main/cli_reload.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "config/build.h"
#include "main/ask.h"
#include "main/modules.h"

enum { RELOAD_CONFIG };

const struct option RELOAD_OPTIONS[] = {
	[RELOAD_CONFIG] = { "config", 'c', "FILE", "the configuration, which names the admin socket" },
	{},
};

/* What is wrong here already needs no server to say it. */
static int check(const char *file, const struct sources *sources, int err, struct messages *messages)
{
	struct conf *conf = NULL;
	if (!err)
		err = conf_build(sources, MODULES, MODULE_COUNT, false, messages, &conf);
	conf_free(conf);
	if (!err)
		return 0;
	struct buf text = {};
	messages_print(messages, false, &text);
	fprintf(stderr, "%.*s%s: nothing was asked of the server, which goes on as it was\n", STR_F(buf_str(&text)), file);
	buf_fini(&text);
	return 1;
}

/* The admin socket that the file names: 0, or 1 after saying what is wrong. */
static int find_admin(const char *file, struct admin_at *out)
{
	struct sources sources = {};
	struct messages messages = {};
	int err = sources_read(&sources, str_of(file), &messages);
	int status = check(file, &sources, err, &messages);
	if (!status && !admin_at_conf(&sources, out)) {
		fprintf(stderr, "petrel reload: %s names no admin socket: add \"admin unix:/run/petrel/admin.sock;\" and "
		                "restart, or send SIGHUP\n", file);
		status = 1;
	}
	messages_fini(&messages);
	sources_fini(&sources);
	return status;
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

int reload_tell(const struct answer *a)
{
	json_t *json = json_loadb(a->body.p, a->body.n, 0, NULL);
	const json_t *messages = json_object_get(json, "messages"), *m;
	bool fine = json_is_true(json_object_get(json, "ok"));
	size_t i;
	json_array_foreach(messages, i, m)
		print_message(m);
	if (!json)
		fprintf(stderr, "petrel reload: the server answered something else than JSON: %.*s\n",
		        (int)str_find(buf_str(&a->raw), '\r'), a->raw.p);
	else
		fputs(fine ? "reloaded\n" : "not reloaded: everything is as it was\n", fine ? stdout : stderr);
	json_decref(json);
	return fine ? 0 : 1;
}

int cli_reload(const struct options *o)
{
	const char *file = o->values[RELOAD_CONFIG];
	struct admin_at admin = {};
	struct answer answer;
	if (!file) {
		fputs("petrel reload: which configuration?  petrel reload -c petrel.conf\n", stderr);
		return 2;
	}
	if (find_admin(file, &admin))
		return 1;
	int err = ask(&admin, "POST", STR("/reload"), STR(""), &answer), status = 1;
	if (err)
		fprintf(stderr, "petrel reload: no answer on the admin socket: %s\n", strerror(-err));
	else
		status = reload_tell(&answer);
	answer_fini(&answer);
	return status;
}
