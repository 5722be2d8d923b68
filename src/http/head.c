/* Names of fields, methods and statuses, and comma-separated lists.  Constants and functions without state. */
#include "http/head.h"

#include "base/mem.h"

/* Shortest first, so that a name is compared with those of its length alone. */
static const struct {
	struct str name;
	enum field_id id;
} FIELDS[] = {
	{ { "te", 2 }, FIELD_TE },
	{ { "age", 3 }, FIELD_AGE },
	{ { "date", 4 }, FIELD_DATE },
	{ { "etag", 4 }, FIELD_ETAG },
	{ { "host", 4 }, FIELD_HOST },
	{ { "vary", 4 }, FIELD_VARY },
	{ { "range", 5 }, FIELD_RANGE },
	{ { "accept", 6 }, FIELD_ACCEPT },
	{ { "cookie", 6 }, FIELD_COOKIE },
	{ { "expect", 6 }, FIELD_EXPECT },
	{ { "pragma", 6 }, FIELD_PRAGMA },
	{ { "expires", 7 }, FIELD_EXPIRES },
	{ { "referer", 7 }, FIELD_REFERER },
	{ { "upgrade", 7 }, FIELD_UPGRADE },
	{ { "if-match", 8 }, FIELD_IF_MATCH },
	{ { "if-range", 8 }, FIELD_IF_RANGE },
	{ { "connection", 10 }, FIELD_CONNECTION },
	{ { "set-cookie", 10 }, FIELD_SET_COOKIE },
	{ { "user-agent", 10 }, FIELD_USER_AGENT },
	{ { "content-type", 12 }, FIELD_CONTENT_TYPE },
	{ { "authorization", 13 }, FIELD_AUTHORIZATION },
	{ { "cache-control", 13 }, FIELD_CACHE_CONTROL },
	{ { "if-none-match", 13 }, FIELD_IF_NONE_MATCH },
	{ { "last-modified", 13 }, FIELD_LAST_MODIFIED },
	{ { "content-length", 14 }, FIELD_CONTENT_LENGTH },
	{ { "accept-encoding", 15 }, FIELD_ACCEPT_ENCODING },
	{ { "if-modified-since", 17 }, FIELD_IF_MODIFIED_SINCE },
	{ { "transfer-encoding", 17 }, FIELD_TRANSFER_ENCODING },
	{ { "if-unmodified-since", 19 }, FIELD_IF_UNMODIFIED_SINCE },
};

enum { FIELD_LONGEST = 19 };

/* Where the names of a length begin; those of the next length begin where they end. */
static const uint8_t FIELDS_FROM[FIELD_LONGEST + 2] = {
	0, 0, 0, 1, 2, 6, 7, 11, 14, 16, 16, 19, 19, 20, 24, 25, 26, 26, 28, 28, 29,
};

struct str ask_cookie(const struct ask *a, struct str name)
{
	for (size_t i = 0; i < a->field_count; i++) {
		struct str rest = a->fields[i].id == FIELD_COOKIE ? a->fields[i].value : (struct str){};
		while (rest.p) {
			struct str value = str_trim(str_cut(&rest, ';')), key = str_cut(&value, '=');
			if (str_eq(key, name) && value.p)
				return value;
		}
	}
	return (struct str){ NULL, 0 };
}

enum field_id field_id(struct str name)
{
	if (name.n > FIELD_LONGEST)
		return FIELD_OTHER;
	for (size_t i = FIELDS_FROM[name.n]; i < FIELDS_FROM[name.n + 1]; i++)
		if (str_eq_nocase(FIELDS[i].name, name))
			return FIELDS[i].id;
	return FIELD_OTHER;
}

bool field_is_hop(struct str name)
{
	static const struct str HOPS[] = {
		{ "connection", 10 },         { "http2-settings", 14 },      { "keep-alive", 10 },
		{ "proxy-authenticate", 18 }, { "proxy-authorization", 19 }, { "proxy-connection", 16 },
		{ "te", 2 },                  { "trailer", 7 },              { "transfer-encoding", 17 },
		{ "upgrade", 7 },
	};
	char first = ascii_lower(name.n ? name.p[0] : '\0');
	if (first != 'c' && first != 'h' && first != 'k' && first != 'p' && first != 't' && first != 'u')
		return false;
	for (size_t i = 0; i < countof(HOPS); i++)
		if (HOPS[i].n == name.n && str_eq_nocase(HOPS[i], name))
			return true;
	return false;
}

