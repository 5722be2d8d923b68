/* must(): the assertions that stay on in production.
 *
 * A broken invariant is our own mistake and never a client's or an operator's: the program ends at once, and the panic
 * handler (main/panic.c) prints where each loop was.  Safe to use on any thread. */
#pragma once

#define must(cond) ((cond) ? (void)0 : must_fail(#cond, __FILE__, __LINE__))

/* Writes "petrel: FILE:LINE: must(COND)" to standard error and aborts. */
[[gnu::noreturn, gnu::cold]] void must_fail(const char *cond, const char *file, int line);
