/* From traces to HAR.  See har.h, and http://www.softwareishard.com/blog/har-12-spec/ for the format. */
#include "main/har.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/civil.h"
#include "http/head.h"
#include "http/query.h"
#include "main/show_in.h"

static const char END[] = "\n]}}\n";

/* --- Parts of an entry. --- */

static json_t *text(struct str s)
{
	return json_stringn_nocheck(s.p ? s.p : "", s.n);
}

/* [["Host","a"]] as [{"name":"Host","value":"a"}] */
static json_t *headers_of(const json_t *fields)
{
	json_t *list = json_array(), *pair;
	size_t i;
	json_array_foreach(fields, i, pair)
		json_array_append_new(list, json_pack("{s:O,s:O}", "name", json_array_get(pair, 0), "value",
		                                      json_array_get(pair, 1)));
	return list;
}

static const char *field_of(const json_t *fields, const char *name)
{
	const json_t *pair;
	size_t i;
	json_array_foreach(fields, i, pair) {
		const char *value = json_string_value(json_array_get(pair, 1));
		if (value && str_eq_nocase(str_of(json_string_value(json_array_get(pair, 0))), str_of(name)))
			return value;
	}
	return "";
}

static json_t *query_of(struct str target)
{
	json_t *list = json_array();
	struct str query = str_from(target, str_find(target, '?') + 1);
	while (query.n) {
		struct str value = str_cut(&query, '&'), name = str_cut(&value, '=');
		json_array_append_new(list, json_pack("{s:o,s:o}", "name", text(name), "value", text(value)));
	}
	return list;
}

/* A target may be a URL already. */
static json_t *url_of(const json_t *request)
{
	struct buf url = {};
	struct str target = text_str(request, "target");
	const char *host = field_of(json_object_get(request, "fields"), "Host");
	if (target.n && target.p[0] == '/')
		buf_addf(&url, "http://%s", *host ? host : "localhost");
	buf_add(&url, target);
	json_t *out = text(buf_str(&url));
	buf_fini(&url);
	return out;
}

static json_t *request_of(const json_t *trace)
{
	const json_t *r = json_object_get(trace, "request");
	return json_pack("{s:s,s:o,s:s,s:[],s:o,s:o,s:i,s:I}", "method", text_of(r, "method"), "url", url_of(r), "httpVersion",
	                 text_of(r, "protocol"), "cookies", "headers", headers_of(json_object_get(r, "fields")), "queryString",
	                 query_of(text_str(r, "target")), "headersSize", -1, "bodySize",
	                 (json_int_t)number_of(r, "body_bytes"));
}

static json_t *response_of(const json_t *trace)
{
	const json_t *a = json_object_get(trace, "answer"), *fields = json_object_get(a, "fields");
	unsigned status = (unsigned)number_of(a, "status");
	json_int_t body_b = (json_int_t)number_of(a, "body_bytes");
	json_t *content = json_pack("{s:I,s:s}", "size", body_b, "mimeType", field_of(fields, "Content-Type"));
	json_t *reason = text(status ? status_reason(status) : STR(""));
	return json_pack("{s:i,s:o,s:s,s:[],s:o,s:o,s:s,s:I,s:I}", "status", (int)status, "statusText", reason, "httpVersion",
	                 "HTTP/1.1", "cookies", "headers", headers_of(fields), "content", content, "redirectURL",
	                 field_of(fields, "Location"), "headersSize", (json_int_t)number_of(a, "bytes") - body_b, "bodySize",
	                 body_b);
}

/* Milliseconds of what petrel waited for: a slot, a connection, the answer's head, the rest.  They add up to the time. */
static json_t *timings_of(const json_t *trace, double *time)
{
	const json_t *tries = json_object_get(trace, "tries");
	const json_t *last = json_array_get(tries, json_array_size(tries) - 1);
	uint64_t total = number_of(trace, "total_us"), picked = number_of(last, "picked_us");
	uint64_t connected = number_of(last, "connected_us"), head = number_of(last, "head_us");
	if (!head)
		head = number_of(json_object_get(trace, "answer"), "at_us");
	connected = connected < picked ? picked : connected;
	head = head < connected ? connected : head;
	total = total < head ? head : total;
	*time = (double)total / 1000;
	return json_pack("{s:f,s:i,s:f,s:f,s:f,s:f,s:i}", "blocked", (double)picked / 1000, "dns", -1, "connect",
	                 (double)(connected - picked) / 1000, "send", 0.0, "wait", (double)(head - connected) / 1000, "receive",
	                 (double)(total - head) / 1000, "ssl", -1);
}

static json_t *started_of(const json_t *trace)
{
	uint64_t ms = number_of(trace, "wall_ms");
	char at[48];
	size_t n = civil_print(at, (int64_t)(ms / 1000));
	snprintf(at + n, sizeof at - n, ".%03uZ", (unsigned)(ms % 1000));
	return json_string(at);
}

static json_t *entry_of(const json_t *trace)
{
	double time;
	json_t *timings = timings_of(trace, &time);
	json_t *entry = json_pack("{s:o,s:f,s:o,s:o,s:{},s:o}", "startedDateTime", started_of(trace), "time", time, "request",
	                          request_of(trace), "response", response_of(trace), "cache", "timings", timings);
	/* The rest of what is known, in a member of its own, as the format has it. */
	json_object_set(entry, "_petrel", (json_t *)(uintptr_t)trace);
	return entry;
}

/* --- The file. --- */

int har_open(struct har *h, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	*h = (struct har){ .file = fd < 0 ? NULL : fdopen(fd, "w") };
	if (!h->file)
		return -errno;
	fprintf(h->file, "{\"log\":{\"version\":\"1.2\",\"creator\":{\"name\":\"petrel\",\"version\":\"%s\"},\"entries\":[",
	        PETREL_VERSION);
	h->end = ftell(h->file);
	fputs(END, h->file);
	return fflush(h->file) ? -errno : 0;
}

int har_add(struct har *h, const json_t *trace)
{
	json_t *entry = entry_of(trace);
	char *line = json_dumps(entry, JSON_COMPACT);
	json_decref(entry);
	fseek(h->file, h->end, SEEK_SET);
	fprintf(h->file, "%s\n%s", h->count++ ? "," : "", line ? line : "{}");
	h->end = ftell(h->file);
	fputs(END, h->file);
	free(line);
	return fflush(h->file) ? -errno : 0;
}

void har_close(struct har *h)
{
	if (h->file)
		fclose(h->file);
	h->file = NULL;
}
