/* The status page's sections, of samples made by hand: well-formed whatever is in them, one line each, and numbers as a
 * person reads them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "config/build.h"
#include "control/apps.h"
#include "control/keeper.h"
#include "control/page_in.h"
#include "http/core.h"

/* --- A server in little. --- */

static struct loop loop;
static struct epoch *epoch;
static struct pools *pools;
static struct log *logs;
static struct conf *conf;
static struct meters *meters;
static struct control control;

static const char CONF[] =
	"pool api { server 10.0.0.1:9000 weight 2 connections 5; server unix:/run/api.sock backup; }\n"
	"app php { command php-cgi; }\n";

static int setup(void **state)
{
	static const struct module *const MODULES[] = { &CORE, &BACKENDS };
	struct sources s = {};
	struct messages m = {};
	(void)state;
	sources_from_text(&s, STR("t"), STR("/"), str_of(CONF));
	if (conf_build(&s, MODULES, countof(MODULES), false, &m, &conf) || loop_init(&loop, 0) || log_new(&logs, 1 << 16))
		return -1;
	sources_fini(&s);
	messages_fini(&m);
	epoch = epoch_new();
	pools = pools_new(epoch, 1);
	meters = meters_new(1);
	BACKENDS.open(conf->values[1], &(struct commons){ .pools = pools, .meters = meters });
	control.apps = apps_new(&loop, log_ring_new(logs), pools, epoch);
	control.keeper = keeper_new(&loop, pools, log_ring_new(logs), STR("127.0.0.1:1"));
	apps_conf(control.apps, conf);
	keeper_adopt(control.keeper, conf, true);
	control.conf = conf;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	keeper_free(control.keeper);
	apps_free(control.apps);
	BACKENDS.close(conf->values[1], &(struct commons){ .pools = pools, .meters = meters });
	pools_free(pools);
	epoch_free(epoch);
	meters_free(meters);
	log_free(logs);
	conf_free(conf);
	loop_fini(&loop);
	changes_fini(&control.changes);
	return 0;
}

/* --- Samples. --- */

#define HOSTILE "<script>alert('1')</script>&\"\n\r\x1b[31m\x7f"

static struct meter_sum route(const char *site, const char *name, uint64_t requests)
{
	struct meter_sum m = { .kind = METER_ROUTE, .site = str_of(site), .name = str_of(name), .requests = requests };
	m.by_class[2] = requests;
	m.by_class[5] = requests / 10;
	m.time.count = m.time.bucket[20] = requests;
	return m;
}

struct made {
	struct sample now, before;
	struct loop_sample loops[2], loops_before[2];
	struct meter_sum meters[60], meters_before[1];
	struct cache_sample caches[2], caches_before[1];
	struct point points[POINTS];
};

/* A minute of traffic; everything that has a name has a bad one. */
static struct view make(struct made *m, const char *name, unsigned routes, unsigned points)
{
	*m = (struct made){};
	m->meters[0] = route("", "", 5);
	for (unsigned i = 1; i <= routes; i++)
		m->meters[i] = route(name, name, 600 * i);
	m->meters_before[0] = route("", "", 1);
	m->now = (struct sample){ .at_ms = 70000, .wall_ms = 1000000, .started_ms = 100, .generation = 3, .snapshots = 2,
		                  .loops = m->loops, .loop_count = 2, .meters = m->meters, .meter_count = routes + 1 };
	m->before = (struct sample){ .at_ms = 10000, .loops = m->loops_before, .loop_count = 1, .meters = m->meters_before,
		                     .meter_count = 1 };
	m->now.caches = m->caches;
	m->now.cache_count = name[0] ? countof(m->caches) : 0;
	m->before.caches = m->caches_before;
	m->before.cache_count = m->now.cache_count ? countof(m->caches_before) : 0;
	for (unsigned i = 0; i < countof(m->caches); i++) {
		snprintf(m->caches[i].name, sizeof m->caches[i].name, "%u%s", i, name);
		m->caches[i].got[CACHED_HIT] = m->caches[i].memory.bytes = 70;
		m->caches[i].got[CACHED_MISS] = m->caches[i].disk.bytes = 30;
		m->caches[i].memory.bound_b = m->caches[i].disk.bound_b = 100;
		m->caches[i].has_disk = m->caches[i].disk.off = m->caches[i].has_memcached = i;
	}
	m->caches_before[0] = m->caches[0];
	m->loops[1].busy_ns = 30000000000;
	for (unsigned i = 0; i < points; i++)
		m->points[i] = (struct point){ .requests_ps = 10, .by_class_ps = { [2] = 9.5f, [5] = 0.5f }, .p50_ms = 1,
			                       .p99_ms = i % 3 ? 20 : 0, .out_bps = 3e6f, .busy = 0.5f };
	return (struct view){ .control = &control, .now = &m->now, .minute = &m->before, .points = m->points,
		              .point_count = points, .buttons = true };
}

/* --- What HTML is. --- */

/* Elements that have no end. */
static bool is_void(struct str name)
{
	return str_eq(name, STR("input")) || str_eq(name, STR("path")) || str_eq(name, STR("rect"));
}

/* The name after '<' or "</". */
static struct str name_at(struct str html)
{
	size_t n = 0;
	while (n < html.n && (ascii_alpha(html.p[n]) || ascii_digit(html.p[n])))
		n++;
	return str_head(html, n);
}

