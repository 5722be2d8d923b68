/* What petrel can be told to do: the table behind petrel(1) and the list of commands. */
#pragma once

#include "config/doc.h"

/* Ended by a NULL name. */
extern const struct command_doc COMMANDS[];
