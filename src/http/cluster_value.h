/* What a page looks like as a value in memcached, and back.
 *
 *	struct value_head | generation numbers | image, as http/page.h has it: head and body
 *
 * Total: whatever is wrong with what came is no page.  Functions without state. */
#pragma once

#include "http/page.h"

enum { VALUE_MOST_B = 900000, VALUE_TAGS_MOST = 32, VALUE_GENERATIONS_MOST = VALUE_TAGS_MOST + 1, VALUE_PARTS_MOST = 1024 };

/* 24 bytes, little-endian as the image is. */
struct value_head {
	uint32_t magic;
	uint16_t version;
	uint16_t generations;      /* uint64_t each: of what can purge it beside its own key, as it was when it was stored */
	uint64_t length_b;         /* of all behind this head */
	uint64_t check;            /* XXH3 of all behind this head, seeded with the length */
};
_Static_assert(sizeof(struct value_head) == 24, "values of other machines and runs are read");

/* A value to be sent, in pieces that stay the page's, or this struct's. */
struct value {
	struct value_head head;
	uint64_t generations[VALUE_GENERATIONS_MOST];
	struct str parts[VALUE_PARTS_MOST];
	size_t part_count;
};

/* Whether this is a page that machines share, and not too large. */
bool value_may(const struct page *p);
/* 0, or -E2BIG. */
[[nodiscard]] int value_make(struct value *v, const struct page *p, const uint64_t *generations, size_t count);
/* The page of this key, one reference, or NULL; its generation numbers go to generations[], which has room for
 * VALUE_GENERATIONS_MOST. */
struct page *value_read(struct str bytes, struct str key, uint64_t wall_ms, struct store *s, uint64_t *generations,
                        size_t *count);
/* A variant, which its URL's purge does not find by its key. */
bool value_is_variant(const struct page *p);
/* How many numbers go with a page: one for each tag, and one for a variant's URL, which is the last. */
size_t value_generations(const struct page *p);
