/* Vary: lists of names, and keys.  No state; memory of the arena. */
#include "http/vary.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/must.h"
#include "http/encoding.h"
#include "http/freshness.h"

/* --- The list of names. --- */

static int names_order(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static struct str lower(struct arena *a, struct str s)
{
	char *p = arena_raw(a, s.n);
	for (size_t i = 0; i < s.n; i++)
		p[i] = ascii_lower(s.p[i]);
	return str_make(p, s.n);
}

static bool has(const struct str *names, size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq_nocase(names[i], name))
			return true;
	return false;
}

/* Those of one line; *n: how many there are so far. */
static int names_take(struct arena *a, struct str line, struct str *names, size_t *n)
{
	struct str name;
	while (list_next(&line, &name)) {
		if (str_eq(name, STR("*")) || !str_is_token(name))
			return -EPERM;
		if (has(names, *n, name))
			continue;
		if (*n == VARY_FIELDS_MOST)
			return -E2BIG;
		names[(*n)++] = lower(a, name);
	}
	return 0;
}

static struct str joined(struct arena *a, const struct str *names, size_t n)
{
	size_t size = 0;
	for (size_t i = 0; i < n; i++)
		size += names[i].n + 2;
	char *p = arena_raw(a, size), *at = p;
	for (size_t i = 0; i < n; i++) {
		if (i)
			at = mempcpy(at, ", ", 2);
		at = mempcpy(at, names[i].p, names[i].n);
	}
	return str_make(p, (size_t)(at - p));
}

int vary_of(struct arena *a, const struct field *fields, size_t count, struct str *out)
{
	struct str names[VARY_FIELDS_MOST];
	size_t n = 0;
	int worst = 0;
	for (size_t i = 0; i < count; i++) {
		if (fields[i].id != FIELD_VARY && !str_eq_nocase(fields[i].name, STR("Vary")))
			continue;
		int err = names_take(a, fields[i].value, names, &n);
		/* "Too many" may have a "*" behind it. */
		if (err == -EPERM)
			return err;
		worst = err ? err : worst;
	}
	qsort(names, n, sizeof *names, names_order);
	*out = n ? joined(a, names, n) : STR("");
	return worst;
}

/* --- Accept-Encoding. --- */

struct str vary_encodings(struct arena *a, const struct ask *ask)
{
	static const struct {
		enum encoding encoding;
		struct str name;
	} KNOWN[] = {
		{ ENCODING_ZSTD, { ",zstd", 5 } },
		{ ENCODING_BR, { ",br", 3 } },
		{ ENCODING_GZIP, { ",gzip", 5 } },
	};
	enum { ROOM_B = 32 };
	struct accepts accepts = accepts_of(ask);
	unsigned identity = accepts.quality[ENCODING_IDENTITY];
	char *p = arena_raw(a, ROOM_B), *at = p;
	for (size_t i = 0; i < countof(KNOWN); i++) {
		unsigned quality = accepts.quality[KNOWN[i].encoding];
		if (quality && quality >= identity)
			at = mempcpy(at, KNOWN[i].name.p, KNOWN[i].name.n);
	}
	if (!identity)
		at = mempcpy(at, ",identity;q=0", 13);
	must(at - p <= ROOM_B);
	return str_from(str_make(p, (size_t)(at - p)), 1);
}

/* --- The key. --- */

struct writer {
	char *at;
	size_t room_b;
	bool full;
};

static void put(struct writer *w, struct str s)
{
	if (s.n > w->room_b) {
		w->full = true;
		return;
	}
	if (s.n)
		w->at = mempcpy(w->at, s.p, s.n);
	w->room_b -= s.n;
}

/* One line of a field, without the blanks around its commas. */
static void put_line(struct writer *w, struct str line)
{
	struct str element;
	for (bool more = false; list_next(&line, &element); more = true) {
		if (more)
			put(w, STR(","));
		put(w, element);
	}
}

/* A line feed and the name, and behind a colon its value: a field that is not there differs from an empty one, and one that
 * the origin never sees is not there. */
static void put_field(struct writer *w, struct str name, const struct ask *ask)
{
	bool more = false;
	put(w, STR("\n"));
	put(w, name);
	for (size_t i = 0; i < ask->field_count; i++) {
		if (!str_eq_nocase(ask->fields[i].name, name) || !freshness_sends(ask, &ask->fields[i]))
			continue;
		put(w, more ? STR(",") : STR(":"));
		put_line(w, ask->fields[i].value);
		more = true;
	}
}

/* Most keys are short: they are put together on the stack, so that the arena holds no room for the longest. */
int vary_key(struct arena *a, struct str base, struct str list, const struct ask *ask, struct str *out)
{
	char said[VARY_KEY_MOST_B];
	struct writer w = { said, sizeof said, false };
	struct str name;
	while (list_next(&list, &name)) {
		if (field_id(name) != FIELD_ACCEPT_ENCODING) {
			put_field(&w, name, ask);
			continue;
		}
		put(&w, STR("\naccept-encoding:"));
		put(&w, vary_encodings(a, ask));
	}
	size_t said_b = (size_t)(w.at - said);
	if (w.full || base.n + said_b > IMAGE_KEY_MOST)
		return -E2BIG;
	char *p = arena_raw(a, base.n + said_b);
	memcpy(p, base.p, base.n);
	memcpy(p + base.n, said, said_b);
	*out = str_make(p, base.n + said_b);
	return 0;
}
