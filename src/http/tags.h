/* Tags of an answer, by which it can be purged together with others: Surrogate-Key and xkey (apart by blanks), Cache-Tag
 * (apart by commas, blanks around them gone). */
#pragma once

#include "http/head.h"

/* Calls see() for each tag of all such fields, in their order; the same tag may come twice.  Tags that are longer than
 * TAG_MOST_B or hold control characters are left out. */
enum { TAG_MOST_B = 1024 };
void tags_each(const struct field *fields, size_t count, void (*see)(void *arg, struct str tag), void *arg);
/* Whether it is one of these fields, which are for caches alone. */
bool tags_is_field(struct str name);
