/* struct blob: bytes that come in at one end while any number of readers, on any loop, read them: an answer on its way from
 * its origin to all who asked for it.
 *
 * One writer appends; what is in does not move, and is not changed.  A reader sees how much there is without a lock.
 * Counted: the writer and each reader has a reference, and so has a page that was made of it.
 *
 * struct blob_tally: how much memory several of them take together.  Counted, by each of them, too. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum { BLOB_FIRST_B = 16 * 1024, BLOB_PIECE_MOST_B = 1 << 20 };
/* As much as this can be in it at a time. */
#define BLOB_MOST_B (4ull << 30)

struct blob;
struct blob_tally;

struct blob_tally *blob_tally_new(void);
void blob_tally_put(struct blob_tally *t);
/* What was expected and is still to come counts already. */
uint64_t blob_tally_b(const struct blob_tally *t);

/* expected_b: 0 where nobody knows; the first piece is that large, within reason.  t: NULL, or where its memory counts. */
struct blob *blob_new(uint64_t expected_b, struct blob_tally *t);
void blob_get(struct blob *b);
void blob_put(struct blob *b);
/* The writer's; readers see the bytes at once.  False: there would be more than BLOB_MOST_B that was not trimmed. */
bool blob_add(struct blob *b, struct str bytes);
/* The writer's: nobody reads before this offset any more. */
void blob_trim(struct blob *b, uint64_t before_b);
/* How much is in it.  Any thread. */
uint64_t blob_size_b(const struct blob *b);
/* The bytes from an offset on, as many as lie together: not empty where at_b < blob_size_b(). */
struct str blob_at(const struct blob *b, uint64_t at_b);
/* Memory that goes with it. */
uint64_t blob_cost_b(const struct blob *b);
