/* Whether the program that an app's command begins with is there.  As far as can be told without being a shell: where the
 * command begins with anything but a program's plain name, nothing is said.  Runs on the thread that builds the
 * configuration. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "http/backend_in.h"
#include "http/check.h"

/* The shell's own words, of which there are no programs, or others. */
static const char *const BUILTINS[] = {
	".",    ":",    "alias", "bg",     "break", "case",     "cd",     "command", "continue", "eval",  "exec", "exit",
	"export", "fc", "fg",    "for",    "getopts", "hash",   "if",     "jobs",    "local",    "read",  "readonly",
	"return", "set", "shift", "times", "trap",  "type",     "ulimit", "umask",   "unalias",  "unset", "until",
	"wait", "while", NULL,
};

static bool is_builtin(struct str word)
{
	for (size_t i = 0; BUILTINS[i]; i++)
		if (str_eq(word, str_of(BUILTINS[i])))
			return true;
	return false;
}

/* Nothing in it means anything to a shell. */
static bool is_plain(struct str word)
{
	for (size_t i = 0; i < word.n; i++)
		if (!ascii_alpha(word.p[i]) && !ascii_digit(word.p[i]) && !strchr("_-+.,:@%/", word.p[i]))
			return false;
	return word.n;
}

static struct str take_word(struct str *rest)
{
	*rest = str_trim(*rest);
	struct str word = str_head(*rest, str_find(*rest, ' '));
	*rest = str_from(*rest, word.n);
	return word;
}

/* Empty where nobody knows. */
static struct str program_of(struct str command)
{
	struct str word = take_word(&command);
	if (str_eq(word, STR("exec")))
		word = take_word(&command);
	return is_plain(word) && !is_builtin(word) ? word : STR("");
}

/* Where its shell will look for programs. */
static struct str search_path(const struct app_conf *a)
{
	const struct env_line *lines = a->env_lines.p;
	for (size_t i = 0; i < a->env_lines.count; i++)
		if (str_eq(lines[i].name, STR("PATH")))
			return lines[i].value;
	return STR(APP_PATH);
}

/* 0, or why it can't be run. */
static int look(struct str folder, struct str name)
{
	char path[PATH_MAX];
	struct stat st;
	if (str_starts(name, STR("/")))
		folder = STR("");
	if ((size_t)snprintf(path, sizeof path, "%.*s/%.*s", STR_F(folder), STR_F(name)) >= sizeof path)
		return ENAMETOOLONG;
	if (stat(path, &st) < 0)
		return errno;
	return S_ISREG(st.st_mode) && st.st_mode & 0111 ? 0 : EACCES;
}

static bool is_in(struct str path, struct str name)
{
	while (path.p)
		if (look(str_cut(&path, ':'), name) == 0)
			return true;
	return false;
}

void check_command(struct checker *c, const struct app_conf *a)
{
	struct str name = program_of(a->command);
	if (!check_files(c) || !name.n)
		return;
	int err = str_find(name, '/') < name.n ? look(a->folder, name) : 0;
	if (err) {
		check_warn(c, &a->command, "the program %.*s can't be run: %s", STR_F(name), strerror(err));
	} else if (str_find(name, '/') == name.n && !is_in(search_path(a), name)) {
		check_warn(c, &a->command, "there is no program %.*s in PATH", STR_F(name));
		check_hint(c, "it is looked for in %.*s", STR_F(search_path(a)));
	}
}
