/* X-Accel-Redirect and X-Sendfile: an application decides who gets a file, and petrel sends it. */
#pragma once

#include "http/upstream.h"

/* For a codec's on_reply.  Where the answer names another path or a file, that is served in its place, as a plain GET, with
 * the answer's other fields: GO_AGAIN; GO_ANSWER (502) where it can't be; else GO_NEXT.  A CGI program's local redirect
 * (reply.again) is always followed, X-Accel-Redirect and X-Sendfile only if `on`. */
enum go sendfile_reply(struct req *r, struct call *c, bool on);

/* The row that says so, in a handler's block; at: the offset of the flag. */
#define SENDFILE_ROW(at)                                                                                                \
	{ .name = "sendfile", .args = ARGS({ "flag", &TYPE_FLAG, at, .preset = "on" }),                                 \
	  .doc = "Whether the application may have petrel answer in its place: X-Accel-Redirect names a path, which is then " \
	         "routed as if it had been asked for, X-Sendfile a file below the root. Content-Type, cookies and most " \
	         "other fields of the application go out with the file.",                                               \
	  .example = "route /files/* { fastcgi php; }\nroute /protected/* { internal; files; }" }
