/* struct teller: the ways to tell somebody of alerts, and the messages that are on their way: put together, bounded in
 * number, sent again.  Each is delivered by a process that the spawner starts by the way's name.  The control thread. */
#pragma once

#include "base/buf.h"
#include "control/app.h"

struct admin_call;
struct alerts_conf;
struct teller;

enum tell_what { TELL_BEGIN, TELL_END, TELL_TEST };

enum { TELL_SAID_B = 64 * 1024, TELL_ITEMS = 30 };

/* Something to tell; all of it is copied. */
struct tell {
	enum tell_what what;
	struct str name;
	const char *label;           /* NULL: none */
	struct str label_value;
	struct str when, text;
	double value;
	struct str value_text;       /* "612ms" */
	uint64_t lasted_ms;          /* since it began */
	const struct str *to;        /* ways, to_count of them; 0: the default */
	size_t to_count;
};

/* told(arg, …) says what became of a message, for each alert in it. */
struct teller_ops {
	void (*told)(void *arg, struct str name, struct str way, enum tell_what what, bool fine, struct str outcome);
	void *arg;
};

struct teller *teller_new(struct loop *l, struct log_ring *ring, struct apps *apps, const struct teller_ops *ops);
void teller_free(struct teller *t);
/* Tests are answered, since soon nobody is there to answer them. */
void teller_stop(struct teller *t);
void teller_conf(struct teller *t, const struct alerts_conf *c);
/* False: nobody is to be told. */
bool teller_add(struct teller *t, const struct tell *what);
/* See alerts_test(). */
bool teller_test(struct teller *t, struct str way, struct admin_call *call);
void teller_names(const struct teller *t, struct buf *out);
/* Appends a JSON list. */
void teller_print(const struct teller *t, struct buf *out);

/* "begins", "ends", "test": in JSON "firing", "resolved", "test". */
const char *tell_state(enum tell_what what);
