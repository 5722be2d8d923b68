/* Types of the words of pools and apps: servers, targets.  Functions without state; any thread. */
#include "base/num.h"
#include "http/backend_in.h"
#include "net/addr.h"

/* --- Servers. --- */

enum { HOST_MOST_B = 253, LABEL_MOST_B = 63 };

static bool is_label(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_alpha(s.p[i]) && !ascii_digit(s.p[i]) && s.p[i] != '-' && s.p[i] != '_')
			return false;
	return s.n && s.n <= LABEL_MOST_B && s.p[0] != '-' && s.p[s.n - 1] != '-';
}

/* RFC 1123, 2.1, and the underscores that names of services have.  A dot may stand at the end. */
static bool is_host(struct str s)
{
	if (str_ends(s, STR(".")))
		s.n--;
	struct str rest = s;
	while (rest.p)
		if (!is_label(str_cut(&rest, '.')))
			return false;
	return s.n && s.n <= HOST_MOST_B;
}

/* Nothing but digits and dots is an address, or was meant to be one. */
static bool is_numeric(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_digit(s.p[i]) && s.p[i] != '.')
			return false;
	return true;
}

static int named_parse(struct type_in *in, struct str text)
{
	size_t colon = str_rfind(text, ':');
	struct str host = str_head(text, colon);
	uint64_t port = 1;
	if (!is_host(host))
		return type_wrong(in, "neither an address nor a name of a host");
	if (colon < text.n && (num_parse(str_from(text, colon + 1), 65535, &port) || !port))
		return type_wrong(in, "the port has to be a number from 1 to 65535");
	return 0;
}

static int numeric_parse(struct type_in *in, struct str text)
{
	struct type_range none = {};
	struct addr a;
	struct network v4;
	struct str host = str_head(text, str_rfind(text, ':'));
	/* TYPE_ADDRESS would speak of names. */
	if (is_numeric(host) && TYPE_NETWORK.parse(in, host, &none, &v4))
		return type_wrong(in, "\"%.*s\" is no IPv4 address", STR_F(host));
	int err = TYPE_ADDRESS.parse(in, text, &none, &a);
	if (!err && a.any.sa_family != AF_UNIX && !addr_port(&a))
		return type_wrong(in, "the port has to be a number from 1 to 65535");
	return err;
}

/* A name without a port is right where it stands for SRV records, which the line's check knows. */
static int server_parse(struct type_in *in, struct str text, const struct type_range *range, void *out)
{
	(void)range;
	struct str host = str_head(text, str_rfind(text, ':'));
	bool bare = host.n == text.n;
	if (memmem(text.p, text.n, "://", 3))
		return type_wrong(in, "a server is an address and a port, without a scheme: 10.0.0.1:80");
	if (str_starts(text, STR("/")))
		return type_wrong(in, "a Unix socket is written unix:%.*s", STR_F(text));
	if (str_find(text, '/') < text.n && !str_starts(text, STR("unix:")))
		return type_wrong(in, "a server is an address and a port, without a path: 10.0.0.1:80");
	if (!host.n || str_eq(host, STR("*")) || (bare && is_numeric(text) && str_find(text, '.') == text.n))
		return type_wrong(in, "a port alone names no server; 127.0.0.1:80 does");
	bool numeric = is_numeric(host) || str_starts(text, STR("[")) || str_starts(text, STR("unix:")) ||
	               str_find(host, ':') < host.n;
	int err = numeric ? numeric_parse(in, text) : named_parse(in, text);
	if (!err)
		*(struct str *)out = arena_str(in->arena, text);
	return err;
}

static void word_print(struct buf *out, const struct type_range *range, const void *value)
{
	TYPE_WORD.print(out, range, value);
}

const struct type TYPE_SERVER = {
	"server", "an address such as 10.0.0.1:80, [2001:db8::1]:80 or unix:/run/x.sock, or a name such as app.internal:80",
	sizeof(struct str), server_parse, word_print,
};

/* --- Targets. --- */

/* As pools know it: two ways to write one address are one server. */
static struct str canonical(struct arena *arena, struct str text)
{
	struct type_in in = { .arena = arena };
	struct type_range none = {};
	struct addr a;
	struct buf out = {};
	if (TYPE_ADDRESS.parse(&in, text, &none, &a))
		return arena_str(arena, text);
	addr_print(&out, &a);
	struct str same = arena_str(arena, buf_str(&out));
	buf_fini(&out);
	return same;
}

