/* TYPE_LOG_FILE: where a log goes, as configured: a path, stdout, stderr, syslog (local /dev/log), off. */
#pragma once

#include "base/type.h"

/* struct str: an absolute path, or one of the words "stdout", "stderr", "syslog", "off". */
extern const struct type TYPE_LOG_FILE;
