/* struct body: everything that makes bytes, pulled by whoever consumes them.
 *
 * An answer's file range, a stored object, a generated page, the request's own upload: all are bodies, and a filter is a
 * body that holds a body.  Back-pressure needs no code, since nobody pushes; cancelling is close(). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "event/loop.h"

enum body_got {
	BODY_SOME,    /* *out has bytes */
	BODY_LATER,   /* nothing now; the body will queue body->reader when there is.  It may be asked before that, too */
	BODY_END,     /* nothing any more */
	BODY_BROKEN,  /* it can't go on; the message has to be seen to be cut short */
};

/* A run of bytes.  It stays the body's, and valid until the next read, close, or the end of the loop's turn unless
 * keep() was called. */
struct chunk {
	struct str bytes;    /* where file_fd is -1 */
	int file_fd;         /* else a range of a file, all of it in the page cache: to be sent by sendfile() */
	uint64_t offset_b;
	uint64_t length_b;   /* of either kind */
	bool last;           /* BODY_END follows for sure */
};

struct body;
struct body_ops {
	/* At most want_b bytes, at least one; *out is filled on BODY_SOME only. */
	enum body_got (*read)(struct body *b, struct chunk *out, uint64_t want_b);
	/* The turn ends while the body is still needed: whatever was borrowed for the turn is taken hold of.  rest: what is
	 * still needed of the bytes given last; it may be moved.  NULL: nothing is ever borrowed.  May be called more than
	 * once. */
	void (*keep)(struct body *b, struct str *rest);
	/* The last bytes of the chunk given last were not used: the next read begins with them.  NULL: the chunk stays valid
	 * instead (keep).  For ranges of files, which may have left the page cache by the time there is room for them. */
	void (*back)(struct body *b, uint64_t unused_b);
	/* Also means: cancel.  Nothing is called after it. */
	void (*close)(struct body *b);
};

struct body {
	const struct body_ops *ops;
	struct task *reader;  /* queued after BODY_LATER; set by whoever reads */
};

static inline enum body_got body_read(struct body *b, struct chunk *out, uint64_t want_b)
{
	return b->ops->read(b, out, want_b);
}

static inline void body_keep(struct body *b, struct str *rest)
{
	if (b->ops->keep)
		b->ops->keep(b, rest);
}

static inline void body_close(struct body *b)
{
	b->ops->close(b);
}

static inline struct chunk chunk_of(struct str bytes, bool last)
{
	return (struct chunk){ .bytes = bytes, .file_fd = -1, .length_b = bytes.n, .last = last };
}

/* A body of bytes that outlive it (a literal, or memory of the same arena). */
struct body *body_of_str(struct arena *a, struct str s);
