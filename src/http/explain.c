/* Sentences of explanations.  The control thread. */
#include "http/explain.h"

void explain_say(struct explained *e, const char *format, ...)
{
	struct buf text = {};
	va_list args;
	va_start(args, format);
	buf_addv(&text, format, args);
	va_end(args);
	buf_addf(e->sentences, "%s\"", e->sentences->n ? "," : "");
	buf_add_json(e->sentences, buf_str(&text));
	buf_add_char(e->sentences, '"');
	buf_fini(&text);
}
