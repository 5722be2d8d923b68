/* Structured fields: whatever is read lies inside the input, and what a member holds was read to its end with it.  The
 * first byte says whether the rest is an item, a list or a dictionary. */
#include "base/mem.h"
#include "base/must.h"
#include "base/utf8.h"
#include "http/sf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const int64_t INTEGER_MOST = 999999999999999;

static bool is_inside(struct str part, struct str whole)
{
	return !part.n || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

static void check_bare(const struct sf *s, struct str whole)
{
	static char text[1 << 16];
	must(is_inside(s->text, whole) && is_inside(s->params, whole));
	must(s->number <= INTEGER_MOST && s->number >= -INTEGER_MOST);
	must(s->kind != SF_BOOLEAN || s->number == 0 || s->number == 1);
	if (s->kind == SF_INNER || s->text.n > sizeof text)
		return;
	size_t n = sf_text(s, text);
	must(n <= s->text.n);
	for (struct str rest = str_make(text, n); s->kind == SF_DISPLAY && rest.n;) {
		size_t one = utf8_length(rest);
		must(one);
		rest = str_from(rest, one);
	}
}

static void check_params(struct str params, struct str whole)
{
	struct str key;
	struct sf value;
	int got;
	while ((got = sf_param_next(&params, &key, &value)) > 0) {
		must(key.n && is_inside(key, whole) && !value.params.n && value.kind != SF_INNER);
		check_bare(&value, whole);
	}
	must(got == 0 && !params.n);
}

static void check(const struct sf *s, struct str whole)
{
	struct str rest = s->text;
	struct sf item;
	int got = 0;
	check_bare(s, whole);
	check_params(s->params, whole);
	while (s->kind == SF_INNER && (got = sf_inner_next(&rest, &item)) > 0) {
		must(item.kind != SF_INNER);
		check_bare(&item, whole);
		check_params(item.params, whole);
	}
	must(got == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sf s;
	struct str key = STR("a");
	if (!size)
		return 0;
	size_t n = size - 1;
	char *exact = mem_new(n);
	memcpy(exact, data + 1, n);
	struct str whole = { exact, n }, rest = whole;
	if (data[0] % 3 == 0 && !sf_item(whole, &s))
		check(&s, whole);
	while (data[0] % 3 == 1 && sf_list_next(&rest, &s) > 0)
		check(&s, whole);
	while (data[0] % 3 == 2 && sf_dict_next(&rest, &key, &s) > 0) {
		must(key.n && is_inside(key, whole));
		check(&s, whole);
	}
	mem_free(exact);
	return 0;
}
