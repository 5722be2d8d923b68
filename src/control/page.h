/* The status page.  STATUS is its handler, on the request's loop (page.c); what the page shows is rendered on the
 * control thread, once for each new sample, however many look, and not at all while nobody does (page_live.c). */
#pragma once

#include "control/errand.h"
#include "http/module.h"

extern const struct module STATUS;

/* --- The control thread. --- */

/* Who looks, and what they see. */
struct viewers;

/* c->observer is there. */
struct viewers *viewers_new(struct control *c);
/* No loop runs any more. */
void viewers_free(struct viewers *v);

/* What a request for the page asks for: its sections as HTML, without and with buttons. */
extern const struct errand PAGE_SECTIONS[2];
/* Whether one more may look: 200 or 503. */
extern const struct errand PAGE_WATCH;

/* --- The request's loop. --- */

struct feed;
struct req;
/* The event stream's lines come by this feed from now on; the reference is given away. */
void page_watch(struct req *r, struct feed *feed, bool buttons);
