/* Sites and routes: their names and patterns, and which modules' hooks a route calls. */
#pragma once

#include "config/block.h"

/* The sites among main's statements, whose own directives were applied before. */
void site_build_all(struct frame *main, const struct flat *list);
