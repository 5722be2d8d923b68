/* The benchmark's HTTP client: many keep-alive connections to one server on loopback, driven by one epoll.
 *
 * The programs beside it decide what is asked; this file opens connections without blocking, sends one request at a
 * time on each, and understands answers that are framed by Content-Length.  One thread, no timers: a program calls
 * client_turn() in its own loop.  It only ever talks to 127.0.0.1. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum link_state {
	LINK_CLOSED,
	LINK_OPENING,  /* connect() is under way */
	LINK_IDLE,     /* nothing asked */
	LINK_HEAD,     /* asked; the head of the answer isn't whole */
	LINK_BODY,     /* the head is; `left` bytes of the body are to come */
};

enum { CLIENT_ADDRESSES = 4 };

/* One connection. */
struct link {
	int fd;
	enum link_state state;
	unsigned status;      /* of the answer at hand or the last one; 0: none yet */
	bool closing;         /* the server said Connection: close */
	bool bodyless;        /* the request is a HEAD.  Set after link_ask() */
	unsigned short kept;  /* bytes in `head` */
	uint64_t left;
	uint64_t enough;      /* close after so many bytes of the body; 0: read all of it.  Set after link_ask() */
	uint64_t asked_ns;
	void *tag;            /* the program's */
	char *head;           /* the beginning of a head that came in pieces, or NULL */
};

struct client {
	int epoll;
	struct sockaddr_in to;
	unsigned from;        /* 127.0.0.x and the next ones: CLIENT_ADDRESSES in turn */
	struct link *links;
	unsigned count;
	void (*ready)(struct client *, struct link *);     /* free to ask; leaving it idle is fine */
	void (*answered)(struct client *, struct link *);  /* with l->status; ready() or lost() follows */
	void (*lost)(struct client *, struct link *, bool asked);  /* closed; `asked`: with an answer owed, or unopened */
	void *owner;
	char *room;           /* what one read fills, shared by all connections */
};

/* Ends the program with a message if the system has no room for it.  `from`: the x of the first 127.0.0.x. */
void client_init(struct client *c, unsigned short port, unsigned from, unsigned count);
void client_fini(struct client *c);

/* Waits up to `wait_ms` and handles what has come; calls the three. */
void client_turn(struct client *c, int wait_ms);

/* Starts connecting; lost() is never called from here: a failure is told at the next turn. */
void link_open(struct client *c, struct link *l);
void link_close(struct link *l);
void link_ask(struct link *l, const char *request, size_t size);

uint64_t now_ns(void);

/* Prints a line for the harness and waits until it answers with one: false once it has gone. */
[[gnu::format(printf, 1, 2)]] bool harness_tell(const char *format, ...);

/* The command line's numbers: exits with a message if `text` isn't one. */
unsigned long number(const char *text);
