/* Structured fields: rows in the manner of RFC 9651's examples, and what a strict reader refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "http/sf.h"

static void print_params(struct buf *out, struct str params);

/* As plain as it can be told apart: i5, d1500, s[text], t[text], b[bytes], ?1, @5, %[text], and (…) for inner lists. */
static void print(struct buf *out, const struct sf *s)
{
	static const char MARKS[] = { [SF_STRING] = 's', [SF_TOKEN] = 't', [SF_BYTES] = 'b', [SF_DISPLAY] = '%' };
	char text[256];
	switch (s->kind) {
	case SF_INTEGER: buf_addf(out, "i%lld", (long long)s->number); break;
	case SF_DECIMAL: buf_addf(out, "d%lld", (long long)s->number); break;
	case SF_BOOLEAN: buf_addf(out, "?%lld", (long long)s->number); break;
	case SF_DATE: buf_addf(out, "@%lld", (long long)s->number); break;
	case SF_INNER: {
		struct str rest = s->text;
		struct sf item;
		buf_add(out, STR("("));
		while (sf_inner_next(&rest, &item) > 0) {
			print(out, &item);
			buf_add(out, STR(" "));
		}
		buf_add(out, STR(")"));
		break;
	}
	default: {
		size_t n = sf_text(s, text);
		assert_true(n <= s->text.n);
		buf_addf(out, "%c[%.*s]", MARKS[s->kind], (int)n, text);
	}
	}
	print_params(out, s->params);
}

static void print_params(struct buf *out, struct str params)
{
	struct str key;
	struct sf value;
	while (sf_param_next(&params, &key, &value) > 0) {
		buf_addf(out, ";%.*s=", STR_F(key));
		print(out, &value);
	}
}

enum form { ITEM, LIST, DICT };

