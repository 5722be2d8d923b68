/* Paths and hosts: what comes out is normalised, stays so, and never leads above the root. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/must.h"
#include "http/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool has(struct str s, struct str part)
{
	for (; s.n >= part.n; s = str_from(s, 1))
		if (str_starts(s, part))
			return true;
	return false;
}

/* The bytes that the parser lets through to here. */
static bool is_raw(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f)
			return false;
	return true;
}

static void check_path(struct arena *a, struct str raw)
{
	struct str path, again;
	const char *why = NULL;
	if (!is_raw(raw))
		return;
	if (target_path(a, raw, &path, &why)) {
		must(why && why[0]);
		return;
	}
	must(path.n && path.n <= raw.n && path.p[0] == '/');
	must(!has(path, STR("//")) && !has(path, STR("/./")) && !has(path, STR("/../")));
	must(!str_ends(path, STR("/.")) && !str_ends(path, STR("/..")));
	must(str_find(path, '\0') == path.n);
	/* Encoded and read again it is the same, and a plain path is taken as it is. */
	must(target_path(a, target_encode(a, path), &again, &why) == 0 && str_eq(path, again));
	if (str_find(path, '%') == path.n)
		must(target_path(a, path, &again, &why) == 0 && str_eq(path, again));
}

static void check_host(struct arena *a, struct str raw)
{
	struct str host, again;
	uint16_t port;
	if (target_authority(a, raw, &host, &port))
		return;
	must(host.n && host.n <= raw.n && host.n <= 255);
	for (size_t i = 0; i < host.n; i++)
		must(host.p[i] > ' ' && host.p[i] < 0x7f && host.p[i] != '/' && !(host.p[i] >= 'A' && host.p[i] <= 'Z'));
	must(target_authority(a, host, &again, &port) == 0 && !port);
	must(str_eq(again, host));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a;
	char *exact = malloc(size ? size : 1);
	must(exact);
	memcpy(exact, data, size);
	arena_init(&a, NULL, 0);
	check_path(&a, str_make(exact, size));
	check_host(&a, str_make(exact, size));
	arena_fini(&a);
	free(exact);
	return 0;
}
