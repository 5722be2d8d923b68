/* What the handlers that speak CGI's variables over a connection have in common: FastCGI, SCGI, uwsgi. */
#pragma once

#include "http/backend.h"
#include "http/cgi.h"
#include "http/upstream.h"

enum { CHECK_AUTO, CHECK_ON, CHECK_OFF };

/* A handler's values on a route. */
struct gateway {
	struct target target;
	struct cgi_conf cgi;
	int check;                   /* that scripts are there: CHECK_… */
	bool sendfile;
	struct outward outward;      /* made by gateway_check() */
};

/* Rows of the handlers' blocks: for scripts that are files, and for applications. */
extern const struct directive GATEWAY_SCRIPTS[];
extern const struct directive GATEWAY_APPS[];
/* The handler's argument. */
extern const struct arg GATEWAY_ARGS[];

void gateway_check(struct checker *c, struct gateway *g, const struct codec *codec, enum protocol protocol);
void gateway_explain(struct req *r, const void *values, struct explained *out);
enum go gateway_handle(struct req *r, const void *values);
const struct outward *gateway_outward(const void *values);

static inline const struct gateway *gateway_of(const struct call *c)
{
	return c->outward->values;
}

/* For SCGI and uwsgi: the answer is a program's, and ends with the connection or its length; state is a struct cgi_answer
 * alone. */
enum heard gateway_hear(struct call *c, struct str *in, struct str *data);
enum heard gateway_fin(struct call *c);
