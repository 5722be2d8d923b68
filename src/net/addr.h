/* Addresses: what a configuration names (struct addr), who is at the other end (struct ip), and networks. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/buf.h"
#include "base/type.h"

/* Somewhere to listen or to connect to.  Ready for bind() and connect(). */
struct addr {
	socklen_t length;
	union {
		struct sockaddr any;
		struct sockaddr_storage storage;
		struct sockaddr_un local;
	};
};

/* The other end of a connection, small enough to stand in each. */
struct ip {
	uint8_t family;   /* AF_INET or AF_INET6; AF_UNIX has no bytes.  A v4-mapped address is AF_INET */
	uint16_t port;    /* host byte order */
	uint8_t bytes[16];
};

struct network {
	struct ip ip;     /* family AF_UNSPEC: everyone; AF_UNIX: the clients of Unix sockets */
	uint8_t bits;     /* of the prefix; everything behind it is zero */
};

/* "127.0.0.1:8080", "[::1]:80", "*:80" and "80" (both families: [::] not v6-only), "unix:/path", "unix:@abstract".
 * 0, or -EINVAL with in->error set: TYPE_ADDRESS's parser.  No name is looked up. */
extern const struct type TYPE_ADDRESS;  /* struct addr */
/* "10.0.0.0/8", "::1", "unix", "all": TYPE_NETWORK's parser; bits set behind the prefix are an error that names the
 * right one. */
extern const struct type TYPE_NETWORK;  /* struct network */

/* As it is written in a configuration: appends "127.0.0.1:8080". */
void addr_print(struct buf *out, const struct addr *a);
bool addr_eq(const struct addr *a, const struct addr *b);
/* In host byte order; 0 for a Unix socket. */
uint16_t addr_port(const struct addr *a);
/* From what accept4() filled in. */
struct ip ip_of(const struct sockaddr_storage *from);
/* "192.0.2.1", "2001:db8::1" (RFC 5952), "unix"; p has room for 46 bytes; returns the number of bytes. */
size_t ip_print(char *p, const struct ip *ip);
/* Bytes of the address: 4, 16, or 0 for a Unix socket. */
static inline size_t ip_length(const struct ip *ip)
{
	return ip->family == AF_INET ? 4 : ip->family == AF_INET6 ? 16 : 0;
}
bool network_has(const struct network *n, const struct ip *ip);
