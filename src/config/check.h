/* struct checker, behind http/check.h, and the checks that need no module: routes that are never reached, sites that
 * have none. */
#pragma once

#include "config/frame.h"
#include "http/check.h"

struct checker {
	struct frame *frame;
	struct message *last;  /* that hints go to */
	bool failed;
};

/* Calls the check hooks of the modules that the scope set something of. */
void frame_check(struct frame *f);
/* Main's check_all hooks, when all is built. */
void frame_check_all(struct frame *main);
/* A route is handled by a module of which no scope around it set anything: its defaults are checked then, once. */
void frame_check_defaults(struct frame *f, size_t module);
/* Warnings about a whole site; spots are of its routes' patterns, and site of its name. */
void site_check(struct builder *b, const struct site *site, const struct spot *at, const struct spot *routes);
