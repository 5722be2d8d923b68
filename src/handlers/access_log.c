/* access_log: a line for each request.  Runs on the request's loop; the line is put together in the loop's buffer and
 * handed to the log's ring, which never waits.
 *
 * A format is a template whose values are escaped one by one, so that no client can forge a line or a member: \xHH as in
 * nginx's and Apache's logs, or as JSON has it. */
#include "base/mem.h"
#include "base/must.h"
#include "handlers/handlers.h"
#include "http/check.h"
#include "http/log_file.h"
#include "http/req.h"
#include "http/vars.h"
#include "share/log.h"

/* The longest value before it is escaped: a request may be larger than what a line of a log is good for. */
enum { VALUE_MOST_B = 4096 };

struct format {
	struct str name;
	struct tmpl line;
	bool json;
};

struct access_log {
	struct str file, format_name;
	struct items formats;         /* struct format: the operator's own */
	const struct format *format;  /* found by check() */
	struct log_sink *sink;        /* while the snapshot is open */
};

static bool is_off(const struct access_log *v)
{
	return !v->file.n || str_eq(v->file, STR("off"));
}

static bool access_log_active(const void *values)
{
	return !is_off(values);
}

/* --- A line. --- */

static bool is_plain(char c)
{
	return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
}

static void escape_log(struct buf *out, struct str value)
{
	static const char HEX[] = "0123456789ABCDEF";
	char *at = buf_room(out, value.n * 4);
	for (size_t i = 0; i < value.n; i++) {
		unsigned char c = (unsigned char)value.p[i];
		if (is_plain(value.p[i])) {
			*at++ = value.p[i];
			continue;
		}
		memcpy(at, "\\x", 2);
		at[2] = HEX[c >> 4];
		at[3] = HEX[c & 15];
		at += 4;
	}
	out->n = (size_t)(at - out->p);
}

/* Whether the value that begins there, printed as it is, can stay so. */
static bool is_clean(const struct buf *out, size_t from)
{
	for (size_t i = from; i < out->n; i++)
		if (!is_plain(out->p[i]))
			return false;
	return true;
}

/* The value behind `from` is replaced by its escaped form. */
static void escape(struct buf *out, size_t from, bool json, struct arena *a)
{
	struct str value = arena_str(a, str_from(buf_str(out), from));
	out->n = from;
	if (json)
		buf_add_json(out, value);
	else
		escape_log(out, value);
}

static void value_print(struct buf *out, const struct piece *p, struct req *r, bool json)
{
	size_t from = out->n;
	piece_print(out, p, r);
	if (out->n - from > VALUE_MOST_B)
		out->n = from + VALUE_MOST_B;
	if (out->n == from && !json)
		buf_add_char(out, '-');
	else if (!is_clean(out, from))
		escape(out, from, json, &r->arena);
}

static void access_log_done(struct req *r, const void *values)
{
	const struct access_log *v = values;
	const struct tmpl *line = &v->format->line;
	struct buf *out = &r->home->line;
	buf_clear(out);
	for (size_t i = 0; i < line->count; i++) {
		const struct piece *p = &line->pieces[i];
		if (p->var || p->capture)
			value_print(out, p, r, v->format->json);
		else
			buf_add(out, p->literal);
	}
	buf_add_char(out, '\n');
	/* A line that is dropped is counted by the log itself. */
	log_write(r->home->ring, v->sink, buf_str(out));
}

/* --- Configuration. --- */

static const struct {
	const char *name, *line;
	bool json;
} BUILT_IN[] = {
	{ "common", "$client - - [$time_common] \"$request\" $status $body_bytes", false },
	{ "combined",
	  "$client - - [$time_common] \"$request\" $status $body_bytes \"$field_referer\" \"$field_user_agent\"", false },
	{ "json",
	  "{\"time\":\"$time\",\"id\":\"$id\",\"request_id\":\"$request_id\",\"trace_id\":\"$trace_id\","
	  "\"client\":\"$client\",\"host\":\"$host\",\"method\":\"$method\","
	  "\"target\":\"$target\",\"protocol\":\"$protocol\",\"status\":$status,\"body_bytes\":$body_bytes,"
	  "\"bytes_out\":$bytes_out,\"bytes_in\":$bytes_in,\"time_queue\":$time_queue,\"time_connect\":$time_connect,"
	  "\"time_answer\":$time_answer,\"time_first\":$time_first,\"time_total\":$time_total,\"server\":\"$server\","
	  "\"attempts\":$attempts,\"hot\":\"$hot\",\"shed\":\"$shed\",\"end\":\"$end\","
	  "\"referer\":\"$field_referer\",\"user_agent\":\"$field_user_agent\",\"site\":\"$site\","
	  "\"route\":\"$route\"}",
	  true },
};

