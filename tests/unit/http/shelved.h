/* A shelf for tests, with the loop and the engine that it needs, in a folder of its own; pages whose bytes follow from
 * their number. */
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/whole.h"
#include "http/shelf.h"

struct shelved {
	struct home home;
	struct log *log;
	struct purges *purges;
	struct store *store;
	struct shelf *shelf;
	struct task task;
	struct timer timer;
	uint64_t until_ms;
	const char *why;
};

static inline void shelved_task(struct task *t)
{
	loop_stop(&container_of(t, struct shelved, task)->home.loop);
}

static inline void shelved_tick(struct timer *t)
{
	loop_stop(&container_of(t, struct shelved, timer)->home.loop);
}

/* Runs the loop until somebody queues the task, or for a moment. */
static inline void shelved_run(struct shelved *t, uint64_t ms)
{
	t->home.loop.stopping = false;
	if (ms)
		timer_set(&t->home.loop.wheel, &t->timer, clock_ms() + ms);
	loop_run(&t->home.loop);
	timer_stop(&t->timer);
}

/* All but the shelf. */
static inline void shelved_init(struct shelved *t)
{
	struct home *h = &t->home;
	*t = (struct shelved){};
	must(!loop_init(&h->loop, 0) && !log_new(&t->log, 65536) && !disk_new(&h->disk, DISK_AUTO, 4, 1024));
	h->loop.now_ms = clock_ms();
	h->ring = log_ring_new(t->log);
	h->epoch = epoch_new();
	t->store = store_new(h->epoch, 1 << 20);
	task_init(&t->task, shelved_task);
	timer_init(&t->timer, shelved_tick);
}

static inline void shelved_fini(struct shelved *t)
{
	struct home *h = &t->home;
	disk_free(h->disk);
	mailbox_open(&h->loop.mailbox);
	store_free(t->store);
	epoch_free(h->epoch);
	loop_fini(&h->loop);
	log_free(t->log);
}

static inline int shelved_take_up(struct shelved *t, const char *folder, uint64_t size_b)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(fd >= 0);
	t->purges = purges_new(t->home.epoch);
	int err = shelf_open(&t->shelf, fd, size_b, t->home.disk, t->purges, &t->why);
	if (err)
		t->shelf = NULL;
	return err;
}

/* As a reload does, while the loop goes on. */
static inline void shelved_put_down(struct shelved *t)
{
	shelf_free(t->shelf);
	mailbox_open(&t->home.loop.mailbox);
	purges_free(t->purges);
	t->shelf = NULL;
	t->purges = NULL;
}

static inline int shelved_open(struct shelved *t, const char *folder, uint64_t size_b)
{
	shelved_init(t);
	return shelved_take_up(t, folder, size_b);
}

/* As at the end: the engine is gone first. */
static inline void shelved_close(struct shelved *t)
{
	struct home *h = &t->home;
	disk_free(h->disk);
	h->disk = NULL;
	mailbox_open(&h->loop.mailbox);
	shelved_put_down(t);
	shelved_fini(t);
}

/* Until so much is written, or lost; what is moved before it would be lost with its segment is written once more. */
static inline void shelved_settle(struct shelved *t, uint64_t puts)
{
	for (struct shelf_stats s = {}; s.written + s.dropped < puts; s = shelf_stats(t->shelf))
		shelved_run(t, 1);
}

static inline int shelved_ask(struct shelved *t, struct str key, uint64_t whole_b, struct page **out)
{
	struct shelf_ask a = { .home = &t->home, .store = t->store, .task = &t->task, .key = key };
	if (!shelf_ask(t->shelf, &a, whole_b))
		shelved_run(t, 0);
	must(a.over);
	*out = a.page;
	return a.err;
}

/* --- Pages. --- */

static inline struct str shelved_key(char key[static 64], unsigned number)
{
	return str_make(key, (size_t)snprintf(key, 64, "http://example.org/page/%u?version=one", number));
}

static inline char shelved_byte(unsigned number, unsigned version, uint64_t i)
{
	return (char)(i * 7 + i / 251 + number * 31 + version * 101);
}

static inline struct page *shelved_page(struct shelved *t, unsigned number, unsigned version, uint64_t body_b, bool blob)
{
	static const char FIELDS[] = "\x0c\0\x09\0Content-Typetext/html";
	char key[64];
	struct str k = shelved_key(key, number);
	struct image image = { .asked_ms = 1000 + version, .came_ms = 1000 + version, .body_b = body_b, .base = page_hash(k),
		               .key_b = (uint32_t)k.n, .fields_b = sizeof FIELDS - 1, .fresh_s = 60, .status = 200,
		               .tag_count = 1, .field_count = 1 };
	struct page *p = page_new(t->store, &image, blob ? PAGE_BLOB : PAGE_INLINE);
	uint64_t tag = number;
	memcpy(page_tags_at(p), &tag, sizeof tag);
	memcpy(page_key_at(p), k.p, k.n);
	memcpy(page_fields_at(p), FIELDS, sizeof FIELDS - 1);
	char *body = mem_new(body_b + 1);
	for (uint64_t i = 0; i < body_b; i++)
		body[i] = shelved_byte(number, version, i);
	if (blob) {
		p->blob = blob_new(0, NULL);
		must(blob_add(p->blob, str_make(body, body_b)));
	} else if (body_b) {
		memcpy(page_body_at(p), body, body_b);
	}
	mem_free(body);
	page_ready(p, t->store);
	return p;
}

static inline void shelved_put(struct shelved *t, unsigned number, unsigned version, uint64_t body_b, bool blob)
{
	struct page *p = shelved_page(t, number, version, body_b, blob);
	shelf_put(t->shelf, &t->home, p);
	object_put(t->home.epoch, &p->object);
}

/* Whether it is this page, each byte of it, as it was put. */
static inline bool shelved_is(const struct page *p, unsigned number, unsigned version, uint64_t body_b)
{
	char key[64];
	bool fine = p->image.body_b == body_b && p->image.status == 200 && p->image.came_ms == 1000 + version &&
	            str_eq(page_key(p), shelved_key(key, number)) && page_tag(p, 0) == number &&
	            str_eq(page_field(p, STR("content-type")), STR("text/html"));
	char *body = mem_new(body_b + 1);
	if (fine && p->body_kind == PAGE_SEGMENT)
		fine = pread(segment_fd(p->segment), body, body_b, (off_t)page_place(p)) == (ssize_t)body_b;
	else if (fine && body_b)
		memcpy(body, page_body_at((struct page *)(uintptr_t)p), body_b);
	for (uint64_t i = 0; i < body_b && fine; i++)
		fine = body[i] == shelved_byte(number, version, i);
	mem_free(body);
	return fine;
}

/* --- Folders. --- */

static inline void shelved_folder_clear(const char *folder)
{
	DIR *dir = opendir(folder);
	const struct dirent *e;
	must(dir);
	while ((e = readdir(dir)))
		if (e->d_name[0] != '.')
			must(unlinkat(dirfd(dir), e->d_name, 0) == 0);
	closedir(dir);
}

static inline void shelved_folder_remove(const char *folder)
{
	shelved_folder_clear(folder);
	must(rmdir(folder) == 0);
}
