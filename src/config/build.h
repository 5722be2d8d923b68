/* From sources to a snapshot. */
#pragma once

#include "config/source.h"

/* Builds the configuration of the sources for these modules; the first is the core.
 *
 * files: whether checks may look at files, users and addresses (http/check.h): true where the configuration is checked
 * with the supervisor's rights, false where a worker builds what was already checked.
 * 0 and *out, which the caller frees with conf_free(), or -EINVAL after saying every error.  Warnings are said in
 * either case. */
[[nodiscard]] int conf_build(const struct sources *sources, const struct module *const *modules, size_t count,
                             bool files, struct messages *messages, struct conf **out);
