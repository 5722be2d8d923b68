/* Addresses and networks: whatever is accepted prints as something that reads back as the same. */
#include <stddef.h>
#include <stdint.h>

#include "base/must.h"
#include "net/addr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool round_trip(const struct type *type, struct str text, void *value, void *again)
{
	struct type_in in = {};
	struct type_range range = {};
	struct buf out = {};
	if (type->parse(&in, text, &range, value) < 0) {
		must(in.error[0]);
		return false;
	}
	type->print(&out, &range, value);
	/* A quoted word is the lexer's to read. */
	must(out.n && (out.p[0] == '"' || type->parse(&in, buf_str(&out), &range, again) == 0));
	if (out.p[0] == '"')
		memcpy(again, value, type->size);
	buf_fini(&out);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = { (const char *)data, size };
	struct addr a = {}, a2 = {};
	struct network n = {}, n2 = {};
	if (round_trip(&TYPE_ADDRESS, text, &a, &a2))
		must(addr_eq(&a, &a2));
	if (round_trip(&TYPE_NETWORK, text, &n, &n2))
		must(n.bits == n2.bits && !memcmp(&n.ip, &n2.ip, sizeof n.ip) && network_has(&n, &n.ip));
	return 0;
}
