/* Words: where they end, what escapes and variables stand for, and where they stand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "config/lex.h"

/* The tokens of a text, words between brackets ("" for quoted ones); "!" where an error was said. */
static void tokens(struct str text, struct buf *out)
{
	struct source source = { .name = STR("t"), .folder = STR("/"), .text = text };
	struct arena arena = {};
	struct env env = { .arena = &arena };
	struct messages m = {};
	struct lexer l;
	struct word w;
	enum token t;
	lex_init(&l, &source, &env, &arena, &m);
	while ((t = lex_next(&l, &w)) != TOKEN_EOF) {
		if (t != TOKEN_WORD) {
			buf_add_char(out, t == TOKEN_END ? ';' : t == TOKEN_OPEN ? '{' : '}');
			continue;
		}
		buf_add_char(out, w.quoted ? '"' : '[');
		buf_add(out, w.text);
		buf_add_char(out, w.quoted ? '"' : ']');
	}
	for (size_t i = 0; i < m.count[LEVEL_ERROR]; i++)
		buf_add_char(out, '!');
	lex_fini(&l);
	env_fini(&env);
	messages_fini(&m);
	arena_fini(&arena);
}

#define ROW(text, expected) { { "" text, sizeof(text) - 1 }, { "" expected, sizeof(expected) - 1 } }

static void words(void **state)
{
	(void)state;
	static const struct {
		struct str text, expected;
	} ROWS[] = {
		ROW("", ""),
		ROW(" \t\r\n", ""),
		ROW("# only a comment", ""),
		ROW("a b;c{d}", "[a][b];[c]{[d]}"),
		ROW("a#b #c\nd", "[a#b][d]"),
		ROW("a\\b \\n", "[a\\b][\\n]"),
		ROW("\"a b;{}#\" c", "\"a b;{}#\"[c]"),
		ROW("\"\"", "\"\""),
		ROW("\"a\\\"b\\\\c\\n\\r\\t\\x41\"", "\"a\"b\\c\n\r\tA\""),
		ROW("\"\\d+\\.php$ \\x4\"", "\"\\d+\\.php$ \\x4\""),
		ROW("\"\\${env.X} \\$\"", "\"${env.X} \\$\""),
		ROW("$path $1 ${bytes}s", "[$path][$1][${bytes}s]"),
		ROW("\"${bytes}\"", "\"${bytes}\""),
		ROW("${env.PETREL_T} x${env.PETREL_T}y", "[one two;][xone two;y]"),
		ROW("\"<${env.PETREL_T}>\"", "\"<one two;>\""),
		ROW("${env.PETREL_EMPTY}z", "[z]"),
		ROW("${env.PETREL_NONE:-a b}", "[a b]"),
		ROW("${env.PETREL_T:-a}", "[one two;]"),
		ROW("${env.PETREL_NONE:-}", "[]"),
		ROW("${env.PETREL_NONE}", "[]!"),
		ROW("${env.1}", "[]!"),
		ROW("${env.A-B}", "[]!"),
		ROW("${env.A", "[env.A]!"),
		ROW("\"a", "\"a\"!"),
		ROW("\"a\nb\"", "\"a\"[b\"]!!"),
		ROW("\"a\\\"", "\"a\"\"!"),
		ROW("\"a\"b", "\"ab\"!"),
		ROW("a\"b\"", "[a\"b\"]!"),
		ROW("a\0b", "[a\0b]!"),
		ROW("\"a\001b\" \002", "\"a\001b\"!"),
		ROW("# \003\na", "[a]!"),
		ROW("a\rb", "[a\rb]!"),
		ROW("\xEF\xBB\xBF" "a", "[a]"),
	};
	for (size_t i = 0; i < countof(ROWS); i++) {
		struct buf out = {};
		tokens(ROWS[i].text, &out);
		if (!str_eq(buf_str(&out), ROWS[i].expected))
			fail_msg("row %zu, %.*s: %.*s", i, STR_F(ROWS[i].text), STR_F(buf_str(&out)));
		buf_fini(&out);
	}
}

static void places_count_characters(void **state)
{
	(void)state;
	struct source source = { .name = STR("t"), .folder = STR("/"), .text = STR("ö\t\xff\xfe \"ü\"\r\n  b") };
	struct arena arena = {};
	struct env env = { .arena = &arena };
	struct lexer l;
	struct word w;
	lex_init(&l, &source, &env, &arena, NULL);
	static const struct {
		unsigned line, column, width;
	} EXPECTED[] = { { 1, 1, 1 }, { 1, 3, 2 }, { 1, 6, 3 }, { 2, 3, 1 } };
	for (size_t i = 0; i < countof(EXPECTED); i++) {
		assert_int_equal(lex_next(&l, &w), TOKEN_WORD);
		assert_int_equal(w.at.line, EXPECTED[i].line);
		assert_int_equal(w.at.column, EXPECTED[i].column);
		assert_int_equal(spot_width(&w.at), EXPECTED[i].width);
	}
	lex_fini(&l);
	arena_fini(&arena);
}

/* What types print is read back as the same word, whatever bytes it has. */
static void printed_words_read_back(void **state)
{
	(void)state;
	for (int first = 1; first < 256; first++) {
		for (int second = 0; second < 256; second++) {
			char bytes[3] = { (char)first, (char)second, 0 };
			struct str word = { bytes, second ? 2 : 1 };
			struct buf printed = {};
			type_print_word(&printed, word);
			struct source source = { .name = STR("t"), .folder = STR("/"), .text = buf_str(&printed) };
			struct arena arena = {};
			struct env env = { .arena = &arena };
			struct lexer l;
			struct word back;
			lex_init(&l, &source, &env, &arena, NULL);
			assert_int_equal(lex_next(&l, &back), TOKEN_WORD);
			assert_false(back.broken);
			assert_true(str_eq(back.text, word));
			lex_fini(&l);
			arena_fini(&arena);
			buf_fini(&printed);
		}
	}
}

int main(void)
{
	setenv("PETREL_T", "one two;", 1);
	setenv("PETREL_EMPTY", "", 1);
	const struct CMUnitTest TESTS[] = {
		cmocka_unit_test(words), cmocka_unit_test(places_count_characters),
		cmocka_unit_test(printed_words_read_back),
	};
	return cmocka_run_group_tests(TESTS, NULL, NULL);
}
