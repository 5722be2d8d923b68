/* What the parts of the module BACKENDS know of each other: backend.c (tables), backend_type.c, backend_check.c,
 * backend_command.c. */
#pragma once

#include "http/backend.h"

extern const struct type TYPE_SECONDS;   /* uint64_t: a duration in whole seconds */
extern const struct type TYPE_PERCENT;   /* uint64_t: "20%", "20" */
extern const struct type TYPE_KEEP;      /* uint64_t: a number, "off" is 0, "auto" is KEEP_AUTO */

/* Words of `retry`; struct backend's retry_words holds indices. */
enum { RETRY_WORD_ON };
extern const char *const RETRY_WORDS[];

/* The module's hook. */
void backends_check(struct checker *c, void *values);
/* Puts pools and apps into the index; of those with one name the first is found. */
void backends_index(struct backends *v);
struct backend *backends_find(const struct backends *v, struct str name);
void backends_insert(struct backends *v, struct backend *b);
/* Warns where the program that an app's command begins with is not there. */
void check_command(struct checker *c, const struct app_conf *a);
/* RETRY_… of the words. */
unsigned retry_bits(const struct items *words);
