/* The type of places that logs go to.  No state; any thread. */
#include "http/log_file.h"

static int log_file_parse(struct type_in *in, struct str text, const struct type_range *range, void *out)
{
	static const char *const WORDS[] = { "stdout", "stderr", "syslog", "off" };
	for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
		if (str_eq(text, str_of(WORDS[i])))
			return TYPE_WORD.parse(in, text, range, out);
	return TYPE_PATH.parse(in, text, range, out);
}

static void log_file_print(struct buf *out, const struct type_range *range, const void *value)
{
	TYPE_WORD.print(out, range, value);
}

const struct type TYPE_LOG_FILE = { "log", "a file, or stdout, stderr, syslog or off", sizeof(struct str), log_file_parse,
	                            log_file_print };
