/* What a request is known by to all the programs that it goes through: X-Request-Id, and the W3C's Trace Context
 * (https://www.w3.org/TR/trace-context/).
 *
 * Made when somebody asks for them, an application or a log, so that a request that nobody follows costs nothing. */
#pragma once

#include "http/module.h"
#include "http/req.h"

extern const struct module IDS;

/* In the request's arena. */
struct ids {
	struct str request_id;      /* the client's, or one of petrel's; empty: request_id off */
	struct str trace_id;        /* of the traceparent that goes on; empty: none does */
	bool hides_id, hides_trace; /* what the client sent under these names does not go on */
	struct field *own;          /* what goes to applications beside the client's fields */
	unsigned own_count;
};

const struct ids *req_ids(struct req *r);
/* Whether a client's field goes on to applications, as far as it is one of these. */
bool ids_pass(const struct ids *ids, struct str name);
/* How the error log calls the request: as its application knows it, or else by its number. */
struct str req_name(struct req *r);
