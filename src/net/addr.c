/* Addresses and networks: from the configuration's words, from the kernel, and back to text.  Functions without state;
 * any thread. */
#include "net/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>

#include "base/num.h"

static struct sockaddr_in *v4_of(struct addr *a)
{
	return (struct sockaddr_in *)&a->storage;
}

static struct sockaddr_in6 *v6_of(struct addr *a)
{
	return (struct sockaddr_in6 *)&a->storage;
}

static const struct sockaddr_in *v4_in(const struct addr *a)
{
	return (const struct sockaddr_in *)&a->storage;
}

static const struct sockaddr_in6 *v6_in(const struct addr *a)
{
	return (const struct sockaddr_in6 *)&a->storage;
}

/* inet_pton() for text that is not terminated. */
static bool bytes_parse(int family, struct str text, void *bytes)
{
	char z[INET6_ADDRSTRLEN];
	if (!text.n || text.n >= sizeof z || memchr(text.p, '\0', text.n))
		return false;
	memcpy(z, text.p, text.n);
	z[text.n] = '\0';
	return inet_pton(family, z, bytes) == 1;
}

static int local_parse(struct type_in *in, struct str path, struct addr *a)
{
	bool abstract = path.n > 1 && path.p[0] == '@';
	/* An abstract name has a NUL before it in place of the @, a path has one behind it. */
	size_t most = sizeof a->local.sun_path - !abstract;
	if (!abstract && (!path.n || path.p[0] != '/'))
		return type_wrong(in, "after unix: comes an absolute path, or @ and an abstract name");
	if (path.n > most)
		return type_wrong(in, "a Unix socket's path has at most %zu bytes", most);
	if (memchr(path.p, '\0', path.n))
		return type_wrong(in, "holds a NUL byte");
	*a = (struct addr){};
	a->local.sun_family = AF_UNIX;
	memcpy(a->local.sun_path, path.p, path.n);
	if (abstract)
		a->local.sun_path[0] = '\0';
	a->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.n + !abstract);
	return 0;
}

static void set_v6(struct addr *a, const struct in6_addr *bytes, uint16_t port)
{
	*a = (struct addr){ .length = sizeof(struct sockaddr_in6) };
	v6_of(a)->sin6_family = AF_INET6;
	v6_of(a)->sin6_addr = *bytes;
	v6_of(a)->sin6_port = htons(port);
}

static void set_v4(struct addr *a, const struct in_addr *bytes, uint16_t port)
{
	*a = (struct addr){ .length = sizeof(struct sockaddr_in) };
	v4_of(a)->sin_family = AF_INET;
	v4_of(a)->sin_addr = *bytes;
	v4_of(a)->sin_port = htons(port);
}

/* host is what stands before the last colon: "*" or nothing, "[v6]" or v4. */
static int host_parse(struct type_in *in, struct str host, uint16_t port, struct addr *a)
{
	struct in6_addr v6 = IN6ADDR_ANY_INIT;
	struct in_addr v4;
	if (str_starts(host, STR("[")) && str_ends(host, STR("]"))) {
		if (!bytes_parse(AF_INET6, str_make(host.p + 1, host.n - 2), &v6))
			return type_wrong(in, "between the brackets has to stand an IPv6 address");
		set_v6(a, &v6, port);
	} else if (!host.n || str_eq(host, STR("*"))) {
		set_v6(a, &v6, port);
	} else if (bytes_parse(AF_INET, host, &v4)) {
		set_v4(a, &v4, port);
	} else if (bytes_parse(AF_INET6, host, &v6)) {
		return type_wrong(in, "an IPv6 address stands in brackets: [%.*s]:%u", STR_F(host), port);
	} else {
		return type_wrong(in, "not a numeric address: names are not looked up here");
	}
	return 0;
}