/* What stands behind http://. */
static int authority(struct type_in *in, struct str *text)
{
	if (str_starts(*text, STR("unix:")))
		return 0;
	size_t slash = str_find(*text, '/');
	if (slash + 1 < text->n)
		return type_wrong(in, "no path can stand here: { path /base$path; } in its block says what a server is asked for");
	*text = str_head(*text, slash);
	bool v6 = str_starts(*text, STR("["));
	if (v6 ? str_ends(*text, STR("]")) : str_find(*text, ':') == text->n)
		*text = arena_strf(in->arena, "%.*s:80", STR_F(*text));
	return 0;
}

static int scheme_parse(struct type_in *in, struct str *text, bool *http)
{
	const char *mark = memmem(text->p, text->n, "://", 3);
	if (!mark)
		return 0;
	struct str scheme = str_make(text->p, (size_t)(mark - text->p));
	if (str_eq_nocase(scheme, STR("https")))
		return type_wrong(in, "petrel speaks HTTP without TLS to servers: http://");
	if (!str_eq_nocase(scheme, STR("http")))
		return type_wrong(in, "%.*s:// is not known here; write the address alone", STR_F(str_head(scheme, 40)));
	*http = true;
	*text = str_from(*text, scheme.n + 3);
	return authority(in, text);
}

static int target_parse(struct type_in *in, struct str text, const struct type_range *range, void *out)
{
	struct target *t = out;
	*t = (struct target){};
	int err = scheme_parse(in, &text, &t->http);
	if (err)
		return err;
	bool name = !t->http && str_find(text, ':') == text.n && !is_numeric(text) && str_find(text, '/') == text.n;
	if (name)
		return TYPE_WORD.parse(in, text, range, &t->text);
	err = server_parse(in, text, range, &t->text);
	if (!err && str_find(text, ':') == text.n)
		return type_wrong(in, "the port is missing: %.*s:80", STR_F(str_head(text, 80)));
	t->text = canonical(in->arena, text);
	return err;
}

static void target_print(struct buf *out, const struct type_range *range, const void *value)
{
	(void)range;
	const struct target *t = value;
	struct buf text = {};
	buf_addf(&text, "%s%.*s", t->http ? "http://" : "", STR_F(t->text));
	type_print_word(out, buf_str(&text));
	buf_fini(&text);
}

const struct type TYPE_TARGET = {
	"target",
	"the name of a pool or an app, or an address such as 127.0.0.1:9000, unix:/run/x.sock or http://127.0.0.1:3000",
	sizeof(struct target), target_parse, target_print,
};

/* --- Numbers. --- */

static int seconds_parse(struct type_in *in, struct str text, const struct type_range *range, void *out)
{
	uint64_t ms;
	int err = TYPE_DURATION.parse(in, text, range, &ms);
	if (!err && ms % 1000)
		return type_wrong(in, "not a whole number of seconds");
	*(uint64_t *)out = err ? 0 : ms / 1000;
	return err;
}

static void seconds_print(struct buf *out, const struct type_range *range, const void *value)
{
	uint64_t ms = *(const uint64_t *)value * 1000;
	TYPE_DURATION.print(out, range, &ms);
}

static int percent_parse(struct type_in *in, struct str text, const struct type_range *range, void *out)
{
	return TYPE_NUMBER.parse(in, str_ends(text, STR("%")) ? str_head(text, text.n - 1) : text, range, out);
}

static void percent_print(struct buf *out, const struct type_range *range, const void *value)
{
	TYPE_NUMBER.print(out, range, value);
	buf_add_char(out, '%');
}

static int keep_parse(struct type_in *in, struct str text, const struct type_range *range, void *out)
{
	uint64_t *n = out;
	*n = str_eq(text, STR("auto")) ? KEEP_AUTO : 0;
	if (*n || str_eq(text, STR("off")))
		return 0;
	return TYPE_NUMBER.parse(in, text, range, n);
}

static void keep_print(struct buf *out, const struct type_range *range, const void *value)
{
	const uint64_t *n = value;
	if (*n && *n != KEEP_AUTO)
		TYPE_NUMBER.print(out, range, n);
	else
		buf_add(out, *n ? STR("auto") : STR("off"));
}

const struct type TYPE_SECONDS = { "duration", "a duration such as 5s, 10m or 1h", sizeof(uint64_t), seconds_parse,
	                           seconds_print };
const struct type TYPE_PERCENT = { "percent", "a percentage such as 20%", sizeof(uint64_t), percent_parse,
	                           percent_print };
const struct type TYPE_KEEP = { "count", "a whole number, off or auto", sizeof(uint64_t), keep_parse, keep_print };
