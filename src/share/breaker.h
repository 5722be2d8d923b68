/* struct breaker: whether a server is worth asking, as all loops see it.
 *
 * Closed: everybody asks.  It opens by what loops tell of it: nothing is asked any more, which costs one atomic read.
 * Then a prober of the control thread looks after the server, and when it is well lets a growing part of what would be
 * asked through, the *ramp*, until the breaker is closed.  All atomics; any thread. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_RAMP };

/* Why it opened. */
enum breaker_why {
	BREAKER_NEVER,
	BREAKER_UNKNOWN,     /* nobody knows yet where the server is */
	BREAKER_CONNECT,     /* refused, unreachable, or not in time */
	BREAKER_RESET,
	BREAKER_END,         /* it closed a connection */
	BREAKER_NONSENSE,    /* it said what it can't have meant */
	BREAKER_LATE,        /* deadlines in a row, or nothing for long */
	BREAKER_RATE,        /* half of what was asked in a second went wrong */
};
const char *breaker_sentence(enum breaker_why why);

enum {
	BREAKER_LATE_MOST = 5,       /* deadlines in a row */
	BREAKER_RATE_LEAST = 20,     /* operations in a second, of which half may not fail */
	BREAKER_RAMP_MS = 2000,      /* from 10 to 100 % */
	BREAKER_RAMP_PERCENT = 10,
};

struct breaker {
	_Atomic uint64_t term;       /* how often it opened, and the state in the two lowest bits */
	_Atomic uint64_t ramp_ms;    /* when the ramp began */
	_Atomic uint64_t second;     /* which, how many operations it had, how many of them failed */
	_Atomic uint32_t late;       /* deadlines in a row */
	_Atomic uint32_t why;
};

enum breaker_state breaker_state(const struct breaker *b);
enum breaker_why breaker_why(const struct breaker *b);
/* How often it opened.  A connection belongs to the term in which it was made: what it says later does not count. */
uint64_t breaker_term(const struct breaker *b);

/* Whether to ask; dice: any number, different each time. */
bool breaker_admits(struct breaker *b, uint64_t now_ms, uint32_t dice);

enum breaker_outcome { BREAKER_GOOD, BREAKER_DEADLINE, BREAKER_ERROR };
/* How it went with one operation.  True: that opened it, and the caller tells the prober. */
bool breaker_count(struct breaker *b, uint64_t term, enum breaker_outcome outcome, uint64_t now_ms);
/* Something that opens it at once; true as above. */
bool breaker_open(struct breaker *b, uint64_t term, enum breaker_why why);
/* The prober's: it is well. */
void breaker_ramp(struct breaker *b, uint64_t now_ms);
