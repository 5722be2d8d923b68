/* Files as the hot set knows them, and answers made of them.  Objects are immutable; bodies belong to their request. */
#include "http/hot.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/must.h"
#include "http/date.h"
#include "http/file_body.h"
#include "http/mime.h"

uint64_t root_id(struct str root)
{
	return hash_bytes(root, 0);
}

struct str hot_key(struct arena *a, uint64_t root, struct str encoding, struct str path)
{
	char *p = arena_raw(a, sizeof root + 1 + encoding.n + path.n);
	memcpy(p, &root, sizeof root);
	p[sizeof root] = (char)encoding.n;
	memcpy(p + sizeof root + 1, encoding.p ? encoding.p : "", encoding.n);
	memcpy(p + sizeof root + 1 + encoding.n, path.p, path.n);
	return (struct str){ p, sizeof root + 1 + encoding.n + path.n };
}

/* The last close of a file that was unlinked gives its blocks back, which may wait for the disk. */
static void close_file(struct mail *m)
{
	struct hot *h = container_of(m, struct hot, closing);
	close(h->fd);
	mem_free(h);
}

struct str hot_variant_key(struct arena *a, const struct hot *from, struct str encoding)
{
	uint64_t root;
	struct str key = from->object.key;
	memcpy(&root, key.p, sizeof root);
	return hot_key(a, root, encoding, str_from(key, sizeof root + 1 + (size_t)key.p[sizeof root]));
}

bool hot_is_variant(const struct hot *v, const struct hot *from)
{
	return v->kind == HOT_BYTES && v->inode == from->inode && v->device == from->device &&
	       v->mtime_ns == from->mtime_ns &&
	       str_starts(v->etag, str_head(from->etag, from->etag.n - 1));
}

static void hot_free(struct object *o)
{
	struct hot *h = hot_of(o);
	if (h->kind == HOT_FILE) {
		h->closing.deliver = close_file;
		mailbox_post(h->closer, &h->closing);
		return;
	}
	mem_str_free(h->bytes);
	mem_free(h);
}

/* The texts of an object, one behind the other in its own memory. */
static struct str lay(char **at, struct str s)
{
	char *p = *at;
	if (s.n)
		memcpy(p, s.p, s.n);
	*at += s.n;
	return (struct str){ p, s.n };
}

static struct hot *hot_new(struct store *s, struct str key, enum hot_kind kind, struct str etag, struct str modified,
                           struct str type, struct str encoding)
{
	size_t texts = key.n + etag.n + modified.n + type.n + encoding.n;
	struct hot *h = mem_new(sizeof *h + texts);
	char *at = (char *)(h + 1);
	h->object.key = lay(&at, key);
	h->object.hash = store_hash(s, key);
	h->object.free = hot_free;
	h->object.cost_b = sizeof *h + texts;
	atomic_init(&h->object.refs, 1);
	h->etag = lay(&at, etag);
	h->modified = lay(&at, modified);
	h->type = lay(&at, type);
	h->encoding = lay(&at, encoding);
	h->kind = kind;
	h->compresses = mime_compresses(type);
	h->fd = -1;
	return h;
}

static enum hot_kind kind_of(const struct disk_file *f)
{
	if (S_ISDIR(f->mode))
		return HOT_FOLDER;
	return f->bytes ? HOT_BYTES : HOT_FILE;
}

/* Nothing was modified after now (RFC 9110, 8.8.2.1). */
static int64_t shown_s(uint64_t mtime_ns)
{
	int64_t modified_s = (int64_t)mtime_ns / 1000000000, now_s = (int64_t)(clock_wall_ms() / 1000);
	return modified_s < now_s ? modified_s : now_s;
}

