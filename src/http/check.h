/* What a module's check hook may call: messages about values, at the words that set them.
 *
 * A check hook gets the module's values in one scope and names what is wrong by the address of the value:
 *
 *	static void files_check(struct checker *c, void *values)
 *	{
 *		struct files *v = values;
 *		if (check_files(c) && check_was_set(c, &v->root) && access(v->root.p, X_OK) < 0)
 *			check_warn(c, &v->root, "the folder \"%.*s\" does not exist", STR_F(v->root));
 *	}
 *
 * The message then shows the file, the line and the very word.  Addresses that were not set in this scope (inherited
 * values, defaults) show the name of the site or the pattern of the route.  For an item of a list, its address shows
 * its directive, and a member's address the member's word; values of an ARG_MANY list are found by the address of the
 * value or of the struct items.
 *
 * It is called once per scope that set any of the module's directives without a mistake, after the scope around it (and
 * for main's values, where a route is handled with those although nobody set any), and before values are inherited from
 * it: it may also change the values (resolve a name, compute a table), and allocate in the snapshot's arena.  Runs on the
 * thread that builds the configuration; it must not keep the checker. */
#pragma once

#include "http/conf.h"

struct conf;
struct checker;

/* The configuration is refused. */
[[gnu::format(printf, 3, 4)]] void check_error(struct checker *c, const void *value, const char *format, ...);
/* It is accepted, but it can't be meant; shown by `petrel check` and at start. */
[[gnu::format(printf, 3, 4)]] void check_warn(struct checker *c, const void *value, const char *format, ...);
/* One more line below the last message: what to do about it. */
[[gnu::format(printf, 2, 3)]] void check_hint(struct checker *c, const char *format, ...);

/* Whether the world may be looked at: files, users, addresses.  True for `petrel check`, start and reload, where it
 * runs with the supervisor's rights; false in a worker, which would see less than it will be given. */
bool check_files(const struct checker *c);
/* Whether this scope itself set the value. */
bool check_was_set(const struct checker *c, const void *value);
enum scope check_scope(const struct checker *c);
/* Where a value was set in this scope, else the scope; the file's name is in the snapshot's arena. */
struct place check_place(struct checker *c, const void *value);
/* The snapshot's arena. */
struct arena *check_arena(struct checker *c);
/* The configuration as far as it is built: values of main, and of this scope's outer scopes.  Its sites are there in
 * check_all() only. */
const struct conf *check_conf(const struct checker *c);