static const struct format *built_in(struct checker *c, struct str name)
{
	for (size_t i = 0; i < countof(BUILT_IN); i++) {
		if (!str_eq(name, str_of(BUILT_IN[i].name)))
			continue;
		struct type_in in = { .arena = check_arena(c) };
		struct format *f = ARENA_NEW(in.arena, struct format);
		*f = (struct format){ .name = name, .json = BUILT_IN[i].json };
		must(!tmpl_parse(&in, str_of(BUILT_IN[i].line), &f->line));
		return f;
	}
	return NULL;
}

static const struct format *own(const struct access_log *v, struct str name)
{
	const struct format *formats = v->formats.p;
	for (size_t i = 0; i < v->formats.count; i++)
		if (str_eq(name, formats[i].name))
			return &formats[i];
	return NULL;
}

static void check_names(struct checker *c, const struct access_log *v)
{
	const struct format *formats = v->formats.p;
	for (size_t i = 0; i < v->formats.count; i++) {
		if (own(v, formats[i].name) != &formats[i])
			check_error(c, &formats[i], "there is a log format \"%.*s\" already", STR_F(formats[i].name));
		else if (built_in(c, formats[i].name))
			check_error(c, &formats[i], "the log format \"%.*s\" is built in", STR_F(formats[i].name));
	}
}

static void access_log_check(struct checker *c, void *values)
{
	struct access_log *v = values;
	if (check_scope(c) == SCOPE_MAIN)
		check_names(c, v);
	v->format = own(v, v->format_name);
	if (!v->format)
		v->format = built_in(c, v->format_name);
	if (v->format)
		return;
	check_error(c, &v->format_name, "there is no log format \"%.*s\"", STR_F(v->format_name));
	check_hint(c, "built in are common, combined and json; others are defined by log_format, outside of all sites");
}

static struct str access_log_file(const void *values)
{
	const struct access_log *v = values;
	return is_off(v) ? (struct str){} : v->file;
}

static void access_log_open(void *values, const struct commons *with)
{
	struct access_log *v = values;
	if (!is_off(v))
		v->sink = log_sink_get(with->log, v->file, -1);
}

static void access_log_close(void *values, const struct commons *with)
{
	struct access_log *v = values;
	if (v->sink)
		log_sink_put(with->log, v->sink);
	v->sink = NULL;
}

static const struct directive DIRECTIVES[] = {
	{ .name = "access_log", .scopes = SCOPE_ALL,
	  .args = ARGS({ "file", &TYPE_LOG_FILE, offsetof(struct access_log, file), .preset = "off" },
	               { "format", &TYPE_WORD, offsetof(struct access_log, format_name), ARG_OPTIONAL,
	                 .preset = "combined" }),
	  .doc = "Where each request leaves a line: a file, stdout, stderr, syslog, or off. The format is common, combined, "
	         "json, or one defined by log_format. In common and combined an empty value is \"-\", and quotes, "
	         "backslashes and bytes that are not printable are written as \\xHH.",
	  .example = "access_log /var/log/petrel/access.log combined;\naccess_log stdout json;" },
	{ .name = "log_format", .kind = DIR_LIST, .scopes = SCOPE_MAIN, .offset = offsetof(struct access_log, formats),
	  .item_size = sizeof(struct format),
	  .args = ARGS({ "name", &TYPE_WORD, offsetof(struct format, name) },
	               { "line", &TYPE_TEMPLATE, offsetof(struct format, line) },
	               { "json", NULL, offsetof(struct format, json), ARG_SWITCH }),
	  .doc = "A format for access_log: a text with variables. With json, values are escaped as JSON strings are; the "
	         "quotes around them are the format's.",
	  .example = "log_format times \"$client $method $target $status $time_first $time_total $end\";" },
	{},
};

const struct module ACCESS_LOG = {
	.name = "access_log",
	.doc = "A line for each request: who asked for what, what it was answered, how long it took, and who ended it why.",
	.size = sizeof(struct access_log),
	.directives = DIRECTIVES,
	.active = access_log_active,
	.on_done = access_log_done,
	.check = access_log_check,
	.log_file = access_log_file,
	.open = access_log_open,
	.close = access_log_close,
};