static int addr_parse(struct type_in *in, struct str text, const struct type_range *range, void *out)
{
	(void)range;
	struct in6_addr v6;
	struct in_addr v4;
	uint64_t port;
	if (str_starts(text, STR("unix:")))
		return local_parse(in, str_from(text, 5), out);
	size_t colon = str_rfind(text, ':');
	bool alone = colon == text.n;  /* "80" */
	if ((alone && bytes_parse(AF_INET, text, &v4)) || str_ends(text, STR("]")))
		return type_wrong(in, "the port is missing: %.*s:80", STR_F(str_head(text, 80)));
	if (bytes_parse(AF_INET6, text, &v6))
		return type_wrong(in, "an IPv6 address stands in brackets: [%.*s]:80", STR_F(text));
	if (num_parse(alone ? text : str_from(text, colon + 1), 65535, &port))
		return type_wrong(in, "the port has to be a number up to 65535");
	return host_parse(in, alone ? STR("*") : str_head(text, colon), (uint16_t)port, out);
}

void addr_print(struct buf *out, const struct addr *a)
{
	char z[INET6_ADDRSTRLEN] = "";
	if (a->any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &v4_in(a)->sin_addr, z, sizeof z);
		buf_addf(out, "%s:%u", z, ntohs(v4_in(a)->sin_port));
	} else if (a->any.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &v6_in(a)->sin6_addr, z, sizeof z);
		buf_addf(out, "[%s]:%u", z, ntohs(v6_in(a)->sin6_port));
	} else {
		const char *path = a->local.sun_path;
		size_t head = offsetof(struct sockaddr_un, sun_path), n = a->length > head ? a->length - head : 0;
		bool abstract = n && !path[0];
		buf_add(out, abstract ? STR("unix:@") : STR("unix:"));
		buf_add(out, abstract ? str_make(path + 1, n - 1) : str_make(path, strnlen(path, n)));
	}
}

static void addr_type_print(struct buf *out, const struct type_range *range, const void *value)
{
	(void)range;
	struct buf text = {};
	addr_print(&text, value);
	type_print_word(out, buf_str(&text));
	buf_fini(&text);
}

bool addr_eq(const struct addr *a, const struct addr *b)
{
	if (a->any.sa_family != b->any.sa_family)
		return false;
	if (a->any.sa_family == AF_INET)
		return v4_in(a)->sin_port == v4_in(b)->sin_port &&
		       v4_in(a)->sin_addr.s_addr == v4_in(b)->sin_addr.s_addr;
	if (a->any.sa_family == AF_INET6)
		return v6_in(a)->sin6_port == v6_in(b)->sin6_port &&
		       v6_in(a)->sin6_scope_id == v6_in(b)->sin6_scope_id &&
		       !memcmp(&v6_in(a)->sin6_addr, &v6_in(b)->sin6_addr, sizeof(struct in6_addr));
	return a->length == b->length && !memcmp(&a->local, &b->local, a->length);
}

uint16_t addr_port(const struct addr *a)
{
	if (a->any.sa_family == AF_INET)
		return ntohs(v4_in(a)->sin_port);
	return a->any.sa_family == AF_INET6 ? ntohs(v6_in(a)->sin6_port) : 0;
}

