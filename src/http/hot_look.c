/* Looking files up.  A request's side (struct hot_search, struct wait) and a fetch, which brings one path into the hot set
 * and belongs to no request: it goes on when they leave.  All on the loop that began them; the disk engine sends mail. */
#include "http/hot_look.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <unistd.h>

#include "base/mem.h"
#include "http/core.h"
#include "http/mime.h"

/* A fetch on the disk engine: first the root, where even that is not in the kernel's caches, then the path below it. */
struct fetch {
	struct disk_job job;
	struct home *home;
	struct tree tree;         /* texts in this allocation */
	struct str key;
	uint64_t hash;
	int root_fd;              /* -1: not open yet */
	const char *path;         /* C string below the root; "" is the root itself */
	bool recheck;             /* nobody waits: there is no flight to land */
	char texts[];
};

/* What a lookup of this request ended with. */
struct got {
	struct got *next;
	struct str key;
	struct hot *hot;          /* referenced; NULL: err */
	int err;
};

struct wait {
	struct waiter waiter;
	struct req *req;          /* NULL: the request is gone */
	struct hot_search *look;
	struct str key;           /* in the request's arena */
};

static uint64_t resolve_of(int follow)
{
	static const uint64_t HOW[] = {
		[FOLLOW_BENEATH] = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
		[FOLLOW_NONE] = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS,
		[FOLLOW_ANY] = RESOLVE_NO_MAGICLINKS,
	};
	return HOW[follow];
}

/* What links mean is a part of the key: the same path may be there on one route and forbidden on another. */
static struct str key_of(struct arena *a, const struct tree *tree, struct str path)
{
	return hot_key(a, root_id(tree->root) + (uint64_t)tree->follow, (struct str){}, path);
}

/* Errors that are facts about the path, worth remembering; others are about the moment. */
static bool is_fact(int err)
{
	return err == -ENOENT || err == -ENOTDIR || err == -EACCES || err == -EXDEV || err == -ELOOP ||
	       err == -ENAMETOOLONG;
}

static const struct core *core_now(const struct home *h)
{
	return conf_core(h->use->conf);
}

/* --- Into the hot set. --- */

static void set_fresh(struct home *h, struct object *o)
{
	atomic_store_explicit(&hot_of(o)->fresh_until_ms, h->loop.now_ms + core_now(h)->hot_recheck_ms, memory_order_relaxed);
}

static bool same(const struct hot *h, const struct disk_file *f)
{
	if (h->kind == HOT_ERROR || h->kind == HOT_FOLDER)
		return h->kind == HOT_FOLDER && S_ISDIR(f->mode);
	return h->inode == f->inode && h->device == f->device && h->size_b == f->size_b && h->mtime_ns == f->mtime_ns &&
	       !S_ISDIR(f->mode);
}

static void file_drop(struct disk_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	mem_free(f->bytes);
	*f = (struct disk_file){ .fd = -1 };
}

/* Makes the object of what was found and puts it in; the reference that comes back is the caller's.  NULL: the error is
 * none to remember. */
static struct hot *take_in(struct home *h, struct str key, uint64_t hash, struct str path, struct disk_file *f, int err)
{
	struct object *now = store_find(h->hot, key, hash);
	if (!err && now && same(hot_of(now), f)) {
		file_drop(f);
		set_fresh(h, now);
		object_get(now);
		return hot_of(now);
	}
	if (err && !is_fact(err))
		return NULL;
	struct hot *new = err ? hot_of_error(h->hot, key, err) : hot_of_file(h, key, f, mime_of(path));
	set_fresh(h, &new->object);
	object_get(&new->object);
	store_put(h->hot, &new->object);
	return new;
}

/* --- Fetches. --- */

static void fetch_send(struct fetch *f);

static void fetch_end(struct fetch *f, int err)
{
	struct home *h = f->home;
	struct hot *new = take_in(h, f->key, f->hash, str_of(f->path), &f->job.file, err);
	if (!f->recheck)
		store_land(h->hot, f->key, f->hash, new ? 0 : err, new ? &new->object : NULL);
	if (new)
		object_put(h->epoch, &new->object);
	if (f->root_fd >= 0)
		close(f->root_fd);
	mem_free(f);
}

static void say_no_root(struct home *h, const struct tree *tree, int err)
{
	log_note(h->ring, LOG_LEVEL_ERROR, "root %.*s can't be opened: %s", STR_F(tree->root), strerror(-err));
}

