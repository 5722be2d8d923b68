/* The parser of HTTP/1 heads that origins answer with, as strict as http/parse.h is with requests: whatever two parsers
 * could read in two ways is refused and never passed on. */
#pragma once

#include "http/lines.h"
#include "http/upstream.h"

/* Where the answer's body ends (RFC 9112, 6.3). */
enum reply_body { REPLY_NO_BODY, REPLY_LENGTH, REPLY_CHUNKED, REPLY_UNTIL_CLOSE };

/* What has to be known of the request. */
struct reply_about {
	enum method method;
	bool upgrade;          /* it asked for another protocol: 101 may come */
	size_t fields_most;
	bool trailers;         /* its client reads them */
};

struct reply_head {
	size_t head_b;         /* of the input: the head's */
	bool interim;          /* 1xx, to be forgotten; *out is as it was, but for its status */
	enum reply_body body;
	uint64_t body_b;       /* REPLY_LENGTH */
};

/* PARSE_DONE: *head, and *out complete, with copies in the arena.  PARSE_BAD: *why is a sentence. */
enum parsed reply_parse(struct arena *a, struct str in, const struct reply_about *about, struct reply *out,
                        struct reply_head *head, const char **why);

/* What fields say about where a message ends. */
struct reply_framing {
	int64_t length_b;      /* LENGTH_UNKNOWN */
	bool chunked;
	bool close, keep;      /* named in Connection */
};

/* Reads those of an answer and takes them, and all that belong to the hop, out of the list; Upgrade stays where it is
 * wanted.  0, or -EINVAL with *why: for CGI programs' answers as well. */
[[nodiscard]] int reply_framing(struct field *fields, size_t *count, bool upgrade, struct reply_framing *out,
                                const char **why);
