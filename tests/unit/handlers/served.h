/* Requests against a configuration, without sockets: the real modules and steps, and a wire that only gathers what is
 * sent.  Included by tests, after cmocka. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/build.h"
#include "http/parse.h"
#include "http/req.h"
#include "main/modules.h"

struct served {
	struct home home;
	struct conf_use use;
	struct log *log;
	struct task task;
	struct req *r;           /* of the last request */
	struct buf text;         /* its answer: "200\nName: value\n…\nbody" */
	struct body upload;
	struct str upload_bytes; /* the next request's body, given byte by byte with waits between */
	bool upload_later;
	struct field kept[4];    /* the next request has these of an answer before */
	size_t kept_count;
	unsigned waits;
};

static inline void served_released(struct conf_use *use)
{
	(void)use;
}

static inline void served_nothing(struct task *t)
{
	(void)t;
}

static inline enum go served_send(struct req *r)
{
	struct served *s = container_of(r->home, struct served, home);
	struct chunk c;
	enum body_got got = BODY_END;
	buf_addf(&s->text, "%u\n", r->answer.status);
	for (size_t i = 0; i < r->answer.field_count; i++)
		buf_addf(&s->text, "%.*s: %.*s\n", STR_F(r->answer.fields[i].name), STR_F(r->answer.fields[i].value));
	buf_add_char(&s->text, '\n');
	r->first_ns = 1;
	if (r->answer.body)
		r->answer.body->reader = r->task;
	while (r->answer.body && r->ask.method != METHOD_HEAD &&
	       (got = body_read(r->answer.body, &c, UINT64_MAX)) == BODY_SOME) {
		buf_add(&s->text, c.bytes);
		r->sent_body_b += c.length_b;
	}
	return got == BODY_END ? GO_NEXT : GO_FAIL;
}

static inline enum body_got served_upload_read(struct body *b, struct chunk *out, uint64_t want_b)
{
	struct served *s = container_of(b, struct served, upload);
	s->upload_later = !s->upload_later;
	if (!s->upload_bytes.n)
		return BODY_END;
	if (s->upload_later)
		return BODY_LATER;
	struct str bytes = str_head(s->upload_bytes, want_b < 1000 ? (size_t)want_b : 1000);
	s->upload_bytes = str_from(s->upload_bytes, bytes.n);
	*out = chunk_of(bytes, !s->upload_bytes.n);
	return BODY_SOME;
}

static inline void served_upload_close(struct body *b)
{
	(void)b;
}

/* The configuration has to be right. */
static inline void served_open(struct served *s, const char *conf)
{
	struct sources sources = {};
	struct messages m = {};
	struct buf out = {};
	struct conf *c = NULL;
	*s = (struct served){};
	sources_from_text(&sources, STR("test.conf"), STR("/"), str_of(conf));
	int err = conf_build(&sources, MODULES, MODULE_COUNT, false, &m, &c);
	messages_print(&m, false, &out);
	if (err)
		fail_msg("%.*s", STR_F(buf_str(&out)));
	buf_fini(&out);
	messages_fini(&m);
	sources_fini(&sources);
	s->use = (struct conf_use){ .conf = c, .released = served_released };
	home_conf_set(&s->home, &s->use);
	link_init(&s->home.loop.tasks);
	s->home.meters = meters_new(1);
	s->home.next_id = 1;
}

static inline void served_forget(struct served *s)
{
	if (s->r) {
		arena_fini(&s->r->arena);
		mem_free(s->r);
	}
	s->r = NULL;
	buf_clear(&s->text);
}

/* What an answer was sent with; valid until the next one. */
static inline const char *served_ask(struct served *s, const char *head, const char *peer)
{
	static const struct wire WIRE = { served_send };
	static const struct body_ops UPLOAD = { .read = served_upload_read, .close = served_upload_close };
	struct parse_limits limits = { 1 << 16, 255 };
	struct type_in in = {};
	struct type_range range = {};
	struct network from;
	unsigned status;
	const char *why;
	served_forget(s);
	struct req *r = s->r = MEM_NEW(struct req);
	arena_init(&r->arena, r->first, sizeof r->first);
	assert_int_equal(TYPE_NETWORK.parse(&in, str_of(peer), &range, &from), 0);
	assert_int_equal(parse_ask(&r->arena, str_of(head), &limits, &r->ask, &status, &why), PARSE_DONE);
	s->upload = (struct body){ &UPLOAD, &s->task };
	task_init(&s->task, served_nothing);
	r->home = &s->home;
	r->wire = &WIRE;
	r->task = &s->task;
	r->peer = from.ip;
	r->upload = &s->upload;
	r->use = home_conf_get(&s->home);
	r->id = s->home.next_id++;
	r->kept_fields = s->kept;
	r->kept_field_count = s->kept_count;
	while (!req_run(r)) {
		assert_true(++s->waits < 1000);
		s->home.loop.now_ns++;
	}
	home_conf_put(r->use);
	buf_add_char(&s->text, '\0');
	s->text.n--;
	return s->text.p;
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define GET_WITH(path, fields) "GET " path " HTTP/1.1\r\nHost: a\r\n" fields "\r\n\r\n"

static inline const char *served_get(struct served *s, const char *head)
{
	return served_ask(s, head, "192.0.2.1");
}

static inline bool served_has(const struct served *s, const char *part)
{
	return memmem(s->text.p, s->text.n, part, strlen(part)) != NULL;
}

#define assert_has(s, part)                                                                                             \
	do {                                                                                                            \
		if (!served_has(s, part))                                                                               \
			fail_msg("no \"%s\" in:\n%s", part, (s)->text.p);                                               \
	} while (0)
#define assert_lacks(s, part)                                                                                           \
	do {                                                                                                            \
		if (served_has(s, part))                                                                                \
			fail_msg("\"%s\" in:\n%s", part, (s)->text.p);                                                  \
	} while (0)

static inline void served_close(struct served *s)
{
	served_forget(s);
	meters_free(s->home.meters);
	home_conf_set(&s->home, NULL);
	conf_free(s->use.conf);
	buf_fini(&s->text);
	buf_fini(&s->home.head);
	buf_fini(&s->home.line);
}
