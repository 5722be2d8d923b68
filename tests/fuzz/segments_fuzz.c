/* The disk tier's files, changed in any way: a record is what was put, or is not found; and where somebody knows how to
 * make the checksums fit, what it says is held within bounds all the same. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/whole.h"
#include "http/page.h"
#include "share/segments_in.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BOUND_B = 1 << 20, COUNT = 5, WHOLE_B = 64 * 1024, EDIT_B = 5 };

static const uint64_t SIZES[COUNT] = { 0, 30, 900, 5000, 70000 };
static const char *const NAMES[] = { "index", "00000001" };

static char folder[64];
static int dir_fd = -1;
static struct buf files[2];

static void clean(void)
{
	for (size_t i = 0; i < countof(NAMES); i++)
		unlinkat(dir_fd, NAMES[i], 0);
	rmdir(folder);
}

static struct str key_of(char key[static 32], unsigned i)
{
	return str_make(key, (size_t)snprintf(key, 32, "http://example.org/%u", i));
}

static char byte_of(unsigned i, uint64_t k)
{
	return (char)(k * 7 + k / 251 + i);
}

static struct str head_of(char *head, unsigned i)
{
	char key[32];
	struct str k = key_of(key, i);
	struct image image = { .asked_ms = 1, .came_ms = 1, .body_b = SIZES[i], .key_b = (uint32_t)k.n, .fresh_s = 60,
		               .status = 200 };
	memcpy(head, &image, sizeof image);
	memcpy(head + sizeof image, k.p, k.n);
	return str_make(head, sizeof image + k.n);
}

static struct segments *open_it(void)
{
	struct segments *s;
	const char *why;
	must(!segments_open(&s, fcntl(dir_fd, F_DUPFD_CLOEXEC, 0), BOUND_B, &why));
	return s;
}

static void read_file(size_t i)
{
	int fd = openat(dir_fd, NAMES[i], O_RDONLY);
	must(fd >= 0 && !read_whole(fd, BOUND_B, &files[i]));
	close(fd);
}

static void make(void)
{
	char key[32], head[128];
	char *body = mem_new(SIZES[COUNT - 1]);
	snprintf(folder, sizeof folder, "%s/petrel-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	must(mkdtemp(folder));
	dir_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	atexit(clean);
	struct segments *s = open_it();
	for (unsigned i = 0; i < COUNT; i++) {
		for (uint64_t k = 0; k < SIZES[i]; k++)
			body[k] = byte_of(i, k);
		const struct iovec run = { body, SIZES[i] };
		must(!segments_put(s, segments_digest(s, key_of(key, i)), head_of(head, i), &run, 1));
	}
	must(!segments_flush(s));
	segments_free(s);
	mem_free(body);
	for (size_t i = 0; i < countof(NAMES); i++)
		read_file(i);
}

/* Where pages get their memory. */
static struct store *page_store(void)
{
	static struct store *s;
	if (!s)
		s = store_new(epoch_new(), 1 << 20);
	return s;
}

static void restore(size_t i)
{
	int fd = openat(dir_fd, NAMES[i], O_WRONLY | O_CREAT | O_TRUNC, 0600);
	must(fd >= 0 && !write_whole(fd, buf_str(&files[i])));
	close(fd);
}

static void write_at(size_t i, uint64_t at, struct str bytes)
{
	int fd = openat(dir_fd, NAMES[i], O_WRONLY);
	must(fd >= 0 && pwrite(fd, bytes.p, bytes.n, (off_t)at) == (ssize_t)bytes.n);
	close(fd);
}

/* --- What is done to them. --- */

static void edit(struct str in)
{
	for (; in.n >= EDIT_B; in = str_from(in, EDIT_B)) {
		const unsigned char *p = (const unsigned char *)in.p;
		size_t i = p[0] % countof(NAMES);
		uint64_t at = (p[1] | (uint64_t)p[2] << 8 | (uint64_t)p[3] << 16) % files[i].n;
		const char byte = (char)(files[i].p[at] ^ p[4]);
		write_at(i, at, str_make(&byte, 1));
	}
}

