/* The list of modules: the order in which their gates and logs run; heads are edited in reverse. */
#pragma once

#include "http/module.h"

extern const struct module *const MODULES[];
extern const size_t MODULE_COUNT;
