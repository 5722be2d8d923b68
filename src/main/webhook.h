/* `petrel webhook`: one POST of what is on standard input, by a process of its own that may wait: started by the spawner
 * (main/tell.c), never by a person.  It says on standard output what came of it, in a line; its status is 0 for an answer
 * of 2xx. */
#pragma once

#define WEBHOOK_COMMAND "webhook"

int webhook_main(void);
