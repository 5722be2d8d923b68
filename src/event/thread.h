/* Threads of our own that are no loops: they get no signals, except those that a thread brings on itself, and have a
 * name in ps and in a debugger. */
#pragma once

#include <pthread.h>

/* 0 or -errno.  name: at most 15 bytes. */
[[nodiscard]] int thread_start(pthread_t *out, const char *name, void *(*run)(void *), void *arg);
