/* What the cgi handler's values say to those who start its programs: control/programs.c and main/spawner.c. */
#pragma once

#include "http/gateway.h"

/* Values of a route; cgi_processes of main alone. */
struct cgi {
	struct gateway gateway;          /* the first member: what codecs get */
	uint64_t timeout_ms;             /* of the program, from its start to its end */
	uint64_t memory_b, cpu_s, descriptors, processes;   /* limits of it; 0: none */
	struct str user;                 /* that it runs as; empty: who serves */
	uint64_t at_once;                /* programs, of all routes together */
};

/* The pool whose one server is whoever starts programs. */
#define CGI_POOL STR("(cgi)")

/* Before the variables, each "NAME=value" with a NUL behind it; the request's body follows them. */
struct cgi_frame {
	uint32_t vars_b;
	uint32_t timeout_ms;
};

/* Of a route that runs programs below this root; NULL: there is none. */
const struct cgi *cgi_below(const struct conf *c, struct str root);
bool cgi_is_used(const struct conf *c);
/* The main scope's at_once. */
uint64_t cgi_at_once(const struct conf *c);
