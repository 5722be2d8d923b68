/* The modules of this floor, by name, for main/modules.c. */
#pragma once

#include "http/module.h"

extern const struct module FILES;     /* files.c */
extern const struct module REDIRECT;  /* redirect.c */
extern const struct module RESPOND;   /* respond.c */
