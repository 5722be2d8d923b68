/* What a memcached server says, line by line: the answers to its text protocol's meta commands.  Total: any bytes are an
 * answer, the beginning of one, or nonsense; nothing is kept of what is longer than it may be. */
#pragma once

#include "base/buf.h"

enum mc_code {
	MC_HD,            /* done, or there, without a value */
	MC_VA,            /* a value follows: size_b bytes and a line's end */
	MC_EN,            /* not there */
	MC_NF,            /* not found: nothing to change */
	MC_NS,            /* not stored */
	MC_EX,            /* it was changed since: compare and swap */
	MC_MN,            /* all before it was answered */
	MC_SERVER_ERROR,  /* it can't now; the connection is fine */
	MC_CLIENT_ERROR,  /* it did not understand: who knows what it took for a command */
	MC_ERROR,
};

/* Flags that came; their order means nothing. */
enum mc_mark {
	MC_WON = 1,       /* W: ours to fetch it anew */
	MC_SENT = 2,      /* Z: somebody else does already */
	MC_STALE = 4,     /* X */
	MC_OPAQUE = 8,    /* .opaque holds what came; and so on */
	MC_CAS = 16,
	MC_TTL = 32,
};

enum { MC_LINE_MOST_B = 2048, MC_KEY_MOST_B = 250 };

struct mc_answer {
	enum mc_code code;
	unsigned marks;        /* enum mc_mark */
	uint64_t size_b;       /* MC_VA: of the value, without the line's end behind it */
	uint64_t flags;        /* of who stored it */
	uint64_t cas, opaque;
	uint64_t stored_b;     /* s: the value's length, where it was asked for that */
	int64_t ttl_s;         /* -1: for ever */
};

/* Reads the line that `in` begins with: 0, and *used bytes are done with; -EAGAIN (it is not whole yet); -EBADMSG. */
[[nodiscard]] int mc_parse(struct str in, struct mc_answer *out, size_t *used);

/* A stream of answers, in whatever pieces it comes. */
struct mc_reader {
	struct buf line;       /* the beginning of one */
	struct mc_answer answer;
	bool in_value;
	char *value;           /* NULL: it is too long, and skipped */
	uint64_t value_at;     /* bytes of it and of the line's end that came */
};

enum mc_heard { MC_MORE, MC_HEARD, MC_NONSENSE };

/* Takes bytes off *in up to an answer's end.  MC_HEARD: r->answer is one, with r->value where it has one that is no longer
 * than most_b; the caller takes that (and sets it NULL), or leaves it. */
enum mc_heard mc_read(struct mc_reader *r, struct str *in, uint64_t most_b);
void mc_reader_fini(struct mc_reader *r);
