/* Names of keys.  Functions without state; any thread. */
#include "http/cluster_key.h"

#include <stdio.h>

#include "base/hash.h"

static struct str length(const char *p, int n)
{
	return str_make(p, (size_t)n < CLUSTER_KEY_B ? (size_t)n : CLUSTER_KEY_B - 1);
}

struct str key_of_page(char p[CLUSTER_KEY_B], struct str site, struct str key)
{
	XXH128_hash_t h = XXH3_128bits(key.p, key.n);
	return length(p, snprintf(p, CLUSTER_KEY_B, "pc1:%.*s:%016llx%016llx", STR_F(site), (unsigned long long)h.high64,
	                          (unsigned long long)h.low64));
}

static struct str numbered(char p[CLUSTER_KEY_B], const char *kind, struct str site, uint64_t number)
{
	return length(p, snprintf(p, CLUSTER_KEY_B, "%s:%.*s:%016llx", kind, STR_F(site), (unsigned long long)number));
}

struct str key_of_tag(char p[CLUSTER_KEY_B], struct str site, uint64_t tag)
{
	return numbered(p, "pt1", site, tag);
}

struct str key_of_url(char p[CLUSTER_KEY_B], struct str site, uint64_t base)
{
	return numbered(p, "pu1", site, base);
}

struct str key_of_journal(char p[CLUSTER_KEY_B], struct str site, uint64_t number, unsigned copy)
{
	return length(p, snprintf(p, CLUSTER_KEY_B, "pj1:%.*s:%llu:%c", STR_F(site), (unsigned long long)number,
	                          (char)('a' + copy)));
}
