/* Starts threads.  See thread.h. */
#include "event/thread.h"

#include <signal.h>

/* Process signals are for the thread that waits for them (main/worker.c); a crash still has to reach the panic
 * handler. */
static void mask_make(sigset_t *mask)
{
	static const int OWN[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS };
	sigfillset(mask);
	for (unsigned i = 0; i < sizeof OWN / sizeof *OWN; i++)
		sigdelset(mask, OWN[i]);
}

int thread_start(pthread_t *out, const char *name, void *(*run)(void *), void *arg)
{
	sigset_t mask, before;
	mask_make(&mask);
	pthread_sigmask(SIG_SETMASK, &mask, &before);
	int err = pthread_create(out, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!err)
		pthread_setname_np(*out, name);
	return -err;
}
