/* Options: every way to write them, and what is said about wrong ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "main/options.h"

static const struct option ROWS[] = {
	{ "config", 'c', "FILE", "the configuration" },
	{ "listing", 0, NULL, "list folders" },
	{},
};

static void every_way_to_write_them(void **state)
{
	(void)state;
	static const struct {
		const char *args[5];
		const char *config, *listing, *first_word;
		int words, err;
		bool help;
		const char *said;
	} TABLE[] = {
		{ { NULL }, NULL, NULL, NULL, 0, 0, false, NULL },
		{ { "-c", "a" }, "a", NULL, NULL, 0, 0, false, NULL },
		{ { "-ca" }, "a", NULL, NULL, 0, 0, false, NULL },
		{ { "--config", "a" }, "a", NULL, NULL, 0, 0, false, NULL },
		{ { "--config=a=b" }, "a=b", NULL, NULL, 0, 0, false, NULL },
		{ { "--config=" }, "", NULL, NULL, 0, 0, false, NULL },
		{ { "-c", "a", "-c", "b" }, "b", NULL, NULL, 0, 0, false, NULL },
		{ { "x", "--listing", "y" }, NULL, "", "x", 2, 0, false, NULL },
		{ { "--listing", "--", "--config" }, NULL, "", "--config", 1, 0, false, NULL },
		{ { "-" }, NULL, NULL, "-", 1, 0, false, NULL },
		{ { "-h" }, NULL, NULL, NULL, 0, 0, true, NULL },
		{ { "x", "--help" }, NULL, NULL, "x", 1, 0, true, NULL },
		{ { "--config" }, NULL, NULL, NULL, 0, -EINVAL, false, "--config FILE" },
		{ { "-c" }, NULL, NULL, NULL, 0, -EINVAL, false, "--config FILE" },
		{ { "--listing=on" }, NULL, NULL, NULL, 0, -EINVAL, false, "no value" },
		{ { "--confg" }, NULL, NULL, NULL, 0, -EINVAL, false, "did you mean --config?" },
		{ { "--confg=x" }, NULL, NULL, NULL, 0, -EINVAL, false, "did you mean --config?" },
		{ { "--zzz" }, NULL, NULL, NULL, 0, -EINVAL, false, "there are: --config, --listing, --help" },
		{ { "-x" }, NULL, NULL, NULL, 0, -EINVAL, false, "there is no option -x" },
	};
	for (size_t i = 0; i < countof(TABLE); i++) {
		char *argv[6] = {}, error[256] = "", store[5][32];
		int argc = 0;
		struct options o;
		for (; argc < 5 && TABLE[i].args[argc]; argc++)
			argv[argc] = strcpy(store[argc], TABLE[i].args[argc]);
		int err = options_parse(ROWS, argc, argv, &o, error, sizeof error);
		assert_int_equal(err, TABLE[i].err);
		if (err) {
			if (!strstr(error, TABLE[i].said))
				fail_msg("row %zu: %s", i, error);
			continue;
		}
		assert_int_equal(o.word_count, TABLE[i].words);
		assert_int_equal(o.help, TABLE[i].help);
		if (TABLE[i].words)
			assert_string_equal(o.words[0], TABLE[i].first_word);
		const char *want[] = { TABLE[i].config, TABLE[i].listing };
		for (int j = 0; j < 2; j++) {
			assert_int_equal(!o.values[j], !want[j]);
			if (want[j])
				assert_string_equal(o.values[j], want[j]);
		}
	}
}

static void a_command_without_options(void **state)
{
	(void)state;
	char error[256], word[] = "--x";
	char *argv[] = { word };
	struct options o;
	assert_int_equal(options_parse(NULL, 1, argv, &o, error, sizeof error), -EINVAL);
	assert_non_null(strstr(error, "there are: --help"));
	assert_int_equal(options_parse(NULL, 0, NULL, &o, error, sizeof error), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_way_to_write_them),
		cmocka_unit_test(a_command_without_options),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
