/* Request ids and trace contexts: which of the client's are believed, what goes on, and what is made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "asked.h"
#include "config/build.h"
#include "http/ids.h"

#define OWN "1234567890abcdef"
#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00-" TRACE "-00f067aa0ba902b7-01"
#define LONG64 "0123456789012345678901234567890123456789012345678901234567890123"

static const struct {
	const char *conf, *fields;
	const char *id, *trace;   /* "*": made */
	const char *on;           /* what goes on, of the client's fields and petrel's own */
} ROWS[] = {
	{ "", "", OWN, "", "X-Request-Id: " OWN "\n" },
	{ "", "X-Request-ID: a.b_c=d+e/f-9\nA: 1", "a.b_c=d+e/f-9", "", "X-Request-ID: a.b_c=d+e/f-9\nA: 1\n" },
	{ "", "x-request-id: " LONG64, LONG64, "", "x-request-id: " LONG64 "\n" },
	/* Malformed ones are replaced. */
	{ "", "X-Request-Id: " LONG64 "4", OWN, "", "X-Request-Id: " OWN "\n" },
	{ "", "X-Request-Id:", OWN, "", "X-Request-Id: " OWN "\n" },
	{ "", "X-Request-Id: a b", OWN, "", "X-Request-Id: " OWN "\n" },
	{ "", "X-Request-Id: <script>", OWN, "", "X-Request-Id: " OWN "\n" },
	{ "", "X-Request-Id: a\x1b[2J", OWN, "", "X-Request-Id: " OWN "\n" },
	{ "", "X-Request-Id: a\nX-Request-Id: b", OWN, "", "X-Request-Id: " OWN "\n" },
	{ "", "X-Request-Id: a\nX_Request_Id: b", OWN, "", "X-Request-Id: " OWN "\n" },
	{ "", "X_Request_Id: b", OWN, "", "X-Request-Id: " OWN "\n" },
	{ "", "Y-Request-Id: b", OWN, "", "Y-Request-Id: b\nX-Request-Id: " OWN "\n" },
	{ "request_id make;", "X-Request-Id: a", OWN, "", "X-Request-Id: " OWN "\n" },
	{ "request_id off;", "X-Request-Id: a b\nX_Request_Id: c", "", "", "X-Request-Id: a b\nX_Request_Id: c\n" },
	/* Trace Context. */
	{ "request_id off;", "traceparent: " PARENT "\ntracestate: a=1\nTraceState: b=2", "", TRACE,
	  "traceparent: " PARENT "\ntracestate: a=1\nTraceState: b=2\n" },
	{ "request_id off;", "traceparent: cc-" TRACE "-00f067aa0ba902b7-01-more", "", TRACE,
	  "traceparent: cc-" TRACE "-00f067aa0ba902b7-01-more\n" },
	{ "request_id off;", "tracestate: a=1", "", "", "" },
	{ "request_id off;", "traceparent: " PARENT "-more\ntracestate: a=1", "", "", "" },
	{ "request_id off;", "traceparent: cc-" TRACE "-00f067aa0ba902b7-01more", "", "", "" },
	{ "request_id off;", "traceparent: ff-" TRACE "-00f067aa0ba902b7-01", "", "", "" },
	{ "request_id off;", "traceparent: 00-" TRACE "-0000000000000000-01", "", "", "" },
	{ "request_id off;", "traceparent: 00-00000000000000000000000000000000-00f067aa0ba902b7-01", "", "", "" },
	{ "request_id off;", "traceparent: 00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", "", "", "" },
	{ "request_id off;", "traceparent: 00-" TRACE "-00f067aa0ba902b7_01", "", "", "" },
	{ "request_id off;", "traceparent: 00-", "", "", "" },
	{ "request_id off;", "traceparent: " PARENT "\ntraceparent: " PARENT, "", "", "" },
	{ "request_id off; traceparent make;", "traceparent: " PARENT, "", TRACE, "traceparent: " PARENT "\n" },
	{ "request_id off; traceparent make;", "traceparent: x\ntracestate: a=1", "", "*", "traceparent: 00-*-" OWN "-01\n" },
	{ "request_id off; traceparent off;", "traceparent: x\ntracestate: a=1", "", "", "traceparent: x\ntracestate: a=1\n" },
};

static struct conf *build(const char *text)
{
	static const struct module *const MODULES[] = { &IDS };
	struct sources s = {};
	struct messages m = {};
	struct conf *conf = NULL;
	sources_from_text(&s, STR("t"), STR("/"), str_of(text));
	assert_int_equal(conf_build(&s, MODULES, 1, false, &m, &conf), 0);
	messages_fini(&m);
	sources_fini(&s);
	return conf;
}

/* Each row's '*' stands for the trace's id, whatever it is. */
static void add_line(struct buf *out, const struct field *f, struct str trace, bool made)
{
	struct str value = f->value;
	buf_addf(out, "%.*s: ", STR_F(f->name));
	const char *at = made && value.n ? memmem(value.p, value.n, trace.p, trace.n) : NULL;
	if (at)
		buf_addf(out, "%.*s*%.*s", (int)(at - value.p), value.p, (int)(value.p + value.n - at - (ptrdiff_t)trace.n),
		         at + trace.n);
	else
		buf_add(out, value);
	buf_add_char(out, '\n');
}

static void rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct asked a;
		struct buf on = {};
		struct req *r = asked_init(&a, METHOD_GET, ROWS[i].fields);
		bool made = ROWS[i].trace[0] == '*';
		a.use.conf = build(ROWS[i].conf);
		const struct ids *ids = req_ids(r);
		assert_ptr_equal(req_ids(r), ids);
		for (size_t k = 0; k < r->ask.field_count; k++)
			if (ids_pass(ids, r->ask.fields[k].name))
				add_line(&on, &r->ask.fields[k], ids->trace_id, made);
		for (unsigned k = 0; k < ids->own_count; k++)
			add_line(&on, &ids->own[k], ids->trace_id, made);
		bool fine = str_eq(ids->request_id, str_of(ROWS[i].id)) && str_eq(buf_str(&on), str_of(ROWS[i].on)) &&
		            (made ? ids->trace_id.n == 32 : str_eq(ids->trace_id, str_of(ROWS[i].trace)));
		if (!fine)
			fail_msg("row %zu: %.*s|%.*s|\n%.*s", i, STR_F(ids->request_id), STR_F(ids->trace_id), STR_F(buf_str(&on)));
		assert_true(req_name(r).n > 0);
		buf_fini(&on);
		conf_free(a.use.conf);
		asked_fini(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(rows) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
