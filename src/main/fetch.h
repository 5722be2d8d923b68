/* struct fetch: one question to a running server over its admin socket, and its answer, without waiting: for who has a
 * terminal to look after meanwhile.  See main/ask.h for who may wait.  One thread. */
#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "main/admin_at.h"

struct fetch {
	int fd;                      /* -1: none is under way */
	struct buf request;
	size_t sent;
	struct buf answer;
};

/* 0 or -errno. */
[[nodiscard]] int fetch_start(struct fetch *f, const struct admin_at *at, const char *path);
/* What to poll() for. */
short fetch_events(const struct fetch *f);
/* The descriptor is ready.  0: it is over, *json is the answer, the caller's; -EAGAIN: it goes on; else -errno: it is
 * over; -EPROTO: what came is no such answer. */
[[nodiscard]] int fetch_ready(struct fetch *f, json_t **json);
/* Breaks off whatever is under way. */
void fetch_stop(struct fetch *f);
void fetch_fini(struct fetch *f);
