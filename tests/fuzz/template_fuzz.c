/* Templates: what is accepted prints; without a dollar sign it prints as it stands; what is refused says why. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/must.h"
#include "http/vars.h"
#include "../unit/http/asked.h"

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
	struct asked *a = malloc(sizeof *a);
	char *exact = malloc(size ? size : 1);
	must(a && exact);
	memcpy(exact, data, size);
	struct req *r = asked_init(a, METHOD_GET, "");
	r->ask.path = STR("/a");
	r->ask.method_name = STR("GET");
	r->captures = (struct captures){ 1, { STR("one") } };
	struct type_in in = { .arena = &r->arena };
	check(&in, str_make(exact, size), r);
	asked_fini(a);
	free(exact);
	free(a);
	return 0;
}
