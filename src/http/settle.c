/* What is left of a request that has turned into a tunnel: a copy of what logs may ask for, in one block as small as can
 * be. */
#include <stddef.h>

#include "base/mem.h"
#include "http/ids.h"
#include "http/req.h"

/* Takes the next s.n bytes for a copy of s. */
static struct str put(char **at, struct str s)
{
	struct str copy = { s.p ? *at : NULL, s.n };
	if (s.n)
		memcpy(*at, s.p, s.n);
	*at += s.n;
	return copy;
}

static size_t fields_b(const struct field *fields, size_t count)
{
	size_t n = count * sizeof *fields;
	for (size_t i = 0; i < count; i++)
		n += fields[i].name.n + fields[i].value.n;
	return n;
}

static struct field *put_fields(char **structs, char **text, const struct field *fields, size_t count)
{
	struct field *copy = (struct field *)(void *)*structs;
	*structs += count * sizeof *fields;
	for (size_t i = 0; i < count; i++)
		copy[i] = (struct field){ put(text, fields[i].name), put(text, fields[i].value), fields[i].id };
	return copy;
}

/* What logs may ask of them. */
static struct ids *put_ids(char **structs, char **text, const struct ids *ids)
{
	struct ids *copy = (struct ids *)(void *)*structs;
	*structs += sizeof *copy;
	*copy = (struct ids){ .request_id = put(text, ids->request_id), .trace_id = put(text, ids->trace_id) };
	return copy;
}

struct req *req_settle(struct req *r)
{
	const struct ids *ids = req_ids(r);
	const struct ask *a = &r->ask;
	const struct answer *w = &r->answer;
	size_t head = (offsetof(struct req, first) + 15) & ~(size_t)15;
	size_t fields = (a->field_count + w->field_count) * sizeof(struct field);
	size_t structs_b = fields + sizeof *ids;
	size_t text = a->method_name.n + a->target.n + a->path.n + a->query.n + a->host.n +
	              r->trip.server.n + ids->request_id.n + ids->trace_id.n +
	              fields_b(a->fields, a->field_count) + fields_b(w->fields, w->field_count) - fields;
	char *block = mem_grow(NULL, head + structs_b + text), *structs = block + head, *at = structs + structs_b;
	struct req *copy = (struct req *)(void *)block;
	memcpy(copy, r, offsetof(struct req, first));
	copy->ask.method_name = put(&at, a->method_name);
	copy->ask.target = put(&at, a->target);
	copy->ask.path = put(&at, a->path);
	copy->ask.query = put(&at, a->query);
	copy->ask.host = put(&at, a->host);
	copy->ask.fields = put_fields(&structs, &at, a->fields, a->field_count);
	copy->answer.fields = put_fields(&structs, &at, w->fields, w->field_count);
	copy->trip.server = put(&at, r->trip.server);
	copy->ids = put_ids(&structs, &at, ids);
	/* A log's line may need a byte or two. */
	arena_init(&copy->arena, NULL, 0);
	copy->captures.count = 0;
	copy->upload = NULL;
	copy->state = NULL;
	copy->call = NULL;
	r->use = NULL;
	return copy;
}
