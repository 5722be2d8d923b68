/* Finding programs and making their environment.  Runs in the spawner; what comes in is the worker's word, and is held to
 * what a request can be. */
#include "main/script.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "http/cgi.h"

/* --- The file. --- */

/* What is there, below the root, whatever links say: 0 or -errno. */
static int look(int root, struct str path, struct stat *st)
{
	char text[PATH_MAX];
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
	snprintf(text, sizeof text, "%.*s", STR_F(path));
	int fd = (int)syscall(SYS_openat2, root, text, &how, sizeof how);
	if (fd < 0)
		return -errno;
	int err = fstat(fd, st) < 0 ? -errno : 0;
	close(fd);
	return err;
}

/* The path without its first slash, up to the end of the segment that is the first file. */
static int find_file(int root, struct str below, size_t *end)
{
	struct stat st;
	for (*end = 0; *end < below.n; ++*end) {
		*end += str_find(str_from(below, *end), '/');
		if (look(root, str_head(below, *end), &st) < 0)
			return -ENOENT;
		if (S_ISREG(st.st_mode))
			return st.st_mode & 0111 ? 0 : -EACCES;
	}
	return -ENOENT;
}

int script_find(struct str root, struct str path, struct script *out)
{
	char text[PATH_MAX];
	size_t end;
	if (path.n < 2 || path.p[0] != '/' || root.n + path.n >= PATH_MAX || memchr(path.p, '\0', path.n))
		return -ENOENT;
	snprintf(text, sizeof text, "%.*s", STR_F(root));
	int fd = open(text, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -ENOENT;
	int err = find_file(fd, str_from(path, 1), &end);
	close(fd);
	if (err)
		return err;
	out->name_n = end + 1;
	int n = snprintf(out->path, sizeof out->path, "%.*s%.*s", STR_F(root), STR_F(str_head(path, out->name_n)));
	memcpy(out->folder, out->path, (size_t)n + 1);
	*strrchr(out->folder, '/') = '\0';
	return 0;
}

/* --- The environment. --- */

/* RFC 3875, 4.1, and what petrel adds; those of the file are made here. */
static const char *const NAMES[] = {
	"AUTH_TYPE",   "CONTENT_LENGTH", "CONTENT_TYPE",   "DOCUMENT_ROOT", "GATEWAY_INTERFACE", "HTTPS",
	"QUERY_STRING", "REDIRECT_STATUS", "REMOTE_ADDR",  "REMOTE_PORT",   "REMOTE_USER",       "REQUEST_ID",
	"REQUEST_METHOD", "REQUEST_SCHEME", "REQUEST_URI", "SERVER_NAME",   "SERVER_PORT",       "SERVER_PROTOCOL",
	"SERVER_SOFTWARE",
};

static bool may_be_set(struct str name, const struct items *params)
{
	const struct cgi_param *p = params->p;
	if (str_starts(name, STR("HTTP_")))
		return true;
	for (size_t i = 0; i < countof(NAMES); i++)
		if (str_eq(name, str_of(NAMES[i])))
			return true;
	for (size_t i = 0; i < params->count; i++)
		if (str_eq(name, p[i].name))
			return true;
	return false;
}

static void add(struct items *env, struct str name, struct str before, struct str value)
{
	struct buf line = {};
	buf_addf(&line, "%.*s=%.*s%.*s", STR_F(name), STR_F(before), STR_F(value));
	buf_add_char(&line, '\0');
	env->p = mem_grow(env->p, (env->count + 1) * sizeof(struct str));
	((struct str *)env->p)[env->count++] = str_make(line.p, line.n - 1);
}

struct items script_env(struct str vars, const struct items *params, struct str root, struct str path,
                        const struct script *s)
{
	struct items env = {};
	struct str info = str_from(path, s->name_n);
	add(&env, STR("SCRIPT_NAME"), STR(""), str_head(path, s->name_n));
	add(&env, STR("SCRIPT_FILENAME"), STR(""), str_of(s->path));
	if (info.n) {
		add(&env, STR("PATH_INFO"), STR(""), info);
		add(&env, STR("PATH_TRANSLATED"), root, info);
	}
	while (vars.n) {
		struct str value = str_cut(&vars, '\0'), name = str_cut(&value, '=');
		if (value.p && may_be_set(name, params))
			add(&env, name, STR(""), value);
	}
	return env;
}

void script_env_free(struct items *env)
{
	for (size_t i = 0; i < env->count; i++)
		mem_free((void *)(uintptr_t)((struct str *)env->p)[i].p);
	mem_free(env->p);
	*env = (struct items){};
}

struct str script_var(struct str vars, struct str name)
{
	while (vars.n) {
		struct str value = str_cut(&vars, '\0');
		if (str_eq(str_cut(&value, '='), name) && value.p)
			return value;
	}
	return STR("");
}
