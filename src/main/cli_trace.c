/* petrel ctl trace.  One thread; waits. */
#include "main/cli_trace.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "main/har.h"
#include "main/show.h"
#include "main/table.h"

struct seeing {
	bool json, colour;
	const char *save;
	struct har har;
	int err;
};

/* The file is opened when there is something to be written: a server that refuses has not cost an older one. */
static void save(struct seeing *s, const json_t *trace)
{
	if (!s->err && s->save && !s->har.file)
		s->err = har_open(&s->har, s->save);
	if (!s->err && s->save && json_object_get(trace, "request"))
		s->err = har_add(&s->har, trace);
	if (s->err)
		fprintf(stderr, "petrel ctl: %s can't be written: %s\n", s->save, strerror(-s->err));
}

static bool see(void *arg, struct str line)
{
	struct seeing *s = arg;
	json_t *trace = json_loadb(line.p, line.n, 0, NULL);
	struct buf text = {};
	save(s, trace);
	if (s->json) {
		buf_add(&text, line);
		buf_add_char(&text, '\n');
	} else if (trace) {
		show_trace(trace, s->colour, &text);
	}
	if (text.n)
		fwrite(text.p, 1, text.n, stdout);
	/* Whoever reads it is gone. */
	bool goes_on = fflush(stdout) == 0 && !s->err;
	buf_fini(&text);
	json_decref(trace);
	return goes_on;
}

int cli_trace(const struct admin_at *at, struct str path, bool json, const char *file, struct answer *out)
{
	struct seeing s = { .json = json, .colour = colour_wanted(), .save = file };
	if (!json && isatty(STDERR_FILENO))
		fputs("petrel ctl: Ctrl-C ends it\n", stderr);
	int err = ask_lines(at, path, see, &s, out);
	har_close(&s.har);
	return s.err ? s.err : err;
}
