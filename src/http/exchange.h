/* struct exchange: a request on an HTTP/1 connection, with what is needed to read its body and to send its answer.
 * Shared by h1.c (the connection), h1_upload.c (the request's body) and h1_send.c (the answer). */
#pragma once

#include "http/chunked.h"
#include "http/h1.h"
#include "http/req.h"

enum { DRAIN_MOST_B = 256 * 1024 };  /* of an upload that nobody wanted, to keep a connection */

/* What the request waits for, so that the connection's one timer can tell which deadline it is. */
enum waiting {
	WAITING_HANDLER,   /* a disk, a process: they have deadlines of their own */
	WAITING_UPLOAD,    /* the next bytes of the request's body */
	WAITING_SEND,      /* room in the socket's buffer */
	WAITING_THROTTLE,  /* the answer may not be sent faster */
};

/* Bytes moved since a time: for min_rate. */
struct pace {
	uint64_t since_ms;   /* the window's begin */
	uint64_t moved_b;    /* since then */
	uint64_t last_ms;    /* when the last byte moved, as far as is known */
	uint64_t taken_b;    /* of the answer, taken by the client when that was last looked at */
};

enum { PACE_WINDOW_MS = 10000 };

struct upload {
	struct body body;
	struct chunked chunked;
	uint64_t left_b;        /* FRAMING_LENGTH */
	bool is_chunked;        /* FRAMING_CHUNKED; the request may be asked anew without its body */
	bool over;              /* read to its end */
	bool broken;
	bool told_to_go_on;     /* 100 (Continue) was sent, or is not needed */
};

/* What goes out next, in this order: head, frame, chunk, tail. */
struct sender {
	struct str head;        /* rest of the answer's head */
	struct str frame;       /* rest of a chunk's size line */
	struct chunk chunk;     /* rest of what the body gave last; length_b 0: none */
	struct str tail;        /* rest of what follows it */
	char frame_text[20];
	bool begun;             /* the head is put together */
	bool chunked;           /* the answer's transfer coding */
	bool over;              /* the body gave all it has */
	uint64_t begun_ms;      /* for the throttle */
	int64_t left_b;         /* of the answer's length; LENGTH_UNKNOWN */
};

struct exchange {
	struct link spare;      /* in home->spares, while unused */
	struct conn *conn;
	struct req req;
	struct upload upload;
	struct sender sender;
	uint64_t drain_most_b;  /* CONN_DRAIN: how far the upload may go before the connection is closed instead */
	enum waiting waiting;   /* what the turn under way, or the last one, ended with */
	enum waiting waited;    /* what the client's pace was last measured for */
	struct pace pace;
};

/* What was kept over the turn comes first again: into home->input, which is empty. */
void conn_load(struct conn *c);
/* Reads from the socket behind what home->input has: false where nothing came (check c->ended, c->readable). */
bool conn_fill(struct conn *c);

/* The request's body, ready to be read. */
void upload_init(struct exchange *x);
/* How much of it is still to come: 0 where it is over; UINT64_MAX where unknown. */
uint64_t upload_left_b(const struct exchange *x);

extern const struct wire H1_WIRE;

static inline void pace_start(struct pace *p, uint64_t now_ms)
{
	p->since_ms = p->last_ms = now_ms;
	p->moved_b = 0;
}

/* The request waits for its client: a new window begins, unless it did so before.  What it waited for in between (a disk,
 * a process) is not the client's fault. */
static inline void wait_for_client(struct exchange *x, enum waiting waiting)
{
	if (x->waited != waiting)
		pace_start(&x->pace, x->req.home->loop.now_ms);
	x->waiting = x->waited = waiting;
}

static inline void pace_moved(struct pace *p, uint64_t now_ms, uint64_t bytes)
{
	p->moved_b += bytes;
	p->last_ms = now_ms;
}
