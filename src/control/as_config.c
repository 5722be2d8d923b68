/* What is changed in the running server, as configuration: for who wants to make it permanent.
 *
 * Settings stand in their blocks, each block once; of a pool all servers stand there, so that the block can be pasted in
 * place of the old one.  No state; the control thread. */
#include "control/errand.h"
#include "control/keeper.h"

enum { DEPTH_MOST = 8 };

/* The lines of a setting: heads of blocks that end in " {", and then the directive. */
static struct str line_at(const struct setting *s, unsigned depth)
{
	struct str rest = buf_str(&s->text), line = {};
	for (unsigned i = 0; i <= depth && rest.n; i++)
		line = str_cut(&rest, '\n');
	return line;
}

static bool same_block(const struct setting *a, const struct setting *b, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++)
		if (!str_eq(line_at(a, i), line_at(b, i)))
			return false;
	return true;
}

static void indent(struct buf *out, unsigned depth, struct str line)
{
	buf_addf(out, "%*s%.*s\n", (int)depth * 4, "", STR_F(line));
}

/* What stands in the block that `first` is in, at this depth. */
static void print_block(const struct control *c, struct buf *out, const struct setting *first, unsigned depth)
{
	const struct settings *s = &c->settings;
	for (size_t i = 0; i < s->count; i++) {
		const struct setting *one = &s->list[i];
		struct str line = line_at(one, depth);
		bool block = str_ends(line, STR(" {")), again = false;
		if (!same_block(one, first, depth) || depth >= DEPTH_MOST)
			continue;
		for (size_t k = 0; k < i && block; k++)
			again |= same_block(one, &s->list[k], depth + 1);
		if (again)
			continue;
		indent(out, depth, line);
		if (block) {
			print_block(c, out, one, depth + 1);
			indent(out, depth, STR("}"));
		}
	}
}

/* The first setting in the block of a pool or app; NULL. */
static const struct setting *first_of(const struct control *c, const struct backend *b)
{
	struct buf head = {};
	const struct setting *first = NULL;
	buf_addf(&head, "%s %.*s {", b->is_app ? "app" : "pool", STR_F(b->name));
	for (size_t i = 0; i < c->settings.count && !first; i++)
		if (str_eq(line_at(&c->settings.list[i], 0), buf_str(&head)))
			first = &c->settings.list[i];
	buf_fini(&head);
	return first;
}

struct printing {
	const struct control *control;
	struct buf *out;
};

static void print_backend(void *arg, struct backend *b)
{
	struct printing *p = arg;
	struct buf lines = {};
	const struct setting *first = first_of(p->control, b);
	bool changed = !b->is_app && keeper_lines(p->control->keeper, b->name, first != NULL, &lines);
	if (b->is_app && first) {
		buf_add(&lines, STR("    command "));
		type_print_word(&lines, b->app.command);
		buf_add(&lines, STR(";\n"));
	}
	if (first || changed) {
		buf_addf(p->out, "%s %.*s {\n%.*s", b->is_app ? "app" : "pool", STR_F(b->name), STR_F(buf_str(&lines)));
		if (first)
			print_block(p->control, p->out, first, 1);
		buf_add(p->out, STR("}\n"));
	}
	buf_fini(&lines);
}

static bool is_of_backend(const struct setting *s)
{
	struct str head = line_at(s, 0);
	return str_ends(head, STR(" {")) && (str_starts(head, STR("pool ")) || str_starts(head, STR("app ")));
}

/* All that is in no pool or app, each block where its first setting stands. */
static void print_rest(const struct control *c, struct buf *out)
{
	const struct settings *s = &c->settings;
	for (size_t i = 0; i < s->count; i++) {
		const struct setting *one = &s->list[i];
		struct str line = line_at(one, 0);
		bool block = str_ends(line, STR(" {")), again = is_of_backend(one);
		for (size_t k = 0; k < i && block; k++)
			again |= same_block(one, &s->list[k], 1);
		if (again)
			continue;
		indent(out, 0, line);
		if (block) {
			print_block(c, out, one, 1);
			indent(out, 0, STR("}"));
		}
	}
}

void errand_as_config(struct control *c, struct admin_call *call)
{
	struct buf out = {};
	struct printing p = { c, &out };
	backends_each(c->conf, print_backend, &p);
	print_rest(c, &out);
	admin_answer(call, 200, out.n ? buf_str(&out) : STR("# nothing is changed\n"));
	buf_fini(&out);
}
