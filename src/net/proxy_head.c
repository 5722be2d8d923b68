/* Reading and writing PROXY protocol heads.  Pure; any thread. */
#include "net/proxy_head.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"

enum { V1_MOST_B = 107, V2_HEAD_B = 16, V2_INET = 0x11, V2_INET6 = 0x21 };

static const char SIGNATURE[12] = "\r\n\r\n\0\r\nQUIT\n";

/* --- Version 1: "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n". --- */

static bool parse_ip(struct str text, int family, uint8_t *bytes)
{
	char z[INET6_ADDRSTRLEN];
	if (text.n >= sizeof z)
		return false;
	memcpy(z, text.p, text.n);
	z[text.n] = '\0';
	return inet_pton(family, z, bytes) == 1;
}

static bool parse_addresses(struct str rest, int family, struct ip *from)
{
	struct ip client = { .family = (uint8_t)family };
	uint8_t other[16];
	uint64_t port, other_port;
	struct str source = str_cut(&rest, ' '), target = str_cut(&rest, ' '), source_port = str_cut(&rest, ' ');
	if (!rest.p || !parse_ip(source, family, client.bytes) || !parse_ip(target, family, other) ||
	    num_parse(source_port, 65535, &port) || num_parse(rest, 65535, &other_port))
		return false;
	client.port = (uint16_t)port;
	*from = client;
	return true;
}

static enum proxy_parsed parse_v1(struct str in, struct ip *from, size_t *length_b)
{
	size_t lf = str_find(in, '\n');
	if (lf == in.n)
		return in.n >= V1_MOST_B ? PROXY_BAD : PROXY_MORE;
	if (lf >= V1_MOST_B || in.p[lf - 1] != '\r')
		return PROXY_BAD;
	struct str rest = str_head(in, lf - 1);
	str_cut(&rest, ' ');
	struct str family = str_cut(&rest, ' ');
	*length_b = lf + 1;
	if (str_eq(family, STR("UNKNOWN")))
		return PROXY_DONE;
	bool v4 = str_eq(family, STR("TCP4"));
	if (!v4 && !str_eq(family, STR("TCP6")))
		return PROXY_BAD;
	return parse_addresses(rest, v4 ? AF_INET : AF_INET6, from) ? PROXY_DONE : PROXY_BAD;
}

/* --- Version 2: binary. --- */

static uint16_t get16(const char *p)
{
	return (uint16_t)((uint8_t)p[0] << 8 | (uint8_t)p[1]);
}

/* Source address, target address, source port, target port. */
static void take_address(struct ip *from, uint8_t family, const char *p, size_t address_b)
{
	*from = (struct ip){ .family = family, .port = get16(p + 2 * address_b) };
	memcpy(from->bytes, p, address_b);
}

static enum proxy_parsed parse_v2(struct str in, struct ip *from, size_t *length_b)
{
	if (in.n < V2_HEAD_B)
		return PROXY_MORE;
	uint8_t command = (uint8_t)in.p[12], kind = (uint8_t)in.p[13];
	size_t body_b = get16(in.p + 14);
	if (command != 0x20 && command != 0x21)
		return PROXY_BAD;
	if (in.n < V2_HEAD_B + body_b)
		return PROXY_MORE;
	*length_b = V2_HEAD_B + body_b;
	if (command == 0x20)
		return PROXY_DONE;
	if ((kind == V2_INET && body_b < 12) || (kind == V2_INET6 && body_b < 36))
		return PROXY_BAD;
	if (kind == V2_INET)
		take_address(from, AF_INET, in.p + V2_HEAD_B, 4);
	else if (kind == V2_INET6)
		take_address(from, AF_INET6, in.p + V2_HEAD_B, 16);
	return PROXY_DONE;
}

enum proxy_parsed proxy_head_parse(struct str in, struct ip *from, size_t *length_b)
{
	static const struct str V1 = { "PROXY ", 6 }, V2 = { SIGNATURE, sizeof SIGNATURE };
	size_t n = in.n < V2.n ? in.n : V2.n;
	if (memcmp(in.p, V2.p, n) == 0)
		return in.n < V2.n ? PROXY_MORE : parse_v2(in, from, length_b);
	n = in.n < V1.n ? in.n : V1.n;
	if (memcmp(in.p, V1.p, n) != 0)
		return PROXY_BAD;
	return in.n < V1.n ? PROXY_MORE : parse_v1(in, from, length_b);
}

/* --- Writing. --- */

static size_t print_v1(char *p, const struct ip *from, const struct ip *to, bool known)
{
	char source[INET6_ADDRSTRLEN], target[INET6_ADDRSTRLEN];
	if (!known)
		return (size_t)snprintf(p, PROXY_HEAD_ROOM_B, "PROXY UNKNOWN\r\n");
	inet_ntop(from->family, from->bytes, source, sizeof source);
	inet_ntop(to->family, to->bytes, target, sizeof target);
	return (size_t)snprintf(p, PROXY_HEAD_ROOM_B, "PROXY TCP%c %s %s %u %u\r\n", from->family == AF_INET ? '4' : '6',
	                        source, target, from->port, to->port);
}

static char *put16(char *p, size_t n)
{
	p[0] = (char)(n >> 8);
	p[1] = (char)n;
	return p + 2;
}

static size_t print_v2(char *p, const struct ip *from, const struct ip *to, bool known)
{
	size_t address_b = known ? ip_length(from) : 0, body_b = known ? 2 * address_b + 4 : 0;
	memcpy(p, SIGNATURE, sizeof SIGNATURE);
	p[12] = known ? 0x21 : 0x20;
	p[13] = !known ? 0 : from->family == AF_INET ? V2_INET : V2_INET6;
	char *at = put16(p + 14, body_b);
	if (!known)
		return V2_HEAD_B;
	memcpy(at, from->bytes, address_b);
	memcpy(at + address_b, to->bytes, address_b);
	put16(put16(at + 2 * address_b, from->port), to->port);
	return V2_HEAD_B + body_b;
}

size_t proxy_head_print(char *p, int version, const struct ip *from, const struct ip *to)
{
	bool known = from->family == to->family && ip_length(from);
	return version == 1 ? print_v1(p, from, to, known) : print_v2(p, from, to, known);
}