static void fetch_done(struct mail *m)
{
	struct fetch *f = container_of(m, struct fetch, job.done);
	int err = f->job.err;
	if (f->root_fd < 0 && !err && !S_ISDIR(f->job.file.mode)) {
		file_drop(&f->job.file);
		err = -ENOTDIR;
	}
	if (f->root_fd >= 0 || err) {
		if (f->root_fd < 0)
			say_no_root(f->home, &f->tree, err);
		fetch_end(f, err);
		return;
	}
	f->root_fd = f->job.file.fd;
	f->job.file = (struct disk_file){ .fd = -1 };
	fetch_send(f);
}

/* The next job: the root, or what is below it. */
static void fetch_send(struct fetch *f)
{
	bool below = f->root_fd >= 0;
	f->job = (struct disk_job){
		.done.deliver = fetch_done,
		.to = &f->home->loop.mailbox,
		.op = DISK_OPEN,
		.dir_fd = below ? f->root_fd : AT_FDCWD,
		.path = below ? f->path : f->tree.root.p,
		.resolve = below ? resolve_of(f->tree.follow) : 0,
		.read_max_b = below ? core_now(f->home)->hot_file_b : 0,
		.file = { .fd = -1 },
	};
	/* Without an engine the worker is about to end. */
	if (!f->home->disk || disk_submit(f->home->disk, &f->job))
		fetch_end(f, -EBUSY);
}

static struct str lay(char **at, struct str s)
{
	char *p = memcpy(*at, s.p, s.n);
	p[s.n] = '\0';
	*at += s.n + 1;
	return (struct str){ p, s.n };
}

/* Takes root_fd over.  It may be over, and its waiters told, when this returns. */
static void fetch_start(struct home *h, const struct tree *tree, struct str key, uint64_t hash, struct str path,
                        int root_fd, bool recheck)
{
	struct fetch *f = mem_new(sizeof *f + tree->root.n + key.n + path.n + 3);
	char *at = f->texts;
	f->home = h;
	f->tree = (struct tree){ lay(&at, tree->root), tree->follow };
	f->key = lay(&at, key);
	f->path = lay(&at, path).p;
	f->hash = hash;
	f->root_fd = root_fd;
	f->recheck = recheck;
	fetch_send(f);
}

/* Asks the kernel without blocking.  0 or a fact: *f is what was found; -EAGAIN: *root_fd is the root, or -1. */
static int try_now(struct home *h, const struct tree *tree, const char *path, int *root_fd, struct disk_file *f)
{
	struct disk_file root;
	*root_fd = -1;
	*f = (struct disk_file){ .fd = -1 };
	int err = disk_try_open(AT_FDCWD, tree->root.p, 0, 0, &root);
	if (!err && !S_ISDIR(root.mode)) {
		file_drop(&root);
		err = -ENOTDIR;
	}
	if (err) {
		if (err != -EAGAIN)
			say_no_root(h, tree, err);
		return err;
	}
	err = disk_try_open(root.fd, path, resolve_of(tree->follow), core_now(h)->hot_file_b, f);
	if (err == -EAGAIN)
		*root_fd = root.fd;
	else
		close(root.fd);
	return err;
}

/* --- A request's side. --- */

static void add_got(struct req *r, struct hot_search *l, struct str key, struct hot *h, int err)
{
	struct got *g = arena_raw(&r->arena, sizeof *g);
	*g = (struct got){ l->got, key, h, h ? 0 : err };
	l->got = g;
}

/* One loop, of those that ask for a stale object, looks after it.  Where the kernel can tell at once, the request goes on
 * with what is there now, else with what there was: no request waits.  What is there now is held by the
 * request, as the store may have no room for it; what was there is borrowed for the turn. */
static struct object *recheck(struct req *r, struct hot_search *l, struct object *o, const struct tree *tree,
                              struct str path)
{
	struct home *h = r->home;
	uint64_t stale_ms = atomic_load_explicit(&hot_of(o)->fresh_until_ms, memory_order_relaxed);
	if (h->loop.now_ms < stale_ms)
		return o;
	uint64_t next_ms = h->loop.now_ms + core_now(h)->hot_recheck_ms + 1;
	if (!atomic_compare_exchange_strong_explicit(&hot_of(o)->fresh_until_ms, &stale_ms, next_ms, memory_order_relaxed,
	                                             memory_order_relaxed))
		return o;
	struct disk_file f;
	int root_fd;
	struct str below = arena_str(&r->arena, str_from(path, 1));
	int err = try_now(h, tree, below.p, &root_fd, &f);
	if (err == -EAGAIN) {
		fetch_start(h, tree, o->key, o->hash, below, root_fd, true);
		return o;
	}
	struct hot *new = take_in(h, o->key, o->hash, below, &f, err);
	if (!new)
		return o;
	add_got(r, l, arena_str(&r->arena, o->key), new, 0);
	return &new->object;
}

