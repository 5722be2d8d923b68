/* Heap memory whose allocation does not fail: small things only.
 *
 * Whatever a client's request can make large is admitted against a configured ceiling before it is allocated; what is
 * allocated here is small and bounded, so that running out of it means the machine is out of memory, and the program
 * ends with a clear line rather than with a path that nobody ever tested.  Any thread. */
#pragma once

#include <stddef.h>

#include "base/str.h"

/* size bytes, zeroed; the caller owns them and frees them with mem_free(). */
[[nodiscard, gnu::malloc, gnu::returns_nonnull]] void *mem_new(size_t size);
/* As realloc(), but it does not fail; new bytes are not zeroed. */
[[nodiscard, gnu::returns_nonnull]] void *mem_grow(void *p, size_t size);
void mem_free(void *p);
/* A copy with a NUL behind it, and the end of one; .p NULL ends nothing. */
[[nodiscard]] struct str mem_str(struct str s);
void mem_str_free(struct str s);

/* Once, before anything is allocated: large blocks come from the system and go back to it. */
void mem_setup(void);
/* The C library keeps what was freed; this gives it back to the system.  After something large and rare, such as reading
 * a configuration: it looks at the whole heap. */
void mem_give_back(void);

/* A zeroed struct: struct conn *c = MEM_NEW(struct conn); */
#define MEM_NEW(type) ((type *)mem_new(sizeof(type)))

/* The struct that holds a member, from the member's address. */
#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))
#define countof(array) (sizeof(array) / sizeof *(array))
