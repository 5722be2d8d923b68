/* What a request gets that is refused for load: req_shed() of http/req.h, and the directives that shape it. */
#pragma once

#include "http/module.h"

extern const struct module SHED;
