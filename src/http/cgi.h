/* CGI/1.1 (RFC 3875), which FastCGI, SCGI and uwsgi have in common: what a request is called in variables, and how a
 * program answers. */
#pragma once

#include "base/directive.h"
#include "http/codec.h"
#include "http/lines.h"
#include "http/vars.h"

/* --- The request. --- */

/* A variable of the operator's own. */
struct cgi_param {
	struct str name;
	struct tmpl value;
};

/* How a path becomes SCRIPT_NAME and PATH_INFO. */
struct cgi_conf {
	struct items params;         /* struct cgi_param; in place of petrel's own of the same name */
	struct str split;            /* ".php": the script is the path up to the first segment that ends so */
	struct str index;            /* the script of a path that ends in a slash */
	struct str mount;            /* an application's SCRIPT_NAME, without a slash at its end; the rest is PATH_INFO */
	bool mounted;                /* there is an application at `mount`, and no script file */
};

/* Who takes the variables; embedded in something. */
struct cgi_sink {
	/* name and value may be gone after the call. */
	void (*put)(struct cgi_sink *to, struct str name, struct str value);
};

/* All variables of the request, one by one.  body_b: of its body, LENGTH_UNKNOWN where nobody knows. */
void cgi_vars(struct req *r, const struct cgi_conf *conf, int64_t body_b, struct cgi_sink *to);

/* The path of the file that is to be run; empty where the application is none (`mount`).  *split: it ends as the split
 * says, so that nothing but a script can be meant. */
struct str cgi_script(struct req *r, const struct cgi_conf *conf, bool *split);

/* --- The answer. --- */

struct cgi_answer {
	bool status_line;            /* "HTTP/1.1 200 OK" may stand before the fields: uwsgi and SCGI servers send it */
	char *kept;                  /* of the head, while it comes in pieces; in the arena */
	size_t kept_n, kept_cap;
	bool told;                   /* HEARD_HEAD was said */
	bool bodiless;               /* HEAD, 204, 304 */
	int64_t left_b;              /* of the body; LENGTH_UNKNOWN */
};

/* As codec->hear, for the bytes that a program writes: HEARD_END where the body's length says so, though bytes may be
 * left in *in.  What a program writes in spite of HEAD, 204 and 304 is skipped. */
enum heard cgi_hear(struct call *c, struct cgi_answer *a, struct str *in, struct str *data);
/* The program has written all it will. */
enum heard cgi_fin(struct call *c, const struct cgi_answer *a);
/* A head (exactly `in`, or its begin): PARSE_DONE fills *out, with reply.again for a local redirect; *head_b: its bytes.
 * Fields are in the arena.  PARSE_BAD: *why. */
enum parsed cgi_head_parse(struct arena *a, struct str in, bool status_line, struct reply *out, size_t *head_b,
                           const char **why);
