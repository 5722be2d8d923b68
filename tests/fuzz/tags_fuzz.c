/* Tags: none is empty, too long, or holds what no field may. */
#include "head_lines.h"
#include "http/tags.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void see(void *arg, struct str tag)
{
	(void)arg;
	must(tag.n && tag.n <= TAG_MOST_B && str_is_printable(tag) && tag.p[0] != ' ' && tag.p[tag.n - 1] != ' ');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct head_lines h;
	head_lines_init(&h, str_make((const char *)data, size));
	tags_each(h.fields, h.count, see, NULL);
	head_lines_fini(&h);
	return 0;
}