/* Each element is closed by its own end, in order; nothing is in it that would break a line. */
static void assert_well_formed(struct str html)
{
	struct str open[64];
	size_t depth = 0;
	for (size_t i = 0; i < html.n; i++) {
		assert_true((unsigned char)html.p[i] >= ' ' && html.p[i] != 0x7f);
		if (html.p[i] != '<')
			continue;
		bool end = i + 1 < html.n && html.p[i + 1] == '/';
		struct str name = name_at(str_from(html, i + 1 + end));
		assert_false(str_eq(name, STR("script")));
		if (end)
			assert_true(depth > 0 && str_eq(open[--depth], name));
		else if (!is_void(name))
			open[depth++] = name;
		assert_true(name.n > 0 && depth < 64);
	}
	assert_int_equal(depth, 0);
}

static void print_all(const struct view *v, struct buf *out)
{
	for (size_t i = 0; PARTS[i].id; i++) {
		struct buf html = {};
		PARTS[i].print(&html, v);
		assert_well_formed(buf_str(&html));
		buf_add(out, buf_str(&html));
		buf_add_char(out, '\n');
		buf_fini(&html);
	}
	buf_add_char(out, '\0');
}

/* --- Tests. --- */

static void holds(const struct buf *html, const char *text)
{
	if (!strstr(html->p, text))
		fail_msg("no %s in %s", text, html->p);
}

static void sections(void **state)
{
	(void)state;
	struct made *m = MEM_NEW(struct made);
	struct view v = make(m, "/api/*", 3, POINTS);
	struct buf html = {};
	changes_add(&control.changes, 36000000, &(struct caller){ .pid = 1, .uid = 7 }, STR("pool api: x drains"));
	print_all(&v, &html);
	holds(&html, "<bdi>/api/*</bdi> <small><bdi>/api/*</bdi></small></td><td class=\"n\">30</td>");
	holds(&html, "configuration 3, 1 older in use");
	holds(&html, "<bdi>10.0.0.1:9000</bdi></td><td><span class=\"badge good\">ready</span>");
	holds(&html, "<button name=\"do\" value=\"drain\">");
	holds(&html, "<input type=\"hidden\" name=\"server\" value=\"unix:/run/api.sock\">");
	holds(&html, "<h3><bdi>php</bdi></h3>");
	holds(&html, "<time>10:00:00 UTC</time> <bdi>pool api: x drains</bdi> <small>by user 7</small>");
	holds(&html, "50 %</td>");
	buf_fini(&html);
	v.buttons = false;
	print_all(&v, &html);
	assert_null(strstr(html.p, "<button"));
	buf_fini(&html);
	mem_free(m);
}

static void hostile_names(void **state)
{
	(void)state;
	struct made *m = MEM_NEW(struct made);
	struct view v = make(m, HOSTILE, 3, 10);
	struct buf html = {};
	changes_add(&control.changes, 0, &(struct caller){}, STR(HOSTILE));
	print_all(&v, &html);
	holds(&html, "<bdi>&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;&quot;\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd[31m");
	buf_fini(&html);
	html_value(&html, STR(HOSTILE));
	assert_well_formed(buf_str(&html));
	assert_true(str_ends(buf_str(&html), STR("&quot;&#10;&#13;&#27;[31m&#127;")));
	buf_fini(&html);
	mem_free(m);
}

/* Of a server that has just begun, and of one with more than anybody wants to see. */
static void little_and_much(void **state)
{
	(void)state;
	struct made *m = MEM_NEW(struct made);
	struct control empty = {};
	struct buf html = {};
	struct view v = { .control = &empty, .now = &m->now, .minute = &m->now };
	print_all(&v, &html);
	holds(&html, "No request has come yet.");
	assert_null(strstr(html.p, "Pools"));
	buf_fini(&html);
	v = make(m, "/many", 59, 1);
	m->points[0] = (struct point){ .p50_ms = NAN, .p99_ms = INFINITY, .out_bps = -1, .busy = 7 };
	print_all(&v, &html);
	holds(&html, "and 30 more that are asked for less");
	assert_null(strstr(html.p, "nan"));
	assert_null(strstr(html.p, "inf "));
	buf_fini(&html);
	mem_free(m);
}

static void numbers(void **state)
{
	(void)state;
	static const struct {
		void (*add)(struct buf *out, double n);
		double n;
		const char *text;
	} ROWS[] = {
		{ add_count, 0, "0" },           { add_count, 0.031, "0.03" },   { add_count, 7.26, "7.3" },
		{ add_count, 12.4, "12" },       { add_count, 99000, "99000" },  { add_count, 152300, "152 k" },
		{ add_count, 12345678, "12 M" }, { add_count, 2e10, "20 G" },    { add_size, 0, "0 B" },
		{ add_size, 1023, "1023 B" },    { add_size, 1536, "1.5 KB" },   { add_size, 1048575, "1.0 MB" },
		{ add_size, 0x1p41, "2 TB" },    { add_time, 0, "–" },           { add_time, 0.008, "8 µs" },
		{ add_time, 0.2664, "266 µs" },  { add_time, 1.49, "1.5 ms" },   { add_time, 57.3, "57 ms" },
		{ add_time, 4180, "4.2 s" },     { add_time, 90000, "1.5 min" }, { add_percent, 0.0012, "0.1 %" },
		{ add_percent, 0.5, "50 %" },    { add_percent, 0, "0 %" },
	};
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct buf out = {};
		ROWS[i].add(&out, ROWS[i].n);
		if (!str_eq(buf_str(&out), str_of(ROWS[i].text)))
			fail_msg("row %zu: %.*s", i, STR_F(buf_str(&out)));
		buf_fini(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sections),
		cmocka_unit_test(hostile_names),
		cmocka_unit_test(little_and_much),
		cmocka_unit_test(numbers),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
