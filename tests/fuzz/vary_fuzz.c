/* Vary: the first half of the lines is an answer's head, the other half a request's.  Lists come out in one form, and keys
 * begin with their base and are within their bound. */
#include "base/arena.h"
#include "head_lines.h"
#include "http/encoding.h"
#include "http/vary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Read again, the list is the same. */
static void check_list(struct arena *a, struct str list)
{
	struct field again = { STR("vary"), list, FIELD_OTHER };
	struct str second;
	must(!vary_of(a, &again, 1, &second) && str_eq(list, second));
}

static void check_encodings(struct arena *a, const struct ask *ask)
{
	struct str plain = vary_encodings(a, ask);
	struct field again = { STR("Accept-Encoding"), plain, FIELD_ACCEPT_ENCODING };
	struct ask second = { .fields = &again, .field_count = 1 };
	second.first[FIELD_ACCEPT_ENCODING] = 1;
	must(str_eq(vary_encodings(a, &second), plain));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct str BASE = { "base", 4 };
	struct head_lines h;
	struct arena a;
	struct str list, key, again;
	arena_init(&a, NULL, 0);
	head_lines_init(&h, str_make((const char *)data, size));
	struct ask ask = head_lines_ask(&h);
	if (!vary_of(&a, h.fields, h.count / 2, &list)) {
		check_list(&a, list);
		if (!vary_key(&a, BASE, list, &ask, &key)) {
			must(str_starts(key, BASE) && key.n <= BASE.n + VARY_KEY_MOST_B && (!list.n || key.n > BASE.n));
			must(!vary_key(&a, BASE, list, &ask, &again) && str_eq(key, again));
		}
	}
	check_encodings(&a, &ask);
	head_lines_fini(&h);
	arena_fini(&a);
	return 0;
}
