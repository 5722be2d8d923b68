/* A folder's segments: which there are, who has them open, what goes when there is no more room.  See segments.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/num.h"
#include "share/segments_in.h"

enum {
	NAME_B = 8,                     /* of a segment: its number, hexadecimal */
	OLD_PART = 4,                   /* the oldest so-manieth of the segments is old */
};

static const uint32_t NUMBER_MOST = 0xf0000000;

/* --- One segment. --- */

static void segments_put_ref(struct segments *s)
{
	if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	close(s->dir_fd);
	pthread_mutex_destroy(&s->lock);
	mem_free(s);
}

static void segment_free(struct segment *g)
{
	struct segments *owner = g->owner;
	close(g->fd);
	mem_free(g);
	segments_put_ref(owner);
}

int segment_fd(const struct segment *g)
{
	return g->fd;
}

void segment_get(struct segment *g)
{
	uint32_t before = atomic_fetch_add_explicit(&g->refs, 1, memory_order_relaxed);
	must(before > 0);
}

bool segment_is_gone(const struct segment *g)
{
	return atomic_load_explicit(&g->gone, memory_order_relaxed);
}

/* The last close of a file that was unlinked gives its blocks back, which may wait for the disk: the worker does it. */
void segment_put(struct segment *g)
{
	struct segments *s = g->owner;
	uint32_t before = atomic_fetch_sub_explicit(&g->refs, 1, memory_order_acq_rel);
	must(before > 0);
	if (before > 1)
		return;
	pthread_mutex_lock(&s->lock);
	bool ended = s->ended;
	g->next = s->dead;
	if (!ended)
		s->dead = g;
	pthread_mutex_unlock(&s->lock);
	if (ended)
		segment_free(g);
}

void segments_tidy(struct segments *s)
{
	pthread_mutex_lock(&s->lock);
	struct segment *g = s->dead, *next;
	s->dead = NULL;
	pthread_mutex_unlock(&s->lock);
	for (; g; g = next) {
		next = g->next;
		segment_free(g);
	}
}

static void segment_name(char name[static NAME_B + 1], uint32_t number)
{
	snprintf(name, NAME_B + 1, "%08x", number);
}

/* Beside the owner's reference each segment has one that is not closed yet. */
bool segments_strand(struct segments *s)
{
	bool strand = s->went && atomic_load(&s->refs) - 1 > s->live_count;
	s->went = false;
	return strand;
}

