/* struct flights: which keys somebody is working on, and who waits for them.  store_join() and store_land(). */
#pragma once

#include <pthread.h>

#include "share/store.h"

enum { FLIGHT_LANES = 64 };

struct flights {
	struct flight_lane {
		pthread_mutex_t lock;
		struct link under_way;  /* struct under_way */
	} lanes[FLIGHT_LANES];
};

void flights_init(struct flights *f);
/* None is under way. */
void flights_fini(struct flights *f);
enum flight flights_join(struct flights *f, struct str key, uint64_t hash, struct waiter *w);
void flights_land(struct flights *f, struct str key, uint64_t hash, int err, struct object *o);
