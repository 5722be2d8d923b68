/* The error log's lines: time, level, text; each message at most once a second.  Runs on the ring's thread. */
#include <stdarg.h>
#include <stdio.h>

#include "base/civil.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "share/log_in.h"

enum {
	TEXT_MAX_B = 1000,           /* longer texts are cut */
	LINE_MAX_B = 4 * TEXT_MAX_B + 128,
	NOTE_EVERY_MS = 1000,
};

size_t note_time(char *p, size_t size_b, uint64_t wall_ms)
{
	char second[32];
	size_t n = civil_print(second, (int64_t)(wall_ms / 1000));
	return (size_t)snprintf(p, size_b, "%.*s.%03uZ", (int)n, second, (unsigned)(wall_ms % 1000));
}

/* How many bytes of s a terminal shows as they are, 0 where the first is a control character or no text.
 * U+0080 to U+009F are control characters, too. */
static size_t plain(struct str s)
{
	unsigned char c = (unsigned char)s.p[0];
	if (c < 0x20 || c == 0x7F)
		return 0;
	size_t n = utf8_length(s);
	return n == 2 && c == 0xC2 && (unsigned char)s.p[1] < 0xA0 ? 0 : n;
}

size_t note_escape(char *p, struct str text)
{
	char *start = p;
	while (text.n) {
		size_t n = plain(text);
		if (n)
			memcpy(p, text.p, n);
		else
			snprintf(p, 5, "\\x%02x", (unsigned char)text.p[0]);
		p += n ? n : 4;
		text = str_from(text, n ? n : 1);
	}
	return (size_t)(p - start);
}

size_t note_print(char *line, enum log_level level, struct str text)
{
	static const char *const LEVELS[] = {
		[LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARN] = "warn", [LOG_LEVEL_INFO] = "info", [LOG_LEVEL_DEBUG] = "debug",
	};
	size_t n = note_time(line, 64, clock_wall_ms());
	n += (size_t)snprintf(line + n, 16, " %s: ", LEVELS[level]);
	n += note_escape(line + n, text);
	line[n++] = '\n';
	return n;
}

/* False where the same message was printed within a second; else *left_out is how many were not. */
static bool may_print(struct log_ring *r, const char *format, uint64_t *left_out)
{
	uint64_t now_ms = clock_ms();
	struct note *n = &r->notes[(uintptr_t)format / 8 % NOTES_KNOWN];
	bool same = n->format == format;
	if (same && now_ms - n->printed_ms < NOTE_EVERY_MS) {
		n->left_out++;
		return false;
	}
	*left_out = same ? n->left_out : 0;
	*n = (struct note){ .format = format, .printed_ms = now_ms };
	return true;
}

[[gnu::format(printf, 4, 0)]] static void put(struct log_ring *ring, enum log_level level, uint64_t left_out,
                                             const char *format, va_list args)
{
	char text[TEXT_MAX_B], line[LINE_MAX_B];
	int n = vsnprintf(text, sizeof text, format, args);
	size_t length_b = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
	if (left_out && length_b < sizeof text - 1)
		length_b += (size_t)snprintf(text + length_b, sizeof text - length_b, " (and %llu times more in between)",
		                             (unsigned long long)left_out);
	if (length_b >= sizeof text)
		length_b = sizeof text - 1;
	log_put(ring, NULL, level, str_make(line, note_print(line, level, str_make(text, length_b))));
}

void log_note(struct log_ring *ring, enum log_level level, const char *format, ...)
{
	uint64_t left_out;
	va_list args;
	if (!log_wants(ring->log, level) || !may_print(ring, format, &left_out))
		return;
	va_start(args, format);
	put(ring, level, left_out, format, args);
	va_end(args);
}

void log_line(struct log_ring *ring, enum log_level level, const char *format, ...)
{
	va_list args;
	if (!log_wants(ring->log, level))
		return;
	va_start(args, format);
	put(ring, level, 0, format, args);
	va_end(args);
}
