/* Answers made of pages: whole ones, parts of them, and pages that are still coming in. */
#pragma once

#include "http/page.h"
#include "http/range.h"
#include "share/growth.h"

/* Answers with the page, borrowed for the turn: status, fields, Age; or what the request's conditions and ranges make of
 * it.  Sets r->answer.page where it is the whole. */
enum go answer_page(struct req *r, struct page *p);
/* A body of a part of something; in r's arena. */
typedef struct body *part_maker(struct req *r, void *arg, struct range at);
/* The same of something that has the page's head, and a size and a body of its own. */
enum go answer_thing(struct req *r, struct page *head, unsigned status, uint64_t size_b, part_maker *part, void *arg);
/* The answer is made of this object, too: it has a reference of its own until it is sent, from now on, or where it is
 * borrowed, from the end of the turn on. */
void answer_hold(struct req *r, struct object *o, bool now);
/* Answers with what comes in under this head: bytes as they come.  The seat is the body's from now on. */
enum go answer_growth(struct req *r, const struct page *head, struct growth *g, struct growth_seat *seat);
