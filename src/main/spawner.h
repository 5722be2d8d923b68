/* The spawner: the process that starts, watches and ends applications, with the supervisor's rights and for one worker.
 *
 * It knows each configuration before the worker does, and starts only what that names: a worker that was taken over can
 * start and stop applications, as itself could anyway, and nothing else.  When the worker or the supervisor is gone it
 * ends all it started, and then itself. */
#pragma once

/* Runs a spawner on this end of the supervisor's channel; returns the process's exit status.  Called in a process that
 * the supervisor forked. */
int spawner_main(int channel);
