/* Any bytes as a configuration: messages, or a snapshot whose effective configuration reads back the same.  No file is
 * touched. */
#include <stdio.h>
#include <stdlib.h>

#include "../unit/config/table.h"
#include "base/must.h"
#include "config/build.h"
#include "config/dump.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* True where the text is a configuration; then its effective form is in out. */
static bool dumped(struct str text, struct buf *out)
{
	struct sources s = {};
	struct messages m = {};
	struct conf *c = NULL;
	struct buf said = {};
	sources_from_text(&s, STR("fuzz"), STR("/"), text);
	bool built = conf_build(&s, T_MODULES, T_COUNT, false, &m, &c) == 0;
	must(built == (m.count[LEVEL_ERROR] == 0));
	messages_print(&m, true, &said);
	messages_print_json(&m, &said);
	if (built)
		conf_dump(c, out);
	conf_free(c);
	messages_fini(&m);
	sources_fini(&s);
	buf_fini(&said);
	return built;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf once = {}, twice = {};
	if (dumped(str_make((const char *)data, size), &once)) {
		must(dumped(buf_str(&once), &twice));
		must(str_eq(buf_str(&once), buf_str(&twice)));
	}
	buf_fini(&once);
	buf_fini(&twice);
	return 0;
}
