/* Lines and columns of spots.  No state; any thread. */
#include "config/spot.h"

#include "base/utf8.h"

size_t spot_characters(struct str s)
{
	size_t count = 0;
	while (s.n) {
		size_t len = utf8_length(s);
		s = str_from(s, len ? len : 1);
		count++;
	}
	return count;
}

struct str spot_line(const struct spot *at)
{
	struct str text = at->source->text;
	size_t before = str_rfind(str_head(text, at->offset), '\n');
	size_t start = before < str_head(text, at->offset).n ? before + 1 : 0;
	struct str line = str_from(text, start);
	line = str_head(line, str_find(line, '\n'));
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

unsigned spot_width(const struct spot *at)
{
	struct str covered = str_head(str_from(at->source->text, at->offset), at->length);
	covered = str_head(covered, str_find(covered, '\n'));
	size_t width = spot_characters(covered);
	return width ? (unsigned)width : 1;
}

struct spot spot_after(const struct spot *at)
{
	struct spot after = *at;
	after.column += spot_width(at);
	after.offset += at->length;
	after.length = 1;
	return after;
}

struct place spot_place(const struct spot *at)
{
	return (struct place){ at->source->name, at->line, at->column };
}
