/* An origin's answer as a codec hears it: the same in one piece, byte by byte, and in pieces of any size. */
#pragma once

#include "../unit/handlers/called.h"

/* The first byte chooses the request, the second the size of pieces; the rest is the answer. */
static inline int cuts(const struct codec *codec, const void *values, const uint8_t *data, size_t size)
{
	static const struct str HEADS[] = {
		{ "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27 },
		{ "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", 28 },
		{ "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", 68 },
		{ "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n", 41 },
	};
	struct called whole, cut;
	if (size < 2)
		return 0;
	struct str in = { (const char *)data + 2, size - 2 }, head = HEADS[data[0] % countof(HEADS)];
	size_t pieces[] = { 1, 2 + data[1] % 30u };
	must(called_init(&whole, codec, values, head) && called_init(&cut, codec, values, head));
	called_hear(&whole, in, 0, in.n ? in.n : 1);
	for (size_t i = 0; i < countof(pieces); i++) {
		called_hear(&cut, in, 0, pieces[i]);
		/* A malformed line is seen when it ends, which the pieces decide: so does what was heard before that, and an
		 * application's own word that it failed may come first. */
		if (cut.heard == HEARD_BAD || whole.heard == HEARD_BAD)
			continue;
		must(cut.heard == whole.heard && cut.interims == whole.interims && cut.used == whole.used);
		must(str_eq(buf_str(&cut.told), buf_str(&whole.told)));
		must(str_eq(buf_str(&cut.aside), buf_str(&whole.aside)));
	}
	called_fini(&cut);
	called_fini(&whole);
	return 0;
}
