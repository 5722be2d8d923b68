/* struct quota: so many a second, whoever takes them.  Counted; any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct quota;

struct quota *quota_new(uint32_t per_second);
void quota_get(struct quota *q);
void quota_put(struct quota *q);
/* One of this second's; false where there is none left, which is counted. */
bool quota_take(struct quota *q, uint64_t now_ms);
/* How many were refused. */
uint64_t quota_refused(const struct quota *q);
