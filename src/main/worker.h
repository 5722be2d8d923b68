/* The worker: the process that serves.  Unprivileged; a control loop on its first thread and an event loop per core. */
#pragma once

/* Runs a worker on this end of the channel until it is told to stop; returns the process's exit status.  Called in a
 * process that the supervisor forked, before any thread exists. */
int worker_main(int channel);
