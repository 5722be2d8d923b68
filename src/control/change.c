/* The list of changes.  Owns its texts. */
#include "control/change.h"

#include <inttypes.h>
#include <netinet/in.h>

#include "base/civil.h"
#include "base/mem.h"

void changes_fini(struct changes *c)
{
	for (size_t i = 0; i < CHANGES_KEPT; i++)
		mem_str_free(c->kept[i].what);
	*c = (struct changes){};
}

void changes_add(struct changes *c, uint64_t wall_ms, const struct caller *who, struct str what)
{
	struct change *at = &c->kept[c->count++ % CHANGES_KEPT];
	mem_str_free(at->what);
	*at = (struct change){ wall_ms, *who, mem_str(what) };
}

void change_print_who(struct buf *out, uint64_t wall_ms, const struct caller *who)
{
	char time[32], from[INET6_ADDRSTRLEN];
	size_t n = civil_print(time, (int64_t)(wall_ms / 1000));
	buf_addf(out, "\"time\":\"%.*sZ\",", (int)n, time);
	if (ip_length(&who->from))
		buf_addf(out, "\"address\":\"%.*s\",\"by\":\"%s\",", (int)ip_print(from, &who->from), from,
		         who->token ? "token" : "page");
	else if (who->pid)
		buf_addf(out, "\"uid\":%u,\"pid\":%d,", (unsigned)who->uid, (int)who->pid);
}

static void print_one(struct buf *out, const struct change *c)
{
	buf_add_char(out, '{');
	change_print_who(out, c->wall_ms, &c->who);
	buf_add(out, STR("\"did\":\""));
	buf_add_json(out, c->what);
	buf_add(out, STR("\"}"));
}

void changes_print(const struct changes *c, struct buf *out)
{
	uint64_t first = c->count > CHANGES_KEPT ? c->count - CHANGES_KEPT : 0;
	buf_addf(out, "{\"count\":%" PRIu64 ",\"changes\":[", c->count);
	for (uint64_t i = first; i < c->count; i++) {
		buf_add(out, i > first ? STR(",\n") : STR("\n"));
		print_one(out, &c->kept[i % CHANGES_KEPT]);
	}
	buf_add(out, STR("]}\n"));
}
