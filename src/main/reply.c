/* Messages of a reload on their way out.  The supervisor's thread. */
#include "main/reply.h"

#include <stdlib.h>
#include <unistd.h>

#include "main/say.h"

void reply_show(struct messages *m)
{
	struct buf text = {}, plain = {};
	if (!m->count[LEVEL_ERROR] && !m->count[LEVEL_WARNING])
		return;
	const char *no_color = getenv("NO_COLOR");
	messages_print(m, isatty(STDERR_FILENO) && !(no_color && *no_color), &text);
	/* Nobody could be told where this fails. */
	(void)!write(STDERR_FILENO, text.p, text.n);
	messages_print(m, false, &plain);
	say_again(buf_str(&plain));
	buf_fini(&text);
	buf_fini(&plain);
}

void reply_write(struct buf *out, bool ok, struct messages *m, size_t most_b)
{
	for (;;) {
		buf_clear(out);
		buf_add(out, ok ? STR("{\"ok\":true,") : STR("{\"ok\":false,"));
		size_t head = out->n;
		messages_print_json(m, out);
		/* One object out of two: the inner brace goes. */
		memmove(out->p + head, out->p + head + 1, out->n - head - 1);
		out->n--;
		if (out->n <= most_b || !m->kept)
			return;
		struct messages_mark half = messages_mark(m);
		half.kept /= 2;
		messages_rewind(m, &half);
	}
}
