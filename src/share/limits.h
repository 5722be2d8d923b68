/* struct limits: how many connections there are, in all and from each address.  Asked once per connection. */
#pragma once

#include <stdint.h>

#include "base/str.h"

struct limits;

enum admitted { LIMITS_ADMITTED, LIMITS_FULL, LIMITS_ADDRESS_FULL };

struct limits *limits_new(void);
void limits_free(struct limits *l);
/* The bounds hold for connections to come; 0: none. */
void limits_bounds(struct limits *l, uint64_t all, uint64_t per_address);
/* Counts one more connection from an address (its bytes; empty: not counted by address).  Any thread. */
enum admitted limits_enter(struct limits *l, struct str address);
/* Exactly once for each LIMITS_ADMITTED. */
void limits_leave(struct limits *l, struct str address);