/* A record of the first key that says whatever the input says, and whose checksums fit. */
static void forge(struct segments *s, struct str in)
{
	struct { uint64_t head_b, body_b; uint32_t length, sums; } said = {};
	char key[32];
	struct record_mark m;
	if (in.n < sizeof said)
		return;
	memcpy(&said, in.p, sizeof said);
	in = str_from(in, sizeof said);
	record_mark_init(&m, segments_digest(s, key_of(key, 0)), said.head_b, said.body_b);
	if (said.sums & 1)
		m.head_b %= in.n + 1;
	struct str head = str_head(in, m.head_b);
	if (said.sums & 2)
		m.body_b = in.n - head.n;
	m.head_sum = hash_bytes(head, 0);
	m.body_sum = hash_bytes(str_from(in, head.n), 0);
	m.sum = record_sum(s, &m, 1, 0);
	write_at(1, 0, str_make((const char *)&m, sizeof m));
	write_at(1, sizeof m, in);
	const struct slot slot = { 1, 0, said.length, index_tag(m.key) };
	write_at(0, index_bucket_at(s, m.key), str_make((const char *)&slot, sizeof slot));
}

/* --- What may be found. --- */

static bool is_as_put(struct str head, struct str body, unsigned i)
{
	char expected[128];
	bool same = str_eq(head, head_of(expected, i)) && body.n == SIZES[i];
	for (uint64_t k = 0; k < body.n && same; k++)
		same = body.p[k] == byte_of(i, k);
	return same;
}

/* Looks at all that a page says. */
static void look_into(struct str head, uint64_t body_b)
{
	struct image image;
	if (head.n < sizeof image)
		return;
	memcpy(&image, head.p, sizeof image);
	if (image_head_b(&image) != head.n || image.body_b != body_b || body_b > WHOLE_B)
		return;
	struct page *p = page_new(page_store(), &image, PAGE_INLINE);
	memcpy(&p->image, head.p, head.n);
	if (!image_check(&p->image, str_make((const char *)&p->image, head.n))) {
		struct str rest = page_fields(p);
		struct field f;
		uint64_t sum = page_hash(page_key(p));
		while (page_field_next(&rest, &f))
			sum += page_hash(f.name) + page_hash(f.value);
		for (size_t i = 0; i < image.tag_count; i++)
			sum += page_tag(p, i);
		must(!rest.n && sum + 1);
	}
	p->object.free(&p->object);
}

static void take(const struct record *r, struct seek *k, unsigned i, bool forged)
{
	must(r->head_b <= RECORD_HEAD_MOST_B);
	char *head = mem_grow(NULL, r->head_b + 1);
	bool whole = r->body_b <= WHOLE_B * 2;
	char *body = mem_grow(NULL, whole ? r->body_b + 1 : 1);
	int err = record_head(r, k, head);
	if (!err)
		err = whole ? record_body(r, k, body) : record_body_check(r);
	must(err != -EAGAIN);
	if (!err && !forged)
		must(is_as_put(str_make(head, r->head_b), str_make(body, r->body_b), i));
	if (!err)
		look_into(str_make(head, r->head_b), r->body_b);
	mem_free(head);
	mem_free(body);
}

static void look_for(struct segments *s, unsigned i, bool forged)
{
	char key[32], first[RECORD_FIRST_B];
	struct seek k = { .key = segments_digest(s, key_of(key, i)), .wait = true };
	struct record r = { .first = first };
	unsigned found = 0;
	while (!segments_seek(s, &k, &r)) {
		must(++found <= SLOTS);
		take(&r, &k, i, forged);
		record_fini(&r);
	}
	seek_fini(&k);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	if (dir_fd < 0)
		make();
	struct str in = { (const char *)data + 1, size - 1 };
	bool forged = data[0] & 1;
	for (size_t i = 0; i < countof(NAMES); i++)
		restore(i);
	if (!forged)
		edit(in);
	struct segments *s = open_it();
	if (forged)
		forge(s, in);
	for (unsigned i = 0; i < COUNT; i++)
		look_for(s, i, forged);
	segments_free(s);
	return 0;
}