bool field_is_like(struct str a, struct str b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (ascii_lower(a.p[i] == '_' ? '-' : a.p[i]) != ascii_lower(b.p[i] == '_' ? '-' : b.p[i]))
			return false;
	return true;
}

bool fields_name(const struct field *fields, size_t count, struct str name)
{
	for (size_t i = 0; i < count; i++)
		if (fields[i].id == FIELD_CONNECTION && list_has(fields[i].value, name))
			return true;
	return false;
}

static const struct str METHODS[] = {
	[METHOD_GET] = { "GET", 3 },
	[METHOD_HEAD] = { "HEAD", 4 },
	[METHOD_POST] = { "POST", 4 },
	[METHOD_PUT] = { "PUT", 3 },
	[METHOD_DELETE] = { "DELETE", 6 },
	[METHOD_OPTIONS] = { "OPTIONS", 7 },
	[METHOD_PATCH] = { "PATCH", 5 },
	[METHOD_TRACE] = { "TRACE", 5 },
	[METHOD_CONNECT] = { "CONNECT", 7 },
};

enum method method_of(struct str name)
{
	for (size_t i = METHOD_GET; i < countof(METHODS); i++)
		if (str_eq(name, METHODS[i]))
			return (enum method)i;
	return METHOD_OTHER;
}

struct str ask_method(const struct ask *a)
{
	return a->method == METHOD_OTHER ? a->method_name : METHODS[a->method];
}

struct str status_reason(unsigned status)
{
	switch (status) {
	case 100: return STR("Continue");
	case 101: return STR("Switching Protocols");
	case 103: return STR("Early Hints");
	case 200: return STR("OK");
	case 201: return STR("Created");
	case 202: return STR("Accepted");
	case 204: return STR("No Content");
	case 206: return STR("Partial Content");
	case 300: return STR("Multiple Choices");
	case 301: return STR("Moved Permanently");
	case 302: return STR("Found");
	case 303: return STR("See Other");
	case 304: return STR("Not Modified");
	case 307: return STR("Temporary Redirect");
	case 308: return STR("Permanent Redirect");
	case 400: return STR("Bad Request");
	case 401: return STR("Unauthorized");
	case 403: return STR("Forbidden");
	case 404: return STR("Not Found");
	case 405: return STR("Method Not Allowed");
	case 406: return STR("Not Acceptable");
	case 408: return STR("Request Timeout");
	case 409: return STR("Conflict");
	case 410: return STR("Gone");
	case 411: return STR("Length Required");
	case 412: return STR("Precondition Failed");
	case 413: return STR("Content Too Large");
	case 414: return STR("URI Too Long");
	case 415: return STR("Unsupported Media Type");
	case 416: return STR("Range Not Satisfiable");
	case 417: return STR("Expectation Failed");
	case 421: return STR("Misdirected Request");
	case 422: return STR("Unprocessable Content");
	case 426: return STR("Upgrade Required");
	case 429: return STR("Too Many Requests");
	case 431: return STR("Request Header Fields Too Large");
	case 451: return STR("Unavailable For Legal Reasons");
	case 500: return STR("Internal Server Error");
	case 501: return STR("Not Implemented");
	case 502: return STR("Bad Gateway");
	case 503: return STR("Service Unavailable");
	case 504: return STR("Gateway Timeout");
	case 505: return STR("HTTP Version Not Supported");
	case 507: return STR("Insufficient Storage");
	case 508: return STR("Loop Detected");
	default: return STR("Unknown");
	}
}

bool list_next(struct str *list, struct str *element)
{
	while (list->n) {
		size_t end = 0;
		bool quoted = false;
		while (end < list->n && (quoted || list->p[end] != ',')) {
			if (quoted && list->p[end] == '\\' && end + 1 < list->n)
				end++;
			else if (list->p[end] == '"')
				quoted = !quoted;
			end++;
		}
		*element = str_trim(str_head(*list, end));
		*list = str_from(*list, end + 1);
		if (element->n)
			return true;
	}
	return false;
}

bool list_has(struct str list, struct str token)
{
	while (list.p)
		if (str_eq_nocase(str_trim(str_cut(&list, ',')), token))
			return true;
	return false;
}
