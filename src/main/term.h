/* The terminal while something is drawn on all of it.  However the program ends, it is as it was; one at a time. */
#pragma once

#include <stdbool.h>

/* A screen of its own, keys as they are pressed, no cursor.  False: input and output are not both terminals. */
bool term_open(void);
/* Harmless where it is not open. */
void term_close(void);
/* Columns and rows. */
void term_size(unsigned *width, unsigned *height);
