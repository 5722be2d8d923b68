/* Pages of answers: what is kept of a head, put in the order of an image. */
#pragma once

#include "http/freshness.h"
#include "share/growth.h"

/* A page of an answer.  image: times, status and flags as freshness_store() set them, body_b, and base.  blob: its body,
 * copied for PAGE_INLINE, and referred to for PAGE_BLOB; NULL: it has none.  One reference, the caller's.  NULL: its head
 * can't be kept (STORED_HEAD). */
[[nodiscard]] struct page *page_of_answer(struct store *s, const struct came *c, const struct image *image, struct str key,
                                          enum page_body kind, struct blob *blob);
/* A page of one that a 304 made fresh again, with what freshness_update() gave; its body, and where the 304 has none its
 * tags, are those of the stored page.  NULL: its head can't be kept. */
[[nodiscard]] struct page *page_of_update(struct store *s, const struct page *stored, const struct came *c,
                                          const struct image *image, const struct field *fields, size_t field_count);
/* The page's body in another coding, under a key of its own: no more than that; bytes are copied. */
[[nodiscard]] struct page *page_of_variant(struct store *s, const struct page *from, struct str key, struct str bytes);
/* Whether v, found under that key, was made of what `from` is now. */
bool page_is_variant(const struct page *v, const struct page *from);
/* A page that is no answer (IMAGE_VARY, IMAGE_PASS): with this one field where its name is not empty. */
[[nodiscard]] struct page *page_of_marker(struct store *s, const struct image *image, struct str key, struct field field);
