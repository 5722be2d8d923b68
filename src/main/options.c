/* Reading options.  Functions without state. */
#include "main/options.h"

#include <errno.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/must.h"

void option_print(const struct option *row, char *text, size_t text_n)
{
	char letter[8] = "";
	if (row->letter)
		snprintf(letter, sizeof letter, "-%c, ", row->letter);
	snprintf(text, text_n, "%s--%s%s%s", letter, row->name, row->value ? " " : "", row->value ? row->value : "");
}

/* The row of "name" or of the letter, or -1. */
static int find(const struct option *rows, struct str name, char letter)
{
	for (int i = 0; rows && rows[i].name; i++) {
		must(i < OPTIONS_MOST);
		if (letter ? rows[i].letter == letter : str_eq(str_of(rows[i].name), name))
			return i;
	}
	return -1;
}

/* A close enough name, or NULL. */
static const char *guess(const struct option *rows, struct str name)
{
	const char *best = NULL;
	unsigned best_distance = 3;
	for (int i = 0; rows && rows[i].name; i++) {
		unsigned distance = str_distance(name, str_of(rows[i].name));
		if (distance < best_distance) {
			best = rows[i].name;
			best_distance = distance;
		}
	}
	return best;
}

static int unknown(const struct option *rows, const char *given, struct str name, char *error, size_t error_n)
{
	struct buf text = {};
	const char *meant = guess(rows, name);
	buf_addf(&text, "there is no option %s", given);
	if (meant)
		buf_addf(&text, "; did you mean --%s?", meant);
	buf_add(&text, STR("\n  there are:"));
	for (int i = 0; rows && rows[i].name; i++)
		buf_addf(&text, " --%s,", rows[i].name);
	buf_add(&text, STR(" --help"));
	snprintf(error, error_n, "%.*s", STR_F(buf_str(&text)));
	buf_fini(&text);
	return -EINVAL;
}

/* Reads the option at argv[0]; `next` is the word behind it, or NULL.  Returns how many words it took, or -EINVAL. */
static int take(const struct option *rows, const char *arg, const char *next, struct options *out, char *error,
                size_t error_n)
{
	bool is_long = arg[1] == '-';
	struct str value = str_of(is_long ? arg + 2 : arg + 1);
	struct str name = is_long ? str_cut(&value, '=') : str_head(value, 1);
	if (!is_long)
		value = value.n > 1 ? str_from(value, 1) : (struct str){};  /* -cFILE */
	if (is_long ? str_eq(name, STR("help")) : str_eq(name, STR("h"))) {
		out->help = true;
		return 1;
	}
	int row = find(rows, name, is_long ? 0 : name.p[0]);
	if (row < 0)
		return unknown(rows, arg, name, error, error_n);
	if (!rows[row].value && value.p) {
		snprintf(error, error_n, "--%s takes no value", rows[row].name);
		return -EINVAL;
	}
	if (rows[row].value && !value.p && !next) {
		snprintf(error, error_n, "--%s needs a value: --%s %s", rows[row].name, rows[row].name,
		         rows[row].value);
		return -EINVAL;
	}
	bool separate = rows[row].value && !value.p;
	out->values[row] = separate ? next : value.p ? value.p : "";
	return 1 + separate;
}

int options_parse(const struct option *rows, int argc, char **argv, struct options *out, char *error, size_t error_n)
{
	bool options_end = false;
	*out = (struct options){ .words = argv };
	for (int i = 0; i < argc;) {
		bool is_option = !options_end && argv[i][0] == '-' && argv[i][1];
		if (is_option && str_eq(str_of(argv[i]), STR("--"))) {
			options_end = true;
			i++;
		} else if (is_option) {
			int taken = take(rows, argv[i], i + 1 < argc ? argv[i + 1] : NULL, out, error, error_n);
			if (taken < 0)
				return taken;
			i += taken;
		} else {
			argv[out->word_count++] = argv[i++];
		}
	}
	return 0;
}
