/* The PROXY protocol, versions 1 and 2 (haproxy.org, proxy-protocol.txt): a balancer's word, at the begin of a connection,
 * on who the client really is. */
#pragma once

#include "net/addr.h"

enum { PROXY_HEAD_MOST_B = 16 + 65535, PROXY_HEAD_ROOM_B = 108 };

enum proxy_parsed {
	PROXY_DONE,      /* *length_b bytes of the input belong to it */
	PROXY_MORE,      /* what is there is fine so far */
	PROXY_BAD,
};

/* from: who the client is, left alone where the balancer speaks for itself (LOCAL, UNKNOWN, other families). */
enum proxy_parsed proxy_head_parse(struct str in, struct ip *from, size_t *length_b);
/* Writes a head at p (PROXY_HEAD_ROOM_B bytes); returns its length.  version is 1 or 2.  to: the address that the client
 * connected to.  Where the two are of different families, or of none, it says that nothing is known. */
size_t proxy_head_print(char *p, int version, const struct ip *from, const struct ip *to);
