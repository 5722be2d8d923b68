/* Keys of URLs, as somebody types them to purge one, and of Locations: they name a host and a path, are the same for the
 * key itself with a scheme before it, and a Location's is that of its own host alone.  The first byte chooses the rules. */
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/must.h"
#include "http/cache.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str ignored[] = { { "utm_*", 5 }, { "a", 1 } };

static void check_url(const struct cache_rules *rules, struct str url)
{
	struct buf key = {}, whole = {}, again = {};
	if (cache_key_of_url(rules, url, &key)) {
		struct str k = buf_str(&key);
		size_t slash = str_find(k, '/');
		must(slash && slash < k.n);
		/* What the host is made of is in lower case, and no user hides in it. */
		for (size_t i = 0; i < slash; i++)
			must(!(k.p[i] >= 'A' && k.p[i] <= 'Z') && k.p[i] != '@' && k.p[i] > ' ');
		buf_add(&whole, STR("http://"));
		buf_add(&whole, k);
		must(cache_key_of_url(rules, buf_str(&whole), &again) && str_eq(buf_str(&again), k));
	}
	buf_fini(&key);
	buf_fini(&whole);
	buf_fini(&again);
}

static void check_location(const struct cache_rules *rules, struct str url)
{
	static const struct str HERE = { "here:81/", 8 };
	struct req r = { .ask = { .host = { "here", 4 }, .port = 81 } };
	struct buf key = {};
	if (cache_key_of_location(rules, &r, url, &key))
		must(str_starts(buf_str(&key), HERE));
	buf_fini(&key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	struct cache_rules rules = { .sort_query = data[0] & 1 };
	if (data[0] & 2)
		rules.ignore = (struct items){ .p = ignored, .count = countof(ignored) };
	char *exact = mem_new(size);
	memcpy(exact, data + 1, size - 1);
	check_url(&rules, str_make(exact, size - 1));
	check_location(&rules, str_make(exact, size - 1));
	mem_free(exact);
	return 0;
}
