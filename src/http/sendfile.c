/* Files in the place of an application's answer.  On the request's loop; fields that are kept lie in the request's
 * arena. */
#include "http/sendfile.h"

#include "base/mem.h"
#include "http/core.h"
#include "http/target.h"

static struct str reply_field(const struct reply *reply, struct str name)
{
	for (size_t i = 0; i < reply->field_count; i++)
		if (str_eq_nocase(reply->fields[i].name, name))
			return reply->fields[i].value;
	return (struct str){};
}

/* X-Accel-Redirect, X-Accel-Buffering … are said to the server. */
static bool is_aside(struct str name)
{
	return str_eq_nocase(str_head(name, 8), STR("x-accel-")) || str_eq_nocase(name, STR("x-sendfile"));
}

static void drop_asides(struct reply *reply)
{
	size_t kept = 0;
	for (size_t i = 0; i < reply->field_count; i++)
		if (!is_aside(reply->fields[i].name))
			reply->fields[kept++] = reply->fields[i];
	reply->field_count = kept;
}

/* What describes the bytes that are not sent, and what the file's answer knows better. */
static bool is_of_bytes(struct str name)
{
	static const struct str NAMES[] = {
		{ "accept-ranges", 13 }, { "content-encoding", 16 }, { "content-md5", 11 }, { "content-range", 13 },
		{ "date", 4 },           { "etag", 4 },              { "last-modified", 13 }, { "location", 8 },
		{ "server", 6 },         { "transfer-encoding", 17 },
	};
	for (size_t i = 0; i < countof(NAMES); i++)
		if (str_eq_nocase(name, NAMES[i]))
			return true;
	return false;
}

static void keep_fields(struct req *r, const struct reply *reply)
{
	r->kept_fields = arena_raw(&r->arena, reply->field_count * sizeof *r->kept_fields);
	r->kept_field_count = 0;
	for (size_t i = 0; i < reply->field_count; i++)
		if (!is_of_bytes(reply->fields[i].name))
			r->kept_fields[r->kept_field_count++] = reply->fields[i];
}

static enum go refused(struct req *r, struct str what, const char *why)
{
	log_note(r->home->ring, LOG_LEVEL_ERROR, "%.*s: the application asks for \"%.*s\" to be sent: %s",
	         STR_F(r->ask.path), STR_F(what), why);
	return req_answer(r, 502);
}

static enum go serve(struct req *r, const struct reply *reply, struct str path, struct str query)
{
	keep_fields(r, reply);
	req_become_get(r);
	r->ask.query = query;
	return req_again(r, path);
}

/* A path as a URL has it, perhaps with a query.  A value of a field may hold blanks; what goes into a request line may
 * not. */
static enum go serve_path(struct req *r, const struct reply *reply, struct str to)
{
	size_t mark = str_find(to, '?');
	struct str path, query = str_from(to, mark + 1);
	query = mark < to.n ? target_clean(&r->arena, str_head(query, str_find(query, '#'))) : (struct str){};
	const char *why;
	if (target_path(&r->arena, str_head(to, mark), &path, &why))
		return refused(r, to, why);
	return serve(r, reply, path, query);
}

/* A file's name, which has to lie below the route's root.  Encoded and decoded again, so that it is normalised and
 * refused by the same rules as a path that a client asks for. */
static enum go serve_file(struct req *r, const struct reply *reply, struct str file)
{
	struct str root = req_core(r)->root, path;
	const char *why;
	if (!root.n)
		return refused(r, file, "the route has no root");
	if (root.p[root.n - 1] == '/')
		root.n--;
	if (!str_starts(file, root) || file.n == root.n || file.p[root.n] != '/')
		return refused(r, file, "it is not below the root");
	if (target_path(&r->arena, target_encode(&r->arena, str_from(file, root.n)), &path, &why))
		return refused(r, file, why);
	return serve(r, reply, path, (struct str){});
}

enum go sendfile_reply(struct req *r, struct call *c, bool on)
{
	struct reply *reply = &c->reply;
	struct str path = reply->again, file = {};
	if (on) {
		if (!path.p)
			path = reply_field(reply, STR("X-Accel-Redirect"));
		file = reply_field(reply, STR("X-Sendfile"));
		drop_asides(reply);
	}
	if (path.p)
		return serve_path(r, reply, path);
	return file.p ? serve_file(r, reply, file) : GO_NEXT;
}
