/* Who may ask over TCP: who sends the token of the `admin` line that he came in by. */
#pragma once

#include "http/req.h"

/* The gate of the admin socket; over a Unix socket it lets everybody in, whom the file's mode lets. */
enum go token_gate(struct req *r, const void *values);
