/* What `petrel top` draws, whatever a server says: within the screen, and nothing that a terminal would obey. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <limits.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "main/top.h"

#define HOSTILE "\\u001b[31m\\u009b31m\\u0007\\n\\r\\u0000 <b>"

static const char *const ANSWERS[][TOP_ASKED] = {
	{ "{}", "{}", "{}", "{}" },
	{ "[]", "[]", "[]", "[]" },
	{ "{\"routes\":5,\"loops\":{},\"now\":[]}", "{\"pools\":{\"a\":1}}", "{\"apps\":[1,\"x\",null]}",
	  "{\"alerts\":\"x\"}" },
	{ "{\"version\":7,\"routes\":[{},[],{\"site\":1,\"route\":null,\"requests_ps\":\"x\",\"p50_ms\":-5}]}",
	  "{\"pools\":[{\"servers\":[{},{\"states\":{}},{\"states\":[1]},{\"server\":\"a\",\"states\":[\"sick\"]}]}]}",
	  "{\"apps\":[{\"processes\":[{\"pid\":-4},{\"memory\":1e300,\"age_ms\":1e18}]}]}",
	  "{\"alerts\":[{\"series\":[{\"state\":\"firing\"},{\"state\":\"firing\",\"app\":\"x\"}]}]}" },
	{ "{\"version\":\"" HOSTILE "\",\"routes\":[{\"site\":\"" HOSTILE "\",\"route\":\"" HOSTILE "\"}],"
	  "\"disk\":{\"engine\":\"" HOSTILE "\"}}",
	  "{\"pools\":[{\"name\":\"" HOSTILE "\",\"servers\":[{\"server\":\"" HOSTILE "\",\"states\":[\"" HOSTILE "\"],"
	  "\"why\":\"" HOSTILE "\"}]}]}",
	  "{\"apps\":[{\"processes\":[{\"id\":\"" HOSTILE "\",\"state\":\"" HOSTILE "\",\"due\":\"" HOSTILE "\"}]}]}",
	  "{\"alerts\":[{\"name\":\"" HOSTILE "\",\"text\":\"" HOSTILE "\",\"series\":[{\"state\":\"firing\",\"value_text\":\""
	  HOSTILE "\",\"app\":\"" HOSTILE "\"}]}]}" },
};

static const struct {
	unsigned width, height;
} SIZES[] = { { 80, 24 }, { 200, 60 }, { 20, 4 }, { 1, 1 }, { 120, 0 } };

static size_t width_of(struct str line)
{
	size_t width = 0;
	for (size_t i = 0; i < line.n; i++)
		width += ((unsigned char)line.p[i] & 0xc0) != 0x80;
	return width;
}

static void assert_plain(struct str text)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i], next = i + 1 < text.n ? (unsigned char)text.p[i + 1] : 0;
		assert_true((c >= ' ' || c == '\n') && c != 0x7f && !(c == 0xc2 && next < 0xa0));
	}
}

static void draw(struct top *t, unsigned width, unsigned height)
{
	struct buf out = {};
	unsigned lines = 0;
	t->width = width;
	t->height = height;
	top_draw(t, &out);
	assert_plain(buf_str(&out));
	for (struct str rest = buf_str(&out); rest.n; lines++)
		assert_true(width_of(str_cut(&rest, '\n')) <= width);
	assert_true(!height || lines <= height);
	buf_fini(&out);
}

static void load(struct top_round *r, const char *const answers[TOP_ASKED], uint64_t at_ms)
{
	r->at_ms = at_ms;
	for (size_t i = 0; i < TOP_ASKED; i++) {
		r->answer[i] = json_loads(answers[i], JSON_ALLOW_NUL, NULL);
		assert_non_null(r->answer[i]);
	}
}

static void draw_all(struct top *t)
{
	for (unsigned view = 0; view < TOP_VIEWS; view++) {
		for (unsigned column = 0; column < TOP_CELLS && TOP_TABLES[view].columns[column].title; column++) {
			t->view = view;
			t->sort[view] = column ? column : UINT_MAX;
			t->scroll = 1000;
			for (size_t i = 0; i < countof(SIZES); i++)
				draw(t, SIZES[i].width, SIZES[i].height);
		}
	}
}

static void whatever_is_said(void **state)
{
	(void)state;
	struct top t = { .where = "unix:/x" };
	for (unsigned i = 0; i < TOP_VIEWS; i++)
		t.sort[i] = UINT_MAX;
	draw(&t, 80, 24);
	for (size_t i = 0; i < countof(ANSWERS); i++) {
		load(&t.now, ANSWERS[i], 2000);
		draw_all(&t);
		load(&t.before, ANSWERS[(i + 1) % countof(ANSWERS)], 1000);
		draw_all(&t);
		draw(&t, 80, 24);
		top_round_fini(&t.now);
		top_round_fini(&t.before);
	}
}

/* Rates are differences; what a restart set back is none. */
static void rates(void **state)
{
	(void)state;
	static const char *const BEFORE[TOP_ASKED] = {
		"{}", "{\"pools\":[{\"name\":\"a\",\"servers\":[{\"server\":\"x\",\"requests\":100},"
		      "{\"server\":\"y\",\"requests\":9}]}]}", "{}", "{}" };
	static const char *const NOW[TOP_ASKED] = {
		"{}", "{\"pools\":[{\"name\":\"a\",\"servers\":[{\"server\":\"x\",\"requests\":150},"
		      "{\"server\":\"y\",\"requests\":3},{\"server\":\"z\",\"requests\":3}]}]}", "{}", "{}" };
	struct top t = { .view = TOP_SERVERS };
	struct top_rows rows = {};
	load(&t.before, BEFORE, 1000);
	load(&t.now, NOW, 3000);
	arena_init(&rows.arena, NULL, 0);
	TOP_TABLES[TOP_SERVERS].collect(&t, &rows);
	assert_int_equal(rows.count, 3);
	assert_true(str_eq(rows.p[0].cell[5], STR("25")));
	assert_true(str_eq(rows.p[1].cell[5], STR("-")));
	assert_true(str_eq(rows.p[2].cell[5], STR("-")));
	top_rows_fini(&rows);
	top_round_fini(&t.now);
	top_round_fini(&t.before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_is_said),
		cmocka_unit_test(rates),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
