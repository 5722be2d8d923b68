/* Preparing processes that tell of alerts.  The spawner's thread.
 *
 * The worker may be somebody else's by now: its text can say anything, and so it becomes a mail's subject and body and
 * never a field that names who gets it, and a request's body and never its head. */
#include "main/tell.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "main/webhook.h"

static const char *const MAIL_WORDS[] = { "-t", "-i", NULL };
static const char *const WEBHOOK_WORDS[] = { WEBHOOK_COMMAND, NULL };

/* Without what would end the line. */
static void add_line(struct buf *out, struct str line)
{
	for (size_t i = 0; i < line.n; i++)
		buf_add_char(out, (unsigned char)line.p[i] < ' ' || line.p[i] == 0x7f ? ' ' : line.p[i]);
}

/* --- Mail. --- */

static bool is_ascii(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	return true;
}

/* RFC 2047, 4.2: words of at most 75 bytes, each whole characters of UTF-8. */
static void add_encoded(struct buf *out, struct str line)
{
	enum { WORD_B = 60 };
	while (line.n) {
		size_t at = out->n, i = 0;
		buf_add(out, STR("=?utf-8?Q?"));
		while (i < line.n && (out->n - at < WORD_B || (line.p[i] & 0xC0) == 0x80)) {
			char c = line.p[i++];
			if (ascii_alpha(c) || ascii_digit(c))
				buf_add_char(out, c);
			else
				buf_addf(out, "=%02X", (unsigned char)c);
		}
		buf_add(out, STR("?="));
		line = str_from(line, i);
		if (line.n)
			buf_add(out, STR("\n "));
	}
}

static void add_mail(struct buf *out, const struct notify_conf *n, struct str subject, struct str body)
{
	const struct str *to = n->mail.p;
	struct buf clean = {};
	if (n->from.n)
		buf_addf(out, "From: %.*s\n", STR_F(n->from));
	for (size_t i = 0; i < n->mail.count; i++)
		buf_addf(out, "%s%.*s", i ? ",\n " : "To: ", STR_F(to[i]));
	buf_add(out, STR("\nSubject: "));
	add_line(&clean, subject);
	if (is_ascii(buf_str(&clean)))
		buf_add(out, buf_str(&clean));
	else
		add_encoded(out, buf_str(&clean));
	buf_add(out, STR("\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n"
	                 "Auto-Submitted: auto-generated\nX-Auto-Response-Suppress: All\n\n"));
	buf_add(out, body);
	buf_fini(&clean);
}

/* --- A webhook. --- */

static void add_hook(struct buf *out, const struct notify_conf *n, struct str body)
{
	const struct notify_header *headers = n->headers.p;
	const struct str texts[] = { n->url, n->secret, n->ca };
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		buf_add(out, texts[i]);
		buf_add_char(out, '\0');
	}
	for (size_t i = 0; i < n->headers.count; i++)
		buf_addf(out, "%.*s: %.*s\r\n", STR_F(headers[i].name), STR_F(headers[i].value));
	buf_add_char(out, '\0');
	buf_add(out, body);
}

/* --- Both, and commands. --- */

/* A file that has no name and is gone with the process. */
static int file_of(struct str bytes)
{
	int fd = memfd_create("petrel message", MFD_CLOEXEC);
	while (fd >= 0 && bytes.n) {
		ssize_t n = write(fd, bytes.p, bytes.n);
		if (n <= 0) {
			close(fd);
			return -EIO;
		}
		bytes = str_from(bytes, (size_t)n);
	}
	if (fd >= 0)
		lseek(fd, 0, SEEK_SET);
	return fd < 0 ? -errno : fd;
}

/* Mail is taken in by programs with the rights of a group or of root, as many a command that sends some is: only
 * petrel's own is kept from getting more rights than it begins with. */
static void set_program(struct launch *l, const struct notify_conf *n)
{
	l->may_gain = n->kind != NOTIFY_WEBHOOK;
	if (n->kind == NOTIFY_COMMAND) {
		l->command = n->command.p;
	} else if (n->kind == NOTIFY_MAIL) {
		l->program = n->sendmail.p;
		l->words = MAIL_WORDS;
	} else {
		l->program = "/proc/self/exe";
		l->words = WEBHOOK_WORDS;
	}
}

static void set_env(struct tell_start *t, const struct notify_conf *n, struct str line)
{
	const struct env_line *lines = n->env_lines.p;
	struct str *env = arena_new(&t->arena, (n->env_lines.count + 1) * sizeof *env);
	struct buf clean = {};
	add_line(&clean, line);
	env[0] = arena_strf(&t->arena, "PETREL_TEXT=%.*s", STR_F(buf_str(&clean)));
	for (size_t i = 0; i < n->env_lines.count; i++)
		env[i + 1] = arena_strf(&t->arena, "%.*s=%.*s", STR_F(lines[i].name), STR_F(lines[i].value));
	t->launch.env = (struct items){ env, n->env_lines.count + 1 };
	buf_fini(&clean);
}

int tell_start(struct tell_start *t, const struct notify_conf *n, struct str text)
{
	struct str line = str_cut(&text, '\n');
	struct buf input = {};
	*t = (struct tell_start){ .launch = { .folder = "/", .input = -1, .cgroup = -1 } };
	set_program(&t->launch, n);
	if (n->kind == NOTIFY_MAIL)
		add_mail(&input, n, line, text);
	else if (n->kind == NOTIFY_WEBHOOK)
		add_hook(&input, n, text);
	else
		buf_add(&input, text);
	arena_init(&t->arena, NULL, 0);
	set_env(t, n, line);
	t->launch.input = file_of(buf_str(&input));
	buf_fini(&input);
	return t->launch.input < 0 ? t->launch.input : 0;
}

void tell_fini(struct tell_start *t)
{
	if (t->launch.input >= 0)
		close(t->launch.input);
	arena_fini(&t->arena);
}