struct hot *hot_of_file(struct home *home, struct str key, struct disk_file *f, struct str type)
{
	char etag[64], modified[DATE_B];
	int n = snprintf(etag, sizeof etag, "\"%llx-%llx-%llx\"", (unsigned long long)f->inode,
	                 (unsigned long long)f->size_b, (unsigned long long)f->mtime_ns);
	date_print(modified, shown_s(f->mtime_ns));
	struct hot *h = hot_new(home->hot, key, kind_of(f), str_make(etag, (size_t)n), str_make(modified, DATE_B), type,
	                        (struct str){});
	h->size_b = f->size_b;
	h->mtime_ns = f->mtime_ns;
	h->inode = f->inode;
	h->device = f->device;
	if (h->kind == HOT_BYTES) {
		h->bytes = str_make(f->bytes, f->size_b);
		h->object.cost_b += f->size_b;
	} else if (h->kind == HOT_FILE) {
		h->fd = f->fd;
		h->closer = home->slow;
		h->object.cost_b += HOT_FD_COST_B;
	}
	if (h->kind != HOT_FILE && f->fd >= 0)
		close(f->fd);
	f->bytes = NULL;
	f->fd = -1;
	return h;
}

struct hot *hot_of_error(struct store *s, struct str key, int err)
{
	struct hot *h = hot_new(s, key, HOT_ERROR, (struct str){}, (struct str){}, (struct str){}, (struct str){});
	h->err = err;
	return h;
}

struct hot *hot_of_variant(struct store *s, struct str key, const struct hot *from, struct str encoding, struct str bytes)
{
	char etag[96];
	must(from->etag.n >= 2 && from->etag.n + encoding.n + 1 < sizeof etag);
	int n = snprintf(etag, sizeof etag, "%.*s-%.*s\"", (int)from->etag.n - 1, from->etag.p, STR_F(encoding));
	struct hot *h = hot_new(s, key, HOT_BYTES, str_make(etag, (size_t)n), from->modified, from->type, encoding);
	h->bytes = bytes;
	h->size_b = bytes.n;
	h->mtime_ns = from->mtime_ns;
	h->inode = from->inode;
	h->device = from->device;
	h->object.cost_b += bytes.n;
	return h;
}

/* --- Bodies. --- */

struct hot_body {
	struct body body;
	struct req *req;
	struct hot *hot;
	bool held;              /* a reference of its own */
	uint64_t at_b, end_b;
};

static enum body_got hot_read(struct body *body, struct chunk *out, uint64_t want_b)
{
	struct hot_body *b = container_of(body, struct hot_body, body);
	if (b->at_b == b->end_b)
		return BODY_END;
	uint64_t n = b->end_b - b->at_b < want_b ? b->end_b - b->at_b : want_b;
	*out = chunk_of(str_make(b->hot->bytes.p + b->at_b, n), false);
	b->at_b += n;
	out->last = b->at_b == b->end_b;
	return BODY_SOME;
}

static void hot_keep(struct body *body, struct str *rest)
{
	(void)rest;
	struct hot_body *b = container_of(body, struct hot_body, body);
	if (!b->held)
		object_get(&b->hot->object);
	b->held = true;
}

static void hot_close(struct body *body)
{
	struct hot_body *b = container_of(body, struct hot_body, body);
	if (b->held)
		object_put(b->req->home->epoch, &b->hot->object);
}

static const struct body_ops HOT_OPS = { .read = hot_read, .keep = hot_keep, .close = hot_close };

struct body *hot_body(struct req *r, struct hot *h, uint64_t from_b, uint64_t length_b)
{
	must(from_b + length_b <= h->size_b && (h->kind == HOT_BYTES || h->kind == HOT_FILE));
	if (h->kind == HOT_FILE)
		return file_body(r, &h->object, h->fd, from_b, length_b);
	struct hot_body *b = arena_raw(&r->arena, sizeof *b);
	*b = (struct hot_body){ .body.ops = &HOT_OPS, .req = r, .hot = h, .at_b = from_b, .end_b = from_b + length_b };
	return &b->body;
}

void answer_hot(struct req *r, struct hot *h)
{
	r->answer.status = 200;
	r->answer.length_b = (int64_t)h->size_b;
	r->answer.body = hot_body(r, h, 0, h->size_b);
	r->answer.hot = h;
	answer_add(r, STR("Content-Type"), h->type);
	if (h->encoding.n)
		answer_add(r, STR("Content-Encoding"), h->encoding);
	answer_add(r, STR("ETag"), h->etag);
	answer_add(r, STR("Last-Modified"), h->modified);
}