/* The file of this number; created where `anew`.  NULL: *err says why. */
static struct segment *segment_open(struct segments *s, uint32_t number, bool anew, int *err)
{
	char name[NAME_B + 1];
	struct stat st;
	segment_name(name, number);
	int fd = openat(s->dir_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | (anew ? O_CREAT | O_EXCL : 0), 0600);
	*err = fd < 0 || fstat(fd, &st) < 0 ? -errno : S_ISREG(st.st_mode) ? 0 : -EBADMSG;
	if (*err) {
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	struct segment *g = MEM_NEW(struct segment);
	*g = (struct segment){ .owner = s, .fd = fd, .number = number };
	atomic_init(&g->refs, 1);
	atomic_init(&g->size_b, (uint64_t)st.st_size);
	atomic_fetch_add(&s->refs, 1);
	return g;
}

/* --- All of them. --- */

/* Its index among the living, or where it would be. */
static size_t position_of(const struct segments *s, uint32_t number)
{
	size_t low = 0, high = s->live_count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (s->live[middle]->number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool segments_have(const struct segments *s, uint32_t number)
{
	size_t i = position_of(s, number);
	return i < s->live_count && s->live[i]->number == number;
}

struct segment *segments_find(struct segments *s, uint32_t number)
{
	struct segment *g = NULL;
	pthread_mutex_lock(&s->lock);
	if (segments_have(s, number)) {
		g = s->live[position_of(s, number)];
		segment_get(g);
	}
	pthread_mutex_unlock(&s->lock);
	return g;
}

bool segments_is_old(const struct segments *s, uint16_t number)
{
	uint32_t until = atomic_load_explicit(&s->old_until, memory_order_relaxed);
	return until && (int16_t)(uint16_t)(number - until) <= 0;
}

uint32_t segments_newest(const struct segments *s)
{
	return s->live_count ? s->live[s->live_count - 1]->number : 0;
}

static void live_add(struct segments *s, struct segment *g)
{
	pthread_mutex_lock(&s->lock);
	must(s->live_count < SEGMENTS_MOST);
	s->live[s->live_count++] = g;
	pthread_mutex_unlock(&s->lock);
	atomic_fetch_add(&s->bytes, atomic_load(&g->size_b));
}

static struct segment *live_take(struct segments *s, size_t i)
{
	pthread_mutex_lock(&s->lock);
	struct segment *g = s->live[i];
	memmove(&s->live[i], &s->live[i + 1], (--s->live_count - i) * sizeof *s->live);
	pthread_mutex_unlock(&s->lock);
	atomic_fetch_sub(&s->bytes, atomic_load(&g->size_b));
	return g;
}

static void segment_remove(struct segments *s, size_t i)
{
	char name[NAME_B + 1];
	struct segment *g = live_take(s, i);
	segment_name(name, g->number);
	unlinkat(s->dir_fd, name, 0);
	atomic_store_explicit(&g->gone, true, memory_order_relaxed);
	s->went = true;
	segment_put(g);
}

uint64_t segments_size_b(const struct segments *s)
{
	uint64_t bound_b = atomic_load(&s->bound_b);
	uint64_t size_b = bound_b / SEGMENTS_IN_BOUND;
	if (size_b < SEGMENT_LEAST_B)
		size_b = SEGMENT_LEAST_B < bound_b / 4 ? SEGMENT_LEAST_B : bound_b / 4;
	return size_b < SEGMENT_MOST_B ? size_b : SEGMENT_MOST_B;
}

/* A quarter of the segments is old, once there is not much room left behind the one that is written to. */
static void age(struct segments *s)
{
	size_t old = s->live_count / OLD_PART;
	uint64_t will_b = atomic_load(&s->bytes) + segments_size_b(s);
	bool full = will_b > atomic_load(&s->bound_b) / OLD_PART * (OLD_PART - 1);
	atomic_store(&s->old_until, old && full ? s->live[old - 1]->number : 0);
}

static int front_begin(struct segments *s, uint64_t size_b)
{
	uint64_t bound_b = atomic_load(&s->bound_b);
	int err;
	while (s->live_count && (s->live_count == SEGMENTS_MOST || atomic_load(&s->bytes) + size_b > bound_b))
		segment_remove(s, 0);
	segments_tidy(s);
	struct segment *g = s->next_number < NUMBER_MOST ? segment_open(s, s->next_number, true, &err) : NULL;
	if (!g)
		return s->next_number < NUMBER_MOST ? err : -EOVERFLOW;
	s->next_number++;
	s->sealed = false;
	live_add(s, g);
	age(s);
	return 0;
}

void segments_grew(struct segments *s, struct segment *g, uint64_t size_b)
{
	uint64_t before_b = atomic_exchange(&g->size_b, size_b);
	atomic_fetch_add(&s->bytes, size_b - before_b);
}

int segments_front(struct segments *s, uint64_t need_b, struct segment **out)
{
	uint64_t size_b = segments_size_b(s);
	struct segment *g = s->live_count ? s->live[s->live_count - 1] : NULL;
	while (s->live_count > 1 && atomic_load(&s->bytes) + need_b > atomic_load(&s->bound_b))
		segment_remove(s, 0);
	bool full = !g || s->sealed || units_up(atomic_load(&g->size_b)) + need_b > size_b;
	int err = full ? front_begin(s, need_b > size_b ? need_b : size_b) : 0;
	if (!err)
		*out = s->live[s->live_count - 1];
	return err;
}

/* --- Opening. --- */

/* The number that a name stands for; 0: none. */
static uint32_t number_of(const char *name)
{
	char again[NAME_B + 1];
	uint64_t n;
	if (num_parse_hex(str_of(name), &n) || n >= NUMBER_MOST)
		return 0;
	segment_name(again, (uint32_t)n);
	return strcmp(again, name) ? 0 : (uint32_t)n;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x, y;
	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return (x > y) - (x < y);
}

/* The numbers of all segments, in order: the heap's. */
static int list_numbers(struct segments *s, uint32_t **out, size_t *count)
{
	int fd = openat(s->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	*out = NULL;
	*count = 0;
	if (!dir) {
		int err = -errno;
		if (fd >= 0)
			close(fd);
		return err;
	}
	while ((e = readdir(dir))) {
		uint32_t number = number_of(e->d_name);
		if (!number)
			continue;
		*out = mem_grow(*out, (*count + 1) * sizeof **out);
		(*out)[(*count)++] = number;
	}
	closedir(dir);
	if (*count)
		qsort(*out, *count, sizeof **out, by_number);
	return 0;
}

/* Somebody may have named a folder with files of his own, and it is our index that is missing there. */
static bool is_ours(const struct segment *g)
{
	struct record_mark m;
	int err = segments_read(g->fd, &m, sizeof m, 0, true);
	return err == -EBADMSG || (!err && record_mark_begins(&m));
}

/* Room for one more is left. What is in a folder that began anew belongs to an index that is lost. What can't be
 * opened is left alone. */
static void open_listed(struct segments *s, const uint32_t *numbers, size_t count)
{
	int err;
	for (size_t i = 0; i < count; i++) {
		bool surplus = s->is_new || i + SEGMENTS_MOST < count + 1;
		struct segment *g = segment_open(s, numbers[i], false, &err);
		if (!g)
			continue;
		live_add(s, g);
		if (surplus && is_ours(g))
			segment_remove(s, s->live_count - 1);
		else if (surplus)
			segment_put(live_take(s, s->live_count - 1));
	}
	s->next_number = count ? numbers[count - 1] + 1 : 1;
}

static int open_folder(struct segments *s, uint64_t bound_b, const char **why)
{
	uint32_t *numbers;
	size_t count;
	int err = index_open(s, bound_b, why);
	if (err)
		return err;
	segments_bound(s, bound_b);
	err = list_numbers(s, &numbers, &count);
	*why = "the folder can't be listed";
	if (err)
		return err;
	open_listed(s, numbers, count);
	age(s);
	mem_free(numbers);
	return 0;
}

int segments_open(struct segments **out, int dir_fd, uint64_t bound_b, const char **why)
{
	struct segments *s = MEM_NEW(struct segments);
	s->dir_fd = dir_fd;
	s->index_fd = -1;
	atomic_init(&s->refs, 1);
	pthread_mutex_init(&s->lock, NULL);
	s->stage = mem_new(STAGE_B);
	s->staged = mem_new(STAGE_RECORDS * sizeof *s->staged);
	int err = open_folder(s, bound_b, why);
	if (err)
		segments_free(s);
	else
		*out = s;
	return err;
}

void segments_free(struct segments *s)
{
	if (!s)
		return;
	while (s->live_count)
		segment_put(live_take(s, 0));
	segments_tidy(s);
	pthread_mutex_lock(&s->lock);
	s->ended = true;
	pthread_mutex_unlock(&s->lock);
	segments_tidy(s);
	if (s->index_fd >= 0)
		close(s->index_fd);
	mem_free(s->stage);
	mem_free(s->staged);
	segments_put_ref(s);
}

/* The index counts, too. */
void segments_bound(struct segments *s, uint64_t bound_b)
{
	uint64_t index_b = index_size_b(s), least_b = SEGMENT_LEAST_B;
	atomic_store(&s->bound_b, bound_b > index_b + least_b ? bound_b - index_b : least_b);
}

bool segments_are_new(const struct segments *s)
{
	return s->is_new;
}

uint64_t segments_seed(const struct segments *s)
{
	return s->seed;
}

int segments_folder(const struct segments *s)
{
	return s->dir_fd;
}

void segments_blind(struct segments *s)
{
	atomic_fetch_add(&s->blind, 1);
}

unsigned segments_blindness(const struct segments *s)
{
	return atomic_load_explicit(&s->blind, memory_order_relaxed);
}

/* --- Counting. --- */

void segments_count(struct segments *s, enum segments_event what)
{
	atomic_fetch_add_explicit(&s->events[what], 1, memory_order_relaxed);
}

void segments_off(struct segments *s, int err, uint64_t until_ms)
{
	atomic_store(&s->off_why, err);
	atomic_store(&s->off_until_ms, until_ms);
}

int segments_is_off(const struct segments *s, uint64_t now_ms)
{
	uint64_t until_ms = atomic_load_explicit(&s->off_until_ms, memory_order_relaxed);
	return now_ms < until_ms ? atomic_load_explicit(&s->off_why, memory_order_relaxed) : 0;
}

struct segments_stats segments_stats(struct segments *s)
{
	struct segments_stats stats = {
		.bytes = atomic_load(&s->bytes) + index_size_b(s),
		.bound_b = atomic_load(&s->bound_b) + index_size_b(s),
		.written = atomic_load(&s->written),
		.written_b = atomic_load(&s->written_b),
	};
	pthread_mutex_lock(&s->lock);
	stats.segments = s->live_count;
	pthread_mutex_unlock(&s->lock);
	for (size_t i = 0; i < SEGMENTS_EVENTS; i++)
		stats.events[i] = atomic_load_explicit(&s->events[i], memory_order_relaxed);
	return stats;
}
