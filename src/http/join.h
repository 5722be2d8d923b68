/* A body made of bodies, one after the other. */
#pragma once

#include "http/body.h"

/* Takes the bodies over; the array lives in the arena.  Bodies that give ranges of files have back(). */
struct body *body_join(struct arena *a, struct body **bodies, size_t count);
