/* Images of pages: whatever is taken for one can be read to its end, and says of itself what is there. */
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/must.h"
#include "http/page.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_fields(const struct page *p)
{
	struct str rest = page_fields(p);
	struct field f;
	size_t count = 0, bytes = 0;
	for (; page_field_next(&rest, &f); count++) {
		bytes += 2 * sizeof(uint16_t) + f.name.n + f.value.n;
		must(f.name.n && str_find(f.value, '\n') == f.value.n && str_find(f.value, '\r') == f.value.n);
		must(page_field(p, f.name).p);
	}
	must(!rest.n && count == p->image.field_count && bytes == p->image.fields_b);
}

/* As http/shelf.c and http/cluster.c make one. */
static void check_page(struct store *s, const struct image *image, struct str head)
{
	struct image i = *image;
	i.body_b = 0;
	struct page *p = page_new(s, &i, PAGE_INLINE);
	memcpy(page_tags_at(p), head.p + sizeof i, head.n - sizeof i);
	page_ready(p, s);
	must(page_key(p).n == i.key_b && image_head_b(&i) == head.n);
	for (size_t k = 0; k < i.tag_count; k++)
		(void)page_tag(p, k);
	check_fields(p);
	(void)page_age_s(p, 1000);
	p->object.free(&p->object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image image;
	if (size < sizeof image)
		return 0;
	struct epoch *e = epoch_new();
	struct store *s = store_new(e, 1 << 20);
	char *exact = mem_new(size);
	memcpy(exact, data, size);
	memcpy(&image, exact, sizeof image);
	if (!image_check(&image, str_make(exact, size)))
		check_page(s, &image, str_make(exact, size));
	mem_free(exact);
	store_free(s);
	epoch_free(e);
	return 0;
}
