/* Finding the server, and its token.  No state. */
#include "main/admin_at.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/whole.h"

enum { FAILED = 1 };

static const char USUAL_CONF[] = "/etc/petrel/petrel.conf";

static bool is_local(const struct admin_at *at)
{
	return at->addr.any.sa_family == AF_UNIX;
}

static void take_token(struct admin_at *at, struct str token)
{
	snprintf(at->token, sizeof at->token, "%.*s", STR_F(token));
}

/* --- In a configuration. --- */

/* The words behind "admin" at the top of a source. */
struct admin_line {
	struct str address, token;
};

static void take_line(const struct admin_line *line, struct admin_at *out, bool *found)
{
	struct type_in in = {};
	struct type_range range = {};
	struct admin_at at = {};
	if (!line->address.p || TYPE_ADDRESS.parse(&in, line->address, &range, &at.addr))
		return;
	if (*found && (is_local(out) || !is_local(&at)))
		return;
	take_token(&at, line->token.p ? line->token : STR(""));
	*out = at;
	*found = true;
}

/* Only words are read, so that mistakes elsewhere, in a configuration that somebody is just writing, keep nobody from
 * asking the server how it is. */
static void find_in(const struct source *source, const struct env *from, struct arena *arena, struct admin_at *out,
                    bool *found)
{
	struct env env = *from;
	struct lexer l;
	struct word word, before = {};
	struct admin_line line = {};
	unsigned depth = 0, words = 0;
	bool admin = false;
	enum token token;
	lex_init(&l, source, &env, arena, NULL);
	while ((token = lex_next(&l, &word)) != TOKEN_EOF) {
		if (token == TOKEN_WORD && !words)
			admin = !depth && str_eq(word.text, STR("admin"));
		else if (token == TOKEN_WORD && admin && words == 1)
			line.address = word.text;
		else if (token == TOKEN_WORD && admin && str_eq(before.text, STR("token")))
			line.token = word.text;
		else if (token != TOKEN_WORD && admin)
			take_line(&line, out, found);
		if (token != TOKEN_WORD)
			line = (struct admin_line){};
		before = word;
		words = token == TOKEN_WORD ? words + 1 : 0;
		depth += token == TOKEN_OPEN;
		depth -= token == TOKEN_CLOSE && depth;
	}
	lex_fini(&l);
}

bool admin_at_conf(const struct sources *s, struct admin_at *out)
{
	struct arena arena;
	bool found = false;
	arena_init(&arena, NULL, 0);
	for (size_t i = s->count; i-- > 0;)
		find_in(s->list[i], &s->env, &arena, out, &found);
	arena_fini(&arena);
	return found;
}

/* --- As it was told. --- */

/* "/run/petrel/admin.sock", "unix:…", "127.0.0.1:9911". */
static int parse_socket(const struct admin_told *told, const char *text, const char *whose, struct addr *out)
{
	struct buf address = {};
	struct type_in in = {};
	struct type_range range = {};
	bool path = !strncmp(text, "unix:", 5) ? false : strchr(text, '/') || !strchr(text, ':');
	buf_addf(&address, "%s%s", path ? "unix:" : "", text);
	int err = TYPE_ADDRESS.parse(&in, buf_str(&address), &range, out);
	buf_fini(&address);
	if (err)
		fprintf(stderr, "petrel %s: %s \"%s\": %s\n", told->command, whose, text, in.error);
	return err ? FAILED : 0;
}

static int find_conf(const struct admin_told *told, const char *file, struct admin_at *out)
{
	struct sources sources = {};
	struct messages messages = {};
	bool read = !sources_read(&sources, str_of(file), &messages) || sources.count;
	bool found = read && admin_at_conf(&sources, out);
	if (!found && !read && told->config)
		fprintf(stderr, "petrel %s: %s can't be read\n", told->command, file);
	else if (!found && !read)
		fprintf(stderr, "petrel %s: where is the server?  There is no %s: name its configuration (-c FILE), its admin\n"
		                "socket (--socket PATH), or set PETREL_ADMIN\n", told->command, file);
	else if (!found)
		fprintf(stderr, "petrel %s: %s names no admin socket: add \"admin unix:/run/petrel/admin.sock;\" and restart\n",
		        told->command, file);
	messages_fini(&messages);
	sources_fini(&sources);
	return found ? 0 : FAILED;
}

static int find_address(const struct admin_told *told, struct admin_at *out)
{
	const char *named = getenv("PETREL_ADMIN");
	if (told->socket)
		return parse_socket(told, told->socket, "--socket", &out->addr);
	if (told->config)
		return find_conf(told, told->config, out);
	if (named && *named)
		return parse_socket(told, named, "PETREL_ADMIN", &out->addr);
	return find_conf(told, USUAL_CONF, out);
}

static int read_token(const struct admin_told *told, struct admin_at *out)
{
	struct buf text = {};
	int fd = open(told->token_file, O_RDONLY | O_CLOEXEC), err = fd < 0 ? -errno : read_whole(fd, TOKEN_MOST_B + 2, &text);
	struct str rest = text.n ? buf_str(&text) : STR(""), token = str_trim(str_cut(&rest, '\n'));
	if (fd >= 0)
		close(fd);
	if (err)
		fprintf(stderr, "petrel %s: no token in %s: %s\n", told->command, told->token_file, strerror(-err));
	else if (!str_is_printable(token) || !token.n || token.n > TOKEN_MOST_B)
		fprintf(stderr, "petrel %s: no token in %s: it has to be a line of text\n", told->command, told->token_file);
	else
		take_token(out, token);
	buf_fini(&text);
	return out->token[0] ? 0 : FAILED;
}

int admin_at_find(const struct admin_told *told, struct admin_at *out)
{
	const char *token = getenv("PETREL_TOKEN");
	*out = (struct admin_at){};
	int status = find_address(told, out);
	if (status || is_local(out)) {
		out->token[0] = '\0';
		return status;
	}
	if (told->token_file) {
		out->token[0] = '\0';
		return read_token(told, out);
	}
	if (token && *token && str_is_printable(str_of(token)))
		take_token(out, str_of(token));
	return 0;
}

void admin_at_head(const struct admin_at *at, struct buf *out)
{
	buf_add(out, STR("Host: localhost\r\n"));
	if (at->token[0])
		buf_addf(out, "Authorization: Bearer %s\r\n", at->token);
}
