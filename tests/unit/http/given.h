/* An answer as it came to a request, both given as lines of fields, for tests of what is kept of it. */
#pragma once

#include "asked.h"
#include "http/freshness.h"

/* Answers come at this time; BEFORE and AFTER are 100 s away from it. */
#define DATE   "Date: Sun, 06 Nov 1994 08:49:37 GMT\n"
#define THEN   "Sun, 06 Nov 1994 08:49:37 GMT"
#define BEFORE "Sun, 06 Nov 1994 08:47:57 GMT"
#define AFTER  "Sun, 06 Nov 1994 08:51:17 GMT"
#define LONG   "Sun, 06 Nov 1904 08:49:37 GMT"

enum { THEN_S = 784111777 };
static const uint64_t THEN_MS = (uint64_t)THEN_S * 1000;

/* An answer to a request, both as lines of fields. */
struct given {
	struct asked ask, answer;
	struct came came;
};

static inline void give(struct given *g, enum method method, const char *ask, unsigned status, const char *fields)
{
	asked_init(&g->ask, method, ask);
	asked_init(&g->answer, METHOD_GET, fields);
	for (size_t i = 0; i < g->answer.r.ask.field_count; i++)
		g->answer.fields[i].id = FIELD_OTHER;
	g->came = (struct came){ .ask = &g->ask.r.ask, .status = status, .fields = g->answer.fields,
		                 .field_count = g->answer.r.ask.field_count, .asked_ms = THEN_MS, .came_ms = THEN_MS };
}

static inline void given_fini(struct given *g)
{
	asked_fini(&g->ask);
	asked_fini(&g->answer);
}
