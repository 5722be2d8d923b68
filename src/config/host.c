/* Names of sites: what a Host field may say (RFC 9110, 7.2), without a port.  No state; any thread. */
#include "config/host.h"

enum { NAME_MOST = 253, LABEL_MOST = 63 };

static bool is_label_byte(char c)
{
	return ascii_alpha(c) || ascii_digit(c) || c == '-' || c == '_';
}

static int label_check(struct type_in *in, struct str label)
{
	if (!label.n)
		return type_wrong(in, "an empty part between dots");
	if (label.n > LABEL_MOST)
		return type_wrong(in, "a part longer than %d bytes", LABEL_MOST);
	for (size_t i = 0; i < label.n; i++) {
		if ((unsigned char)label.p[i] >= 0x80)
			return type_wrong(in, "letters beyond ASCII are written as xn--...");
		if (label.p[i] == ':')
			return type_wrong(in, "a name without a port; ports belong to \"listen\"");
		if (label.p[i] == '*')
			return type_wrong(in, "\"*\" stands alone or before the first dot");
		if (!is_label_byte(label.p[i]))
			return type_wrong(in, "a byte that no host's name has");
	}
	if (label.p[0] == '-' || label.p[label.n - 1] == '-')
		return type_wrong(in, "a part that begins or ends with \"-\"");
	return 0;
}

/* Between the brackets; what the digits mean is nobody's business here, as a Host field is compared as text. */
static int address_check(struct type_in *in, struct str text)
{
	struct str inside = text.n > 2 && text.p[text.n - 1] == ']' ? str_make(text.p + 1, text.n - 2) : STR("");
	for (size_t i = 0; i < inside.n; i++)
		if (ascii_hex(inside.p[i]) < 0 && inside.p[i] != ':' && inside.p[i] != '.')
			return type_wrong(in, "not an address between brackets");
	return inside.n ? 0 : type_wrong(in, "not an address between brackets");
}

static int name_check(struct type_in *in, struct str text)
{
	if (text.n > NAME_MOST)
		return type_wrong(in, "longer than %d bytes", NAME_MOST);
	if (str_starts(text, STR("[")))
		return address_check(in, text);
	while (text.p) {
		int err = label_check(in, str_cut(&text, '.'));
		if (err)
			return err;
	}
	return 0;
}

int host_parse(struct type_in *in, struct str text, struct str *name)
{
	int err = 0;
	char lower[NAME_MOST + 2];
	if (str_starts(text, STR("*.")))
		err = name_check(in, str_from(text, 2));
	else if (!str_eq(text, STR("*")))
		err = text.n ? name_check(in, text) : type_wrong(in, "an empty name");
	if (err)
		return err;
	if (text.n > sizeof lower)
		return type_wrong(in, "longer than %d bytes", NAME_MOST);
	for (size_t i = 0; i < text.n; i++)
		lower[i] = ascii_lower(text.p[i]);
	*name = arena_str(in->arena, str_make(lower, text.n));
	return 0;
}
