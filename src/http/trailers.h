/* struct trailers: the fields behind a body (RFC 9110, 6.5), of an origin's answer on its way to a client that asked for
 * them ("TE: trailers").
 *
 * What is decided, checked or obeyed by fields has been decided when a body ends: so trailers that could change any of it
 * are dropped, whatever the origin meant by them.  In the request's arena, on its loop. */
#pragma once

#include "base/buf.h"
#include "http/lines.h"

struct trailers {
	struct field *hops;          /* the Connection fields of the head: what they name stays here */
	size_t hop_count;
	struct str *announced;       /* in the head's Trailer fields, of what may be passed on */
	size_t announced_count;
	struct str *removed;         /* names that the operator wants in no answer, or set to something else */
	size_t removed_count, removed_cap;
	struct field *fields;        /* what came; complete when the body is over */
	size_t count;
};

/* Whether a client says that it reads trailers. */
bool trailers_wanted(const struct ask *ask);
/* Whether a field may stand there at all. */
bool trailers_may(struct str name);
/* Of an answer whose head has these fields. */
struct trailers *trailers_new(struct arena *a, const struct field *head, size_t count);
/* The trailer section, from behind the last chunk to the end of the empty line: PARSE_DONE, *used bytes of it.  PARSE_BAD:
 * *why is a sentence.  t NULL: checked and dropped. */
enum parsed trailers_parse(struct arena *a, struct str in, struct trailers *t, size_t *used, const char **why);
/* What the answer's head says of this name is not the origin's any more, and what comes behind the body must not be. */
void trailers_remove(struct trailers *t, struct arena *a, struct str name);
/* Whether there are some, or will be as far as is known.  t may be NULL. */
bool trailers_expected(const struct trailers *t);
/* As they go out over HTTP/1: the value of the Trailer field, empty where nothing was announced; and the lines behind the
 * last chunk, without the empty one, appended. */
struct str trailers_names(const struct trailers *t, struct arena *a);
void trailers_print(const struct trailers *t, struct buf *out);