static const struct {
	enum form form;
	const char *in, *out;   /* NULL: refused */
} ROWS[] = {
	/* Numbers. */
	{ ITEM, "42", "i42" },
	{ ITEM, "-0", "i0" },
	{ ITEM, "007", "i7" },
	{ ITEM, " 42  ", "i42" },
	{ ITEM, "999999999999999", "i999999999999999" },
	{ ITEM, "-999999999999999", "i-999999999999999" },
	{ ITEM, "1000000000000000", NULL },
	{ ITEM, "0000000000000001", NULL },
	{ ITEM, "4.5", "d4500" },
	{ ITEM, "-1.234", "d-1234" },
	{ ITEM, "123456789012.1", "d123456789012100" },
	{ ITEM, "1234567890123.1", NULL },
	{ ITEM, "1.2345", NULL },
	{ ITEM, "1.", NULL },
	{ ITEM, ".1", NULL },
	{ ITEM, "-", NULL },
	{ ITEM, "--1", NULL },
	{ ITEM, "+1", NULL },
	{ ITEM, "1 2", NULL },
	{ ITEM, "1,2", NULL },
	{ ITEM, "", NULL },
	{ ITEM, "\t1", NULL },
	/* Strings. */
	{ ITEM, "\"hello world\"", "s[hello world]" },
	{ ITEM, "\"\"", "s[]" },
	{ ITEM, "\"a\\\"b\\\\c\"", "s[a\"b\\c]" },
	{ ITEM, "\"a\\b\"", NULL },
	{ ITEM, "\"a\\", NULL },
	{ ITEM, "\"a", NULL },
	{ ITEM, "\"a\tb\"", NULL },
	{ ITEM, "\"\xc3\xbc\"", NULL },
	{ ITEM, "'a'", NULL },
	/* Tokens. */
	{ ITEM, "foo123/456", "t[foo123/456]" },
	{ ITEM, "*a:b!", "t[*a:b!]" },
	{ ITEM, "A", "t[A]" },
	{ ITEM, "a(", NULL },
	{ ITEM, "_a", NULL },
	/* Bytes. */
	{ ITEM, ":aGVsbG8=:", "b[hello]" },
	{ ITEM, ":aGVsbG8:", "b[hello]" },
	{ ITEM, "::", "b[]" },
	{ ITEM, ":aGVsbG9v:", "b[helloo]" },
	{ ITEM, ":aGVsbG8=", NULL },
	{ ITEM, ":aGV sbG8=:", NULL },
	{ ITEM, ":aGVsb=G8:", NULL },
	{ ITEM, ":a:", NULL },
	{ ITEM, ":aGVsbG8==:", NULL },
	{ ITEM, ":_-==:", NULL },
	{ ITEM, ":====:", NULL },
	/* Booleans and dates. */
	{ ITEM, "?1", "?1" },
	{ ITEM, "?0", "?0" },
	{ ITEM, "?2", NULL },
	{ ITEM, "?", NULL },
	{ ITEM, "?10", NULL },
	{ ITEM, "@1659578233", "@1659578233" },
	{ ITEM, "@-1", "@-1" },
	{ ITEM, "@1.0", NULL },
	{ ITEM, "@", NULL },
	/* Display strings. */
	{ ITEM, "%\"f%c3%bc%c3%bc\"", "%[f\xc3\xbc\xc3\xbc]" },
	{ ITEM, "%\"plain\"", "%[plain]" },
	{ ITEM, "%\"%f0%9f%98%80!\"", "%[\xf0\x9f\x98\x80!]" },
	{ ITEM, "%\"%C3%BC\"", NULL },
	{ ITEM, "%\"%c3\"", NULL },
	{ ITEM, "%\"%c3x\"", NULL },
	{ ITEM, "%\"%ff\"", NULL },
	{ ITEM, "%\"%\"", NULL },
	{ ITEM, "%\"%a\"", NULL },
	{ ITEM, "%\"a", NULL },
	{ ITEM, "%a", NULL },
	{ ITEM, "%", NULL },
	/* Parameters. */
	{ ITEM, "a;b;c=1;d=?0", "t[a];b=?1;c=i1;d=?0" },
	{ ITEM, "a; b=\"x;y\"", "t[a];b=s[x;y]" },
	{ ITEM, "a ;b", NULL },
	{ ITEM, "a;B", NULL },
	{ ITEM, "a;", NULL },
	{ ITEM, "a;b=", NULL },
	{ ITEM, "a;b=(1)", NULL },
	{ ITEM, "a;*=1;a_-.*9=2", "t[a];*=i1;a_-.*9=i2" },
	{ ITEM, "(1 2)", NULL },
	/* Lists. */
	{ LIST, "", "" },
	{ LIST, "sugar, tea, rum", "t[sugar],t[tea],t[rum]," },
	{ LIST, "a\t,\t b", "t[a],t[b]," },
	{ LIST, "(\"foo\" \"bar\"), (\"baz\"), (\"bat\" \"one\"), ()", "(s[foo] s[bar] ),(s[baz] ),(s[bat] s[one] ),()," },
	{ LIST, "(  1   2;x  );y", "(i1 i2;x=?1 );y=?1," },
	{ LIST, "a,", NULL },
	{ LIST, ",a", NULL },
	{ LIST, "a,,b", NULL },
	{ LIST, "a b", NULL },
	{ LIST, "(a", NULL },
	{ LIST, "(a,b)", NULL },
	{ LIST, "(a\tb)", NULL },
	{ LIST, "(\"a\"b)", NULL },
	{ LIST, "((a))", NULL },
	{ LIST, "a)", NULL },
	/* Dictionaries. */
	{ DICT, "", "" },
	{ DICT, "en=\"Applepie\", da=:w4ZibGV0w6ZydGU=:", "en=s[Applepie],da=b[\xc3\x86" "blet\xc3\xa6rte]," },
	{ DICT, "a=?0, b, c; foo=bar", "a=?0,b=?1,c=?1;foo=t[bar]," },
	{ DICT, "rating=1.5, feelings=(joy sadness)", "rating=d1500,feelings=(t[joy] t[sadness] )," },
	{ DICT, "a=1,a=2", "a=i1,a=i2," },
	{ DICT, "a = 1", NULL },
	{ DICT, "a=", NULL },
	{ DICT, "a=1,", NULL },
	{ DICT, "A=1", NULL },
	{ DICT, "a=1;b=2 c", NULL },
	{ DICT, "1=1", NULL },
};

static int walk(enum form form, struct str in, struct buf *out)
{
	struct sf s;
	struct str key;
	int got;
	if (form == ITEM) {
		got = sf_item(in, &s);
		if (!got)
			print(out, &s);
		return got;
	}
	while ((got = form == LIST ? sf_list_next(&in, &s) : sf_dict_next(&in, &key, &s)) > 0) {
		if (form == DICT)
			buf_addf(out, "%.*s=", STR_F(key));
		print(out, &s);
		buf_add(out, STR(","));
	}
	return got;
}

static void rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct buf got = {};
		size_t n = strlen(ROWS[i].in);
		char *exact = mem_new(n);
		memcpy(exact, ROWS[i].in, n);
		int err = walk(ROWS[i].form, str_make(exact, n), &got);
		if ((err == 0) != (ROWS[i].out != NULL))
			fail_msg("%s: %d", ROWS[i].in, err);
		if (!err && !str_eq(buf_str(&got), str_of(ROWS[i].out)))
			fail_msg("%s: %.*s", ROWS[i].in, STR_F(buf_str(&got)));
		buf_fini(&got);
		mem_free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(rows) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
