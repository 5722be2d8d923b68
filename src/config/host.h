/* Names of sites. */
#pragma once

#include "base/type.h"

/* Lower case into the arena: a host's name, "*.suffix", "*", or an IPv6 address between brackets.  0, or -EINVAL with
 * in->error set. */
[[nodiscard]] int host_parse(struct type_in *in, struct str text, struct str *name);