static void wait_over(struct mail *m)
{
	struct wait *w = container_of(m, struct wait, waiter.mail);
	struct object *o = w->waiter.object;
	if (w->req) {
		w->look->wait = NULL;
		add_got(w->req, w->look, w->key, o ? hot_of(o) : NULL, w->waiter.err);
		loop_queue(&w->req->home->loop, w->req->task);
	} else if (o) {
		object_put(container_of(w->waiter.to, struct home, loop.mailbox)->epoch, o);
	}
	mem_free(w);
}

void hot_look_close(struct req *r, struct hot_search *l)
{
	if (l->wait)
		l->wait->req = NULL;
	l->wait = NULL;
	for (; l->got; l->got = l->got->next)
		if (l->got->hot)
			object_put(r->home->epoch, &l->got->hot->object);
}

/* Joins whoever fetches this key, or begins. */
static void wait_for(struct req *r, struct hot_search *l, const struct tree *tree, struct str key, uint64_t hash,
                     struct str below, int root_fd)
{
	struct wait *w = MEM_NEW(struct wait);
	w->waiter.mail.deliver = wait_over;
	w->waiter.to = &r->home->loop.mailbox;
	w->req = r;
	w->look = l;
	w->key = key;
	l->wait = w;
	enum flight flight = store_join(r->home->hot, key, hash, &w->waiter);
	if (flight == FLIGHT_JOINED) {
		if (root_fd >= 0)
			close(root_fd);
		return;
	}
	/* Ours: we wait for it like everyone else. */
	flight = store_join(r->home->hot, key, hash, &w->waiter);
	fetch_start(r->home, tree, key, hash, below, root_fd, false);
}

static struct hot *look_now(struct req *r, struct hot_search *l, const struct tree *tree, struct str key, uint64_t hash,
                            struct str path, int *err)
{
	struct home *h = r->home;
	struct disk_file f;
	int root_fd;
	struct str below = arena_str(&r->arena, str_from(path, 1));
	*err = try_now(h, tree, below.p, &root_fd, &f);
	if (*err == -EAGAIN) {
		wait_for(r, l, tree, key, hash, below, root_fd);
		return NULL;
	}
	struct hot *hot = take_in(h, key, hash, below, &f, *err);
	add_got(r, l, key, hot, *err);
	*err = l->got->err;
	return hot;
}

struct hot *hot_look_up(struct req *r, struct hot_search *l, const struct tree *tree, struct str path, int *err)
{
	struct home *h = r->home;
	struct str key = key_of(&r->arena, tree, path);
	uint64_t hash = store_hash(h->hot, key);
	struct object *o = store_find(h->hot, key, hash);
	*err = 0;
	/* Who waited for it has it from the store now, but did not find it there. */
	if (!l->got || r->hot == HOT_UNASKED)
		r->hot = o ? HOT_HIT : HOT_MISS;
	if (o)
		return hot_of(recheck(r, l, o, tree, path));
	if (l->wait) {
		*err = -EAGAIN;
		return NULL;
	}
	for (struct got *g = l->got; g; g = g->next) {
		if (!str_eq(g->key, key))
			continue;
		*err = g->err;
		return g->hot;
	}
	return look_now(r, l, tree, key, hash, path, err);
}

enum go hot_look_said(struct req *r, int err)
{
	if (err == -EAGAIN)
		return GO_WAIT;
	if (err == -EBUSY || err == -EMFILE || err == -ENFILE || err == -ENOMEM)
		return req_shed(r, err == -EBUSY ? END_DISK_QUEUE : END_DESCRIPTORS);
	log_note(r->home->ring, LOG_LEVEL_ERROR, "%.*s can't be read: %s", STR_F(r->ask.path), strerror(-err));
	return req_answer(r, 500);
}

void hot_look_ahead(struct home *h, const struct tree *tree, struct str path)
{
	struct arena a;
	struct disk_file f;
	int root_fd;
	arena_init(&a, NULL, 0);
	struct str key = key_of(&a, tree, path), below = arena_str(&a, str_from(path, 1));
	uint64_t hash = store_hash(h->hot, key);
	int err = store_find(h->hot, key, hash) ? -EEXIST : try_now(h, tree, below.p, &root_fd, &f);
	if (err == -EAGAIN)
		fetch_start(h, tree, key, hash, below, root_fd, true);
	else if (!err)
		object_put(h->epoch, &take_in(h, key, hash, below, &f, 0)->object);
	arena_fini(&a);
}
