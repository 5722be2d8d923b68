/* Values that are said to be pages: as they are, and behind a head that fits them. */
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/must.h"
#include "http/cluster_value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAGIC = 0x31477050, WALL_MS = 1000000 };

static void look(struct store *s, struct epoch *e, struct str value)
{
	uint64_t generations[VALUE_GENERATIONS_MOST];
	size_t count;
	struct page *p = value_read(value, STR("key"), WALL_MS, s, generations, &count);
	if (!p)
		return;
	must(str_eq(page_key(p), STR("key")) && count == value_generations(p));
	struct str rest = page_fields(p);
	struct field f;
	while (page_field_next(&rest, &f))
		must(f.name.n);
	for (size_t i = 0; i < p->image.tag_count; i++)
		page_tag(p, i);
	object_put(e, &p->object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	struct epoch *e = epoch_new();
	struct store *s = store_new(e, 1 << 20);
	struct str rest = { (const char *)data + 1, size - 1 };
	struct value_head head = { .magic = MAGIC, .version = 1, .generations = data[0] & 63, .length_b = rest.n };
	struct buf value = {};
	head.check = hash_bytes(rest, rest.n);
	buf_add(&value, str_make((const char *)&head, sizeof head));
	buf_add(&value, rest);
	look(s, e, rest);
	look(s, e, buf_str(&value));
	buf_fini(&value);
	store_free(s);
	epoch_free(e);
	return 0;
}
