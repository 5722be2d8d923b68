/* struct req: a request on its way.  Lives on its connection's loop, from the head's last byte to the answer's. */
#pragma once

#include "base/arena.h"
#include "http/body.h"
#include "http/conf.h"
#include "http/head.h"
#include "http/home.h"
#include "http/pattern.h"
#include "net/addr.h"

/* Who ended a request, and by which rule: in the log as $end. */
enum end {
	END_DONE,            /* the whole answer was sent */
	END_CLIENT,          /* the client went away */
	END_BAD,             /* the request was malformed */
	END_HEADER_TIMEOUT,
	END_BODY_TIMEOUT,
	END_SEND_TIMEOUT,
	END_MIN_RATE,        /* sent or read more slowly than min_rate */
	END_BROKEN,          /* the body could not go on: a file that shrank, an origin that broke off */
	END_DRAIN,           /* the server stopped */
	END_IDLE,            /* a tunnel without a byte for tunnel_timeout */
	/* petrel answered, or broke off, in place of an origin. */
	END_CONNECT,         /* no connection to a server */
	END_CONNECT_TIMEOUT,
	END_SERVER_SEND,     /* a server took in no more of the request for its send timeout */
	END_ANSWER_TIMEOUT,
	END_READ_TIMEOUT,
	END_SERVER_BROKE,    /* a server closed its connection before the answer's end */
	END_SERVER_BAD,      /* its answer is malformed, or too large a head, or a status that stands for a failure */
	/* Refused for load. */
	END_QUEUE_FULL,
	END_QUEUE_TIMEOUT,
	END_NO_SERVER,       /* none of the pool is well */
	END_DISK_QUEUE,      /* too many files wait for the disk */
	END_DESCRIPTORS,     /* no file can be opened any more, or no memory for it */
	END_TEMPORARY,       /* no room for the request's body */
	END_SHED_ALL,        /* shed { all on; } */
};
struct str end_name(enum end end);

/* Whether the file was there. */
enum hot_look { HOT_UNASKED, HOT_HIT, HOT_MISS };

struct hot;
struct call;
struct ids;
struct story;
struct trailers;
struct tunnel;
struct listen_spec;
struct fill;
struct page;
struct visit;

/* The steps of a request's life, in this order. */
enum step { STEP_ROUTE, STEP_GATE, STEP_HANDLE, STEP_HEAD, STEP_SEND, STEP_DONE, STEP_COUNT };

enum { LENGTH_UNKNOWN = -1, ANSWER_FIELDS = 24, REQ_ARENA_B = 2048, REQ_AGAIN = 8, REQ_ID_B = 16 };

struct answer {
	unsigned status;
	int64_t length_b;            /* of the body; LENGTH_UNKNOWN: chunked, or until the connection closes */
	struct body *body;           /* NULL: none */
	struct field *fields;        /* in the order of sending; without Date, Server, Content-Length, Connection */
	size_t field_count, field_cap;
	struct str date;             /* when it was made; empty: now */
	bool tunnel;                 /* 101, or a stream: after the head the connection is a tunnel to r->call's origin */
	bool bare;                   /* of a stream: nothing is sent but what its origin says */
	bool close;                  /* end the connection after this answer */
	bool endless;                /* its body goes on until somebody leaves */
	struct trailers *trailers;   /* what follows the body, filled when that is over (http/trailers.h); NULL: nothing */
	struct page *page;           /* the same of a cache's page (http/page.h), or NULL */
	struct hot *hot;             /* what the body is the whole of (http/hot.h), borrowed for the turn; or NULL */
};

struct req;
/* What carries a request: HTTP/1 (h1.c), later HTTP/2. */
struct wire {
	/* Sends the head, pulls and sends the body: GO_NEXT when all is out, GO_WAIT, GO_FAIL. */
	enum go (*send)(struct req *r);
	/* The address that the client connected to. */
	void (*local)(struct req *r, struct ip *out);
};

/* What a request met on its way to an origin, for logs. */
struct trip {
	struct str server;           /* the last one's name; empty: none was asked */
	unsigned attempts;
	uint64_t queue_ns;           /* waiting for a free server, all attempts together */
	uint64_t connect_ns;         /* of the last attempt: until there was a connection, */
	uint64_t answer_ns;          /* and from then to the answer's head */
};

struct req {
	struct home *home;
	const struct wire *wire;
	struct task *task;           /* queued to go on after GO_WAIT: hand it to whoever wakes */
	struct ip peer;
	struct ask ask;
	struct body *upload;         /* the request's body; never NULL: an empty one where there is none */
	unsigned upload_status;      /* why upload is BODY_BROKEN: 400, 408, 413; 0: the client is gone */
	struct conf_use *use;
	const struct site *site;     /* NULL until routed */
	const struct route *route;
	const struct route *passed;  /* the last one that had no answer after all: those behind it are tried (req_pass()) */
	struct captures captures;    /* of the route's pattern: $1 … $9 */
	struct answer answer;
	const struct listen_spec *listen;  /* of a stream: where it came in.  NULL: a request */
	bool admin;                  /* came over the admin socket */
	enum step step;
	size_t hook;                 /* index of the next gate or head hook */
	void *state;                 /* of the hook that said GO_WAIT, in the arena; NULL when a hook begins */
	void (*state_close)(struct req *r, void *state);  /* called when the request ends while state is set; may be NULL */
	struct tunnel *tunnel;       /* what the connection is to be after the answer (http/tunnel.h); NULL */
	struct call *call;           /* to an origin (http/upstream.h); NULL: none */
	struct trip trip;
	struct fill *fill;           /* whose request this is (http/fill.h); NULL: a client's */
	struct visit *visit;         /* what a cache made of it (http/visit.h); NULL: none was asked */
	struct story *trace;         /* http/trace.h; NULL: nobody wants to see it */
	const struct ids *ids;       /* http/ids.h; NULL: nobody asked for them yet */
	unsigned again;              /* how often it was routed anew */
	unsigned kept_status;        /* the status to answer with in spite of the page's 200: see req_again_page().  0: none */
	struct field *kept_fields;   /* of an answer that another takes the place of, to go out with that */
	size_t kept_field_count;
	enum end end;                /* how its answer ended */
	enum end cause;              /* why it is not the one that was asked for: of an origin, or for load; END_DONE: it is */
	bool shed;                   /* refused for load, by cause */
	enum hot_look hot;           /* of the file that was looked for last */

