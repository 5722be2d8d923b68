/* struct growth: something that is being fetched once, for all who want it: who fetches it is its *filler*, who
 * waits for it its *readers*, on any loop.
 *
 * struct growths finds those under way by key.  A growth goes through its states in their order, may leave some out, and
 * ends in one of the last; its readers are told of each change, and of more bytes, by mail.  What `head` and `object`
 * are is the owner's business.  Counted: the filler has a reference, and each reader. */
#pragma once

#include "event/mailbox.h"
#include "share/blob.h"
#include "share/store.h"

struct growths;
struct growth;

enum growing {
	GROWTH_ASKED,    /* nothing is there yet */
	GROWTH_BYTES,    /* `head` is there, and bytes come (growth_blob()) */
	/* It ended. */
	GROWTH_WHOLE,    /* `object` is the whole of it; who reads bytes already reads on in the blob, which is whole, too */
	GROWTH_AGAIN,    /* look again: at `object`, which was found elsewhere, or NULL: at what is in the store now */
	GROWTH_PASS,     /* not to be shared: everyone asks for himself */
	GROWTH_FAILED,   /* before there was a head: growth_status() */
	GROWTH_CUT,      /* in the middle of the bytes */
};

enum role { ROLE_FILLER, ROLE_READER };

/* Who waits, on the loop of this mailbox: sits in a growth from growths_join() to growth_leave(), with a reference to it of
 * its own. */
struct growth_seat;

struct growths *growths_new(struct epoch *e);
/* None is under way. */
void growths_free(struct growths *g);
/* Under this key: *out with one reference.  ROLE_FILLER: there was none, and the caller has to bring it to an end.  mark:
 * what it may be parted by.  seat: taken at once, so that nothing is forgotten that who sits there has not read; NULL:
 * nobody waits. */
enum role growths_join(struct growths *g, struct str key, uint64_t hash, uint64_t mark, struct growth_seat *seat,
                       struct growth **out);
/* What is under way with this mark, or where it is NULL all, goes on for those who read it, and nobody joins it any more:
 * what it fetches may be out of date. */
void growths_part(struct growths *g, const uint64_t *mark);
/* Whether anything with this mark is under way, joined or parted, that was not given up. */
bool growths_have(struct growths *g, uint64_t mark);

void growth_get(struct growth *g);
void growth_put(struct growth *g);
enum growing growth_state(const struct growth *g);
/* The filler's.  The object's or head's reference goes over to the growth. */
void growth_head(struct growth *g, struct object *head, struct blob *blob);
/* Nobody joins it any more. */
void growth_close(struct growth *g);
/* Whether nobody waits for it: then nobody joins it any more, either. */
bool growth_forsaken(struct growth *g);
/* After bytes were added to the blob. */
void growth_more(struct growth *g);
/* To one of the states that end it, with the object of GROWTH_WHOLE or _AGAIN (NULL else), and the owner's status
 * and reason. Nobody joins it any more. */
void growth_end(struct growth *g, enum growing how, struct object *object, unsigned status, int reason);

/* Any thread that has a reference. */
struct object *growth_object(const struct growth *g);  /* WHOLE, AGAIN: the object; BYTES, CUT: the head; else NULL */
struct blob *growth_blob(const struct growth *g);      /* from BYTES on, where there were bytes; else NULL */
/* As growth_end() was told: of states that end it. */
unsigned growth_status(const struct growth *g, int *reason);

struct growth_seat *growth_seat_new(struct mailbox *to, void (*wake)(void *arg), void *arg);
/* From now on it wakes somebody else. */
void growth_seat_for(struct growth_seat *s, void (*wake)(void *arg), void *arg);
/* wake(arg) once, when the state is no longer `seen` or there are more than seen_b bytes; false: it is so already. */
bool growth_wait(struct growth_seat *s, enum growing seen, uint64_t seen_b);
/* What a reader has read up to: how far the slowest was when it last waited; UINT64_MAX: nobody sits. */
uint64_t growth_slowest_b(struct growth *g);
/* Wakes no more; frees it.  The loop's. */
void growth_leave(struct growth_seat *s);
