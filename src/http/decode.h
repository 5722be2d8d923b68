/* What goes to an origin and comes back, taken apart for people to read: FastCGI's records, SCGI's, uwsgi's and CGI's
 * variables, HTTP's heads.
 *
 * No codec: it looks at copies, which may be cut off anywhere, and never finds fault.  Functions without state. */
#pragma once

#include "http/codec.h"

/* --- FastCGI.  Of each record so much is kept as people read. --- */

enum { RECORD_B = 8, RECORD_PARAMS = 4, RECORD_STDIN = 5, RECORD_STDOUT = 6, RECORD_STDERR = 7 };

/* How far a stream of records was read; zeroed: its beginning. */
struct thin {
	unsigned char head[RECORD_B];
	unsigned have;            /* bytes of it */
	size_t left, keep;        /* of its content, to come and to be kept; then its padding */
	size_t padding;
};

/* Appends what is kept of the stream's next bytes. */
void thin_add(struct thin *t, struct str bytes, struct buf *out);

struct record {
	uint8_t type;
	unsigned id;
	size_t length;            /* of its content */
	struct str content;       /* what was kept of it, and has come */
};

/* The next of what thin_add() made; false at its end. */
bool record_next(struct str *in, struct record *out);
/* "STDOUT", "UNKNOWN_TYPE" … */
const char *record_name(uint8_t type);

/* --- Variables and fields. --- */

/* Splits what goes to an origin: its variables or its head, and the body's beginning.  False where there is not enough. */
bool decode_ask(enum decode how, struct str in, struct str *head, struct str *body);
/* The next variable of the head, or of a FastCGI record; false at the end, or where it was cut off. */
bool decode_pair(enum decode how, struct str *head, struct str *name, struct str *value);
/* A head of lines, as HTTP's and CGI's: its first line where it is a request's or a status line, its fields, its body. */
void decode_head(struct str in, struct str *first, struct str *fields, struct str *body);
/* The next field; one that was cut off counts. */
bool decode_field(struct str *fields, struct str *name, struct str *value);
