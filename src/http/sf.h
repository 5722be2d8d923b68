/* Structured fields (RFC 9651): items, lists, dictionaries and their parameters, read where they lie, strictly.
 *
 * Walks take one member at a time off the front of a field's value: 1 and *out, 0 at the end, -EBADMSG.  By the RFC a field
 * that fails anywhere has said nothing at all: who uses members before he came to the end takes them back on -EBADMSG.
 * What a member holds (inner list, parameters) was read to its end when the member was taken. */
#pragma once

#include <stdint.h>

#include "base/str.h"

enum sf_kind {
	SF_INTEGER,    /* number */
	SF_DECIMAL,    /* number, in thousandths */
	SF_STRING,     /* text, between its quotes, as it was written: sf_text() */
	SF_TOKEN,      /* text */
	SF_BYTES,      /* text, base64: sf_text() */
	SF_BOOLEAN,    /* number, 0 or 1 */
	SF_DATE,       /* number, seconds since 1970 */
	SF_DISPLAY,    /* text, UTF-8 with percent-escapes: sf_text() */
	SF_INNER,      /* text, between its parentheses: sf_inner_next() */
};

enum { SF_INTEGER_DIGITS = 15, SF_DECIMAL_DIGITS = 12, SF_FRACTION_DIGITS = 3 };

struct sf {
	enum sf_kind kind;
	int64_t number;
	struct str text;
	struct str params;   /* as written, from the first ';' on: sf_param_next() */
};

/* The whole of a value as one item.  0 or -EBADMSG. */
[[nodiscard]] int sf_item(struct str value, struct sf *out);
/* Members of a list: items and inner lists. */
[[nodiscard]] int sf_list_next(struct str *rest, struct sf *out);
/* Of a dictionary.  A key that comes again takes the place of the earlier one: that is the caller's. */
[[nodiscard]] int sf_dict_next(struct str *rest, struct str *key, struct sf *out);
/* Of an inner list's text: items. */
[[nodiscard]] int sf_inner_next(struct str *rest, struct sf *out);
/* Of parameters: never inner lists. */
[[nodiscard]] int sf_param_next(struct str *rest, struct str *key, struct sf *out);

/* Writes what a string, token, byte sequence or display string stands for, at most text.n bytes; returns how many. */
size_t sf_text(const struct sf *s, char *to);