	uint64_t id;
	uint64_t begin_ns, first_ns, done_ns;  /* head complete; first byte of the answer sent; on the loop's clock */
	uint64_t sent_b, sent_body_b, received_b;
	uint64_t throttle_bps;       /* of the answer's body; 0: as fast as it goes */
	uint64_t throttle_after_b;   /* what goes out before it is throttled */
	struct arena arena;
	_Alignas(16) char first[REQ_ARENA_B];  /* the arena's first block */
};

static inline const struct conf *req_conf(const struct req *r)
{
	return r->use->conf;
}

/* Core values of the request's route, or site, or main scope, whichever is known. */
const struct core *req_core(const struct req *r);
/* The values of any module there, or NULL where the snapshot does not have it. */
const void *req_values(const struct req *r, const struct module *m);
/* Of the URL that was asked for: "http". */
struct str req_scheme(const struct req *r);
/* Its number as $id has it: REQ_ID_B hexadecimal digits. */
void req_id_print(const struct req *r, char *p);

/* Where its loop counts requests of its route. */
struct meter *req_meter(const struct req *r);
/* The request is over: its log is written. */
void req_log(struct req *r);
/* A copy for the log of a request that has turned into a tunnel, in a block of its own, with r's reference to the
 * snapshot. */
struct req *req_settle(struct req *r);

/* Runs the steps until one waits: true when the request is over, false when r->task has to be queued to go on. */
bool req_run(struct req *r);

/* --- Answering. --- */

/* A short page for this status, in the form that the client accepts; drops any body and fields set before.  Returns
 * GO_ANSWER: return req_answer(r, 404); */
enum go req_answer(struct req *r, unsigned status);
/* The same with a sentence for the reader, which has to outlive the request or be in its arena. */
enum go req_answer_why(struct req *r, unsigned status, const char *why);
/* Refused for load: 503, Retry-After, a body by kind (see http/shed.c). */
enum go req_shed(struct req *r, enum end why);
/* Who ended the request and by which deadline, all in all. */
enum end req_ended(const struct req *r);
/* Adds a field; name and value outlive the request, or are in its arena, or are borrowed for the turn by a body that
 * keeps them.  A value never holds CR, LF or NUL: they are must()ed. */
void answer_add(struct req *r, struct str name, struct str value);
/* Replaces all fields of this name by one. */
void answer_set(struct req *r, struct str name, struct str value);
void answer_remove(struct req *r, struct str name);
/* The first field of this name; .p NULL where there is none. */
struct str answer_field(const struct req *r, struct str name);
/* Appends to Vary unless it is there. */
void answer_vary(struct req *r, struct str name);
/* A body of these bytes with its length; type is the Content-Type. */
void answer_bytes(struct req *r, unsigned status, struct str type, struct str bytes);
/* Routes the request anew, with this path (absolute, decoded; in the arena): return req_again(r, path);  Answers 508
 * after REQ_AGAIN times. */
enum go req_again(struct req *r, struct str path);
/* A plain GET (HEAD stays HEAD) from now on: what came with the request was for whoever has seen it, and may have been
 * read.  The connection still knows what there is of its body. */
void req_become_get(struct req *r);
/* The route has no answer after all: goes on with the next one that matches: return req_pass(r); */
enum go req_pass(struct req *r);
/* As req_again() at STEP_HEAD, for the page of an answer that went wrong: as a plain GET, past all gates, since the
 * operator chose the page and not the client; its status is kept in r->kept_status.  Not where kept_status is set already,
 * or r->again is REQ_AGAIN. */
enum go req_again_page(struct req *r, struct str path);
/* Whether the client would rather have JSON than HTML, by Accept. */
bool req_prefers_json(const struct req *r);
/* What to return when r->upload said BODY_BROKEN. */
enum go req_upload_broken(struct req *r);
/* The first step: chooses site and route by host and path.  GO_NEXT, or GO_ANSWER where there is none, or it is answered
 * whatever route it would take. */
enum go req_route(struct req *r);
/* For a request that can't be routed: the site of its host, or the one that stands for all, or the first one, with what
 * holds for the whole of it (its logs, its fields). */
void req_unrouted(struct req *r);
/* Whether a client that sends no more is taken for gone now: while an origin works for it, or a cache waits for what its
 * origin would say. */
bool req_minds_fin(const struct req *r);
/* Ends the request at once, whatever it waits for; the connection can't be used again. */
void req_abort(struct req *r, enum end end);
/* True for GET and HEAD; else answers 405 with Allow (or 204 to OPTIONS): if (!req_reads(r)) return GO_ANSWER; */
bool req_reads(struct req *r);
/* visit.c: what its route's cache had for it, as a JSON object; or null. */
void req_visit_print(struct req *r, struct buf *out);
