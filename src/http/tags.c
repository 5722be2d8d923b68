/* Tags of answers.  No state; any thread. */
#include "http/tags.h"

#include "base/mem.h"

static const struct {
	struct str name;
	bool commas;   /* apart by commas, else by blanks */
} TAG_FIELDS[] = {
	{ { "surrogate-key", 13 }, false },
	{ { "xkey", 4 }, false },
	{ { "cache-tag", 9 }, true },
};

/* Its index, or countof(TAG_FIELDS). */
static size_t tag_field(struct str name)
{
	size_t i = 0;
	while (i < countof(TAG_FIELDS) && !str_eq_nocase(TAG_FIELDS[i].name, name))
		i++;
	return i;
}

static bool is_tag(struct str s)
{
	return s.n && s.n <= TAG_MOST_B && str_is_printable(s);
}

static size_t word_b(struct str s)
{
	size_t n = 0;
	while (n < s.n && s.p[n] != ' ' && s.p[n] != '\t')
		n++;
	return n;
}

static struct str tag_take(struct str *rest, bool commas)
{
	if (commas)
		return str_trim(str_cut(rest, ','));
	size_t n = word_b(*rest);
	struct str word = str_head(*rest, n);
	*rest = n < rest->n ? str_from(*rest, n + 1) : (struct str){ NULL, 0 };
	return word;
}

void tags_each(const struct field *fields, size_t count, void (*see)(void *arg, struct str tag), void *arg)
{
	for (size_t i = 0; i < count; i++) {
		size_t which = tag_field(fields[i].name);
		struct str rest = which < countof(TAG_FIELDS) ? fields[i].value : (struct str){ NULL, 0 };
		while (rest.p) {
			struct str tag = tag_take(&rest, TAG_FIELDS[which].commas);
			if (is_tag(tag))
				see(arg, tag);
		}
	}
}

bool tags_is_field(struct str name)
{
	return tag_field(name) < countof(TAG_FIELDS);
}
