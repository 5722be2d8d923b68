/* Rows of answers and what a codec has to make of them, however they are cut.  Included by tests, after cmocka. */
#pragma once

#include "called.h"

struct heard_row {
	const char *method;
	const char *answer;
	const char *told;      /* "200 length=5 keep\nName: value\n\nbody"; what was told before it turned out bad */
	const char *why;       /* NULL: HEARD_END; else a part of the sentence */
};

static inline void heard_once(struct called *t, const struct heard_row *row, struct str answer, size_t first, size_t piece)
{
	called_hear(t, answer, first, piece);
	struct str told = buf_str(&t->told), want = str_of(row->told ? row->told : "");
	if (row->why && (t->heard != HEARD_BAD || !strstr(t->c.why, row->why)))
		fail_msg("%s\nby %zu, %zu: %s, not \"%s\"", row->answer, first, piece,
		         t->heard == HEARD_BAD ? t->c.why : "fine", row->why);
	if (!row->why && t->heard != HEARD_END)
		fail_msg("%s\nby %zu, %zu: %s", row->answer, first, piece, t->c.why);
	if (!str_eq(told, want))
		fail_msg("%s\nby %zu, %zu gave\n%.*s\nnot\n%s", row->answer, first, piece, STR_F(told), want.p);
}

/* In one piece, byte by byte, and cut in two at every byte; to a client that sent these fields. */
static inline void heard_row_to(const struct codec *codec, const void *values, const struct heard_row *row,
                                struct str answer, const char *fields)
{
	struct called t;
	struct buf head = {};
	buf_addf(&head, "%s / HTTP/1.1\r\nHost: example.org\r\n%s\r\n", row->method, fields);
	assert_true(called_init(&t, codec, values, buf_str(&head)));
	heard_once(&t, row, answer, 0, answer.n ? answer.n : 1);
	heard_once(&t, row, answer, 0, 1);
	for (size_t cut = 1; cut < answer.n; cut++)
		heard_once(&t, row, answer, cut, answer.n);
	called_fini(&t);
	buf_fini(&head);
}

static inline void heard_row(const struct codec *codec, const void *values, const struct heard_row *row, struct str answer)
{
	heard_row_to(codec, values, row, answer, "");
}
