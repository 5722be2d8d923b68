/* A route's proxy handler as the configuration makes it, for tests of its parts.  Included by tests, after cmocka. */
#pragma once

#include "called.h"
#include "config/build.h"
#include "handlers/proxy.h"
#include "main/modules.h"

struct proxied {
	struct conf *conf;
	struct called t;
};

/* inner: what stands in the handler's block, for a server at 10.0.0.1:9000; head: of the request. */
static inline void proxied_init(struct proxied *p, const char *inner, const char *head)
{
	struct sources s = {};
	struct messages m = {};
	struct buf text = {}, out = {};
	buf_addf(&text, "site * { root /srv/www; route /app/* { proxy http://10.0.0.1:9000 { %s } } }\n", inner);
	sources_from_text(&s, STR("t"), STR("/"), buf_str(&text));
	int err = conf_build(&s, MODULES, MODULE_COUNT, false, &m, &p->conf);
	messages_print(&m, false, &out);
	if (err)
		fail_msg("%.*s", STR_F(buf_str(&out)));
	buf_fini(&text);
	buf_fini(&out);
	messages_fini(&m);
	sources_fini(&s);
	const struct route *route = &p->conf->sites[0].routes[0];
	assert_true(called_init(&p->t, &PROXY_CODEC, route->handler.values, str_of(head)));
	assert_true(pattern_match(&route->pattern, p->t.r.ask.path, &p->t.r.captures));
	called_attempt(&p->t);
}

static inline void proxied_fini(struct proxied *p)
{
	called_fini(&p->t);
	conf_free(p->conf);
}
