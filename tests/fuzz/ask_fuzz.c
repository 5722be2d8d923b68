/* Requests as they go to origins: whatever a client sends, what is written is one request and no more, and can be read in
 * one way only. */
#include <stddef.h>
#include <stdint.h>

#include "../unit/handlers/called.h"
#include "base/num.h"
#include "handlers/proxy.h"
#include "http/gateway.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct str BODY = { "0123456789", 10 };

/* The client said as much about its body as that there are these bytes. */
static bool init(struct called *t, const struct codec *codec, const void *values, struct str head)
{
	if (!called_init(t, codec, values, head))
		return false;
	bool has_body = t->r.ask.framing != FRAMING_NONE;
	t->c.body_b = !has_body ? 0 : t->r.ask.framing == FRAMING_LENGTH ? (int64_t)BODY.n : LENGTH_UNKNOWN;
	return true;
}

static struct str body_of(const struct called *t)
{
	return t->c.body_b ? BODY : (struct str){};
}

/* --- HTTP. --- */

static void check_proxy(struct str head, const struct proxy *values)
{
	static const struct parse_limits LIMITS = { 1024 * 1024, 255 };
	struct called t;
	struct buf out = {};
	struct ask again;
	unsigned status = 0;
	const char *why = NULL;
	must(init(&t, &PROXY_CODEC, values, head) && !called_ask(&t, body_of(&t), 4, &out));
	must(parse_ask(&t.r.arena, buf_str(&out), &LIMITS, &again, &status, &why) == PARSE_DONE);
	must(again.method == t.r.ask.method && again.minor == 1 && again.keep_alive);
	must(str_eq(again.path, t.r.ask.path) && str_eq(again.query, t.r.ask.query));
	struct str body = str_from(buf_str(&out), again.head_b);
	if (t.c.body_b == LENGTH_UNKNOWN)
		must(again.framing == FRAMING_CHUNKED &&
		     str_eq(body, STR("4\r\n0123\r\n4\r\n4567\r\n2\r\n89\r\n0\r\n\r\n")));
	else
		must(again.length_b == (uint64_t)t.c.body_b && again.framing != FRAMING_CHUNKED && str_eq(body, body_of(&t)));
	called_fini(&t);
	buf_fini(&out);
}

/* --- Variables. --- */

struct seen {
	struct str names[300];
	size_t count;
};

static void see(struct seen *seen, struct str name, struct str value)
{
	must(name.n && str_find(name, '\0') == name.n && str_find(value, '\0') == value.n);
	must(!str_eq(name, STR("HTTP_PROXY")));
	for (size_t i = 0; i < seen->count; i++)
		must(!str_eq(seen->names[i], name));
	must(seen->count < countof(seen->names));
	seen->names[seen->count++] = name;
}

static struct str take(struct str *in, size_t n)
{
	must(n <= in->n);
	struct str s = str_head(*in, n);
	*in = str_from(*in, n);
	return s;
}

static size_t number(struct str *in, size_t bytes)
{
	struct str s = take(in, bytes);
	size_t n = 0;
	for (size_t i = 0; i < bytes; i++)
		n = n << 8 | (unsigned char)s.p[i];
	return n;
}

/* --- FastCGI. --- */

static size_t pair_length(struct str *in)
{
	must(in->n > 0);
	return in->p[0] & 0x80 ? number(in, 4) & 0x7fffffff : number(in, 1);
}

static void stream(struct str *in, unsigned type, struct buf *out)
{
	for (size_t n = 1; n;) {
		must(number(in, 2) == (0x100 | type) && number(in, 2) == 1);
		n = number(in, 2);
		must(number(in, 2) == 0);
		buf_add(out, take(in, n));
	}
}

static void check_fastcgi(struct str head, const struct gateway *values)
{
	struct called t;
	struct seen seen = {};
	struct buf out = {}, params = {}, input = {};
	must(init(&t, &FASTCGI_CODEC, values, head) && !called_ask(&t, body_of(&t), 4, &out));
	struct str in = buf_str(&out);
	must(str_eq(take(&in, 16), STR("\1\1\0\1\0\10\0\0\0\1\1\0\0\0\0\0")));
	stream(&in, 4, &params);
	stream(&in, 5, &input);
	must(!in.n && str_eq(buf_str(&input), body_of(&t)));
	for (struct str pairs = buf_str(&params); pairs.n;) {
		size_t name_b = pair_length(&pairs), value_b = pair_length(&pairs);
		struct str name = take(&pairs, name_b);
		see(&seen, name, take(&pairs, value_b));
	}
	called_fini(&t);
	buf_fini(&out);
	buf_fini(&params);
	buf_fini(&input);
}

/* --- SCGI and uwsgi. --- */

static void check_scgi(struct str head, const struct gateway *values)
{
	struct called t;
	struct seen seen = {};
	struct buf out = {};
	uint64_t n;
	must(init(&t, &SCGI_CODEC, values, head));
	unsigned status = called_ask(&t, body_of(&t), 4, &out);
	must((status == 411) == (t.c.body_b == LENGTH_UNKNOWN));
	if (!status) {
		struct str in = buf_str(&out), digits = str_cut(&in, ':');
		must(!num_parse(digits, in.n, &n));
		struct str pairs = take(&in, (size_t)n);
		must(pairs.n && pairs.p[pairs.n - 1] == '\0');
		while (pairs.n) {
			struct str name = str_cut(&pairs, '\0');
			see(&seen, name, str_cut(&pairs, '\0'));
		}
		must(str_eq(seen.names[0], STR("CONTENT_LENGTH")));
		must(in.n && in.p[0] == ',' && str_eq(str_from(in, 1), body_of(&t)));
	}
	called_fini(&t);
	buf_fini(&out);
}

static size_t little(struct str *in)
{
	size_t n = number(in, 2);
	return n >> 8 | (n & 0xff) << 8;
}

static void check_uwsgi(struct str head, const struct gateway *values)
{
	struct called t;
	struct seen seen = {};
	struct buf out = {};
	must(init(&t, &UWSGI_CODEC, values, head));
	unsigned status = called_ask(&t, body_of(&t), 4, &out);
	must(status != 411 || t.c.body_b == LENGTH_UNKNOWN);
	if (!status) {
		struct str in = buf_str(&out);
		must(number(&in, 1) == 0);
		size_t n = little(&in);
		must(number(&in, 1) == 0);
		struct str pairs = take(&in, n);
		while (pairs.n) {
			struct str name = take(&pairs, little(&pairs));
			see(&seen, name, take(&pairs, little(&pairs)));
		}
		must(str_eq(in, body_of(&t)));
	}
	called_fini(&t);
	buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct called t;
	if (!size)
		return 0;
	struct str head = { (const char *)data + 1, size - 1 };
	struct proxy proxy = { .forwarded = data[0] & 3, .via = data[0] & 4 };
	struct gateway gateway = { .cgi = { .mounted = data[0] & 8, .split = STR(".php"), .index = STR("index.php") } };
	/* "*" is answered by petrel itself. */
	bool fine = called_init(&t, &PROXY_CODEC, &proxy, head) && !str_eq(t.r.ask.path, STR("*"));
	called_fini(&t);
	if (!fine)
		return 0;
	check_proxy(head, &proxy);
	check_fastcgi(head, &gateway);
	check_scgi(head, &gateway);
	check_uwsgi(head, &gateway);
	return 0;
}
