/* struct ever: which hashes were ever added: surely not, or perhaps.  Bits, none of which is ever taken back.  Any thread;
 * what one added another one sees who has had word of him since. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct ever;

struct ever *ever_new(void);
void ever_free(struct ever *s);
void ever_add(struct ever *s, uint64_t hash);
bool ever_has(const struct ever *s, uint64_t hash);