/* A v4 client of a dual-stack socket: ::ffff:192.0.2.1 (RFC 4291, 2.5.5.2). */
static bool is_mapped(const uint8_t *v6)
{
	static const uint8_t PREFIX[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
	return !memcmp(v6, PREFIX, sizeof PREFIX);
}

struct ip ip_of(const struct sockaddr_storage *from)
{
	struct ip ip = { .family = AF_UNIX };
	if (from->ss_family == AF_INET) {
		const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
		ip.family = AF_INET;
		ip.port = ntohs(v4->sin_port);
		memcpy(ip.bytes, &v4->sin_addr, 4);
	} else if (from->ss_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;
		bool mapped = is_mapped(v6->sin6_addr.s6_addr);
		ip.family = mapped ? AF_INET : AF_INET6;
		ip.port = ntohs(v6->sin6_port);
		memcpy(ip.bytes, v6->sin6_addr.s6_addr + (mapped ? 12 : 0), mapped ? 4 : 16);
	}
	return ip;
}

/* Written for nearly every request to an origin: inet_ntop() would go by way of printf. */
static size_t v4_print(char *p, const uint8_t *bytes)
{
	char *to = p;
	for (unsigned i = 0; i < 4; i++) {
		if (i)
			*to++ = '.';
		to += num_print(to, bytes[i]);
	}
	return (size_t)(to - p);
}

size_t ip_print(char *p, const struct ip *ip)
{
	if (ip->family == AF_INET)
		return v4_print(p, ip->bytes);
	if (ip->family == AF_INET6) {
		inet_ntop(ip->family, ip->bytes, p, INET6_ADDRSTRLEN);
		return strlen(p);
	}
	memcpy(p, "unix", 4);
	return 4;
}

/* Clears what stands behind the prefix; true where there was something. */
static bool trim(struct network *n)
{
	bool any = false;
	for (unsigned bit = n->bits; bit < sizeof n->ip.bytes * 8; bit++) {
		uint8_t mask = (uint8_t)(0x80 >> bit % 8);
		any |= n->ip.bytes[bit / 8] & mask;
		n->ip.bytes[bit / 8] &= (uint8_t)~mask;
	}
	return any;
}

/* Families without an address: every client, and the clients of Unix sockets. */
static bool word_network(struct str text, struct network *n)
{
	bool all = str_eq(text, STR("all"));
	*n = (struct network){ .ip.family = all ? AF_UNSPEC : AF_UNIX };
	return all || str_eq(text, STR("unix"));
}

/* Clients' mapped addresses are v4 ones by the time they are compared; so have networks to be. */
static void unmap(struct network *n)
{
	if (n->ip.family != AF_INET6 || n->bits < 96 || !is_mapped(n->ip.bytes))
		return;
	struct network v4 = { .ip.family = AF_INET, .bits = (uint8_t)(n->bits - 96) };
	memcpy(v4.ip.bytes, n->ip.bytes + 12, 4);
	*n = v4;
}

static void network_print(struct buf *out, const struct type_range *range, const void *value)
{
	(void)range;
	const struct network *n = value;
	unsigned whole = n->ip.family == AF_INET6 ? 128 : n->ip.family == AF_INET ? 32 : 0;
	if (n->ip.family == AF_UNSPEC) {
		buf_add(out, STR("all"));
		return;
	}
	out->n += ip_print(buf_room(out, INET6_ADDRSTRLEN), &n->ip);
	if (n->bits < whole)
		buf_addf(out, "/%u", n->bits);
}

static int network_parse(struct type_in *in, struct str text, const struct type_range *range, void *out)
{
	struct network *n = out;
	if (word_network(text, n))
		return 0;
	struct str prefix = text, ip = str_cut(&prefix, '/');
	n->ip.family = str_find(ip, ':') < ip.n ? AF_INET6 : AF_INET;
	unsigned whole = n->ip.family == AF_INET6 ? 128 : 32;
	uint64_t bits = whole;
	if (!bytes_parse(n->ip.family, ip, n->ip.bytes))
		return type_wrong(in, "not an IPv4 or IPv6 address");
	if (prefix.p && num_parse(prefix, whole, &bits))
		return type_wrong(in, "after the slash comes a number of bits up to %u", whole);
	n->bits = (uint8_t)bits;
	bool loose = trim(n);
	unmap(n);
	if (!loose)
		return 0;
	struct buf right = {};
	network_print(&right, range, n);
	type_wrong(in, "has bits set behind its prefix: %.*s is the network", STR_F(buf_str(&right)));
	buf_fini(&right);
	return -EINVAL;
}

bool network_has(const struct network *n, const struct ip *ip)
{
	unsigned whole = n->bits / 8, rest = n->bits % 8;
	if (n->ip.family == AF_UNSPEC)
		return true;
	if (n->ip.family != ip->family || memcmp(n->ip.bytes, ip->bytes, whole) != 0)
		return false;
	return !rest || (n->ip.bytes[whole] ^ ip->bytes[whole]) >> (8 - rest) == 0;
}

const struct type TYPE_ADDRESS = {
	"address", "an address such as 127.0.0.1:8080, [::1]:80, *:80, 80 or unix:/run/x.sock",
	sizeof(struct addr), addr_parse, addr_type_print,
};
const struct type TYPE_NETWORK = {
	"network", "a network such as 10.0.0.0/8 or 2001:db8::/32, an address, unix or all",
	sizeof(struct network), network_parse, network_print,
};
