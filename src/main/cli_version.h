/* petrel version: what this binary is made of, and what the kernel under it offers. */
#pragma once

#include "main/options.h"

enum { VERSION_JSON };

extern const struct option VERSION_OPTIONS[];

int cli_version(const struct options *o);
