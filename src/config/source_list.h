/* What config/source.c and config/read.c share: putting a source into the bundle. */
#pragma once

#include "config/source.h"

/* Appends; the source and all that it points at live in s->arena. */
void sources_add(struct sources *s, const struct source *source);
