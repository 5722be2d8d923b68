/* Templates: what is accepted prints; without a dollar sign it prints as it stands; what is refused says why. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/must.h"
#include "http/req.h"
#include "http/vars.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct type_in *in, struct str text, struct req *r)
{
	struct tmpl t;
	if (tmpl_parse(in, text, &t)) {
		must(in->error[0]);
		return;
	}
	struct buf printed = {};
	tmpl_print(&printed, &t, r);
	must(str_eq(buf_str(&printed), tmpl_str(&t, r)));
	must(str_eq(t.text, text));
	if (str_find(text, '$') == text.n)
		must(str_eq(buf_str(&printed), text));
	buf_fini(&printed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct home *home = calloc(1, sizeof *home);
	struct req *r = calloc(1, sizeof *r);
	char *exact = malloc(size ? size : 1);
	must(home && r && exact);
	memcpy(exact, data, size);
	r->home = home;
	arena_init(&r->arena, r->first, sizeof r->first);
	r->ask.path = STR("/a");
	r->ask.method_name = STR("GET");
	r->captures = (struct captures){ 1, { STR("one") } };
	struct type_in in = { .arena = &r->arena };
	check(&in, str_make(exact, size), r);
	arena_fini(&r->arena);
	free(exact);
	free(r);
	free(home);
	return 0;
}
