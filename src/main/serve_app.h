/* petrel serve --app: what the program speaks, and the configuration that follows from it. */
#pragma once

#include "base/buf.h"

enum spoken {
	SPOKEN_HTTP,       /* on $PORT */
	SPOKEN_FASTCGI,    /* at descriptor 0 */
	SPOKEN_PHP,        /* the same, for files that end in .php */
};

/* php-cgi is known by its name.  Anything else is started, with a FastCGI socket at descriptor 0 and a free port in $PORT,
 * and ended again: what it answers first is what it speaks; where it does neither in time, HTTP. */
enum spoken serve_app_speaks(const char *command);
/* Appends an app block with the program as it would run in this shell: its folder, its environment. */
void serve_app_block(struct buf *out, const char *command, enum spoken spoken);
/* Appends the routes of a site that serves the files of `folder`, and by the app what is no file. */
void serve_app_routes(struct buf *out, const char *folder, enum spoken spoken, bool listing);
