/* The heads of messages: what was asked, and the fields of either side.  Everything points into the request's arena. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum method {
	METHOD_OTHER,  /* a valid token that is none of these */
	METHOD_GET,
	METHOD_HEAD,
	METHOD_POST,
	METHOD_PUT,
	METHOD_DELETE,
	METHOD_OPTIONS,
	METHOD_PATCH,
	METHOD_TRACE,
	METHOD_CONNECT,
};

/* Fields that petrel itself looks at, found without a search. */
enum field_id {
	FIELD_OTHER,
	FIELD_ACCEPT,
	FIELD_ACCEPT_ENCODING,
	FIELD_AGE,
	FIELD_AUTHORIZATION,
	FIELD_CACHE_CONTROL,
	FIELD_CONNECTION,
	FIELD_CONTENT_LENGTH,
	FIELD_CONTENT_TYPE,
	FIELD_COOKIE,
	FIELD_DATE,
	FIELD_ETAG,
	FIELD_EXPECT,
	FIELD_EXPIRES,
	FIELD_HOST,
	FIELD_IF_MATCH,
	FIELD_IF_MODIFIED_SINCE,
	FIELD_IF_NONE_MATCH,
	FIELD_IF_RANGE,
	FIELD_IF_UNMODIFIED_SINCE,
	FIELD_LAST_MODIFIED,
	FIELD_PRAGMA,
	FIELD_RANGE,
	FIELD_REFERER,
	FIELD_SET_COOKIE,
	FIELD_TE,
	FIELD_TRANSFER_ENCODING,
	FIELD_UPGRADE,
	FIELD_USER_AGENT,
	FIELD_VARY,
	FIELD_IDS,
};

struct field {
	struct str name;
	struct str value;      /* without the blanks around it */
	enum field_id id;
};

enum framing {
	FRAMING_NONE,      /* no body */
	FRAMING_LENGTH,    /* length_b bytes */
	FRAMING_CHUNKED,
};

/* A request's head, checked: RFC 9112's grammar holds, and nothing in it can be read in two ways. */
struct ask {
	enum method method;
	struct str method_name;     /* as it came, for logs: see ask_method() */
	struct str target;          /* as it came */
	struct str path;            /* decoded, dot segments and doubled slashes gone; begins with '/' ("*" for OPTIONS *) */
	struct str query;           /* raw, without the '?'; p is NULL where there was no '?' */
	struct str host;            /* lower case, without port; empty in HTTP/1.0 without a Host field */
	uint16_t port;              /* named by Host, or 0 */
	unsigned minor;             /* HTTP/1.minor: 0 or 1 */
	bool keep_alive;
	bool expect_continue;
	enum framing framing;
	uint64_t length_b;
	struct field *fields;
	size_t field_count;
	uint8_t first[FIELD_IDS];   /* index + 1 of the first field with that id; 0: none, or past the 255th */
	size_t head_b;              /* bytes on the wire */
};

/* The first field of this id; .p is NULL where there is none. */
static inline struct str ask_field(const struct ask *a, enum field_id id)
{
	return a->first[id] ? a->fields[a->first[id] - 1].value : (struct str){ NULL, 0 };
}

/* The value of a cookie (RFC 6265, 4.2); .p NULL where there is none of this name. */
struct str ask_cookie(const struct ask *a, struct str name);
/* The id of a field's name, case ignored. */
enum field_id field_id(struct str name);
enum method method_of(struct str name);
/* What an origin is asked with: what the client said, unless the request became a GET on its way. */
struct str ask_method(const struct ask *a);
/* Whether a field speaks of one connection and not of the message (RFC 9110, 7.6.1): never passed on.  Connection names
 * more of them: fields_name(). */
bool field_is_hop(struct str name);
/* The same name to those who read '_' as '-', as many applications do; case ignored. */
bool field_is_like(struct str a, struct str b);
/* Whether a Connection field among these names this field. */
bool fields_name(const struct field *fields, size_t count, struct str name);
/* "Not Found"; "Unknown" for codes that are not registered. */
struct str status_reason(unsigned status);
/* RFC 9110, 5.6.2: not empty, token characters only. */
bool str_is_token(struct str s);
/* True where a comma-separated list of tokens (RFC 9110, 5.6.1) holds this one, case ignored.  There are no quoted strings
 * in such a list: a quote hides nothing. */
bool list_has(struct str list, struct str token);
/* Takes the next element off a comma-separated list, trimmed, quoted strings kept whole; false at the end.  Empty
 * elements are skipped. */
bool list_next(struct str *list, struct str *element);
