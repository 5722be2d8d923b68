/* GET /explain?url=…&method=…&client=…&header=…: which way a request would take, and why. */
#pragma once

#include "control/admin.h"

void errand_explain(struct control *c, struct admin_call *call);
