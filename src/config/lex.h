/* Words of the configuration.
 *
 * A word ends at a blank, `;`, `{` or `}`.  Between quotes stand blanks and these, too; a quote ends on its line, and
 * \" \\ \n \r \t \xHH \${ are escapes in it (other backslashes stay, which regexes like).  `#` at the beginning of a
 * word starts a comment.  ${env.NAME} and ${env.NAME:-default} are replaced everywhere.  One thread at a time. */
#pragma once

#include "config/env.h"
#include "config/message.h"

struct word {
	struct str text;  /* in the source or the lexer's arena */
	struct spot at;
	bool quoted;      /* then it is no keyword */
	bool broken;      /* an error was said about it: say no more */
};

enum token { TOKEN_WORD, TOKEN_END, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_EOF };

struct lexer {
	const struct source *source;
	struct env *env;
	struct arena *arena;
	struct messages *messages;  /* NULL: errors are not said */
	uint32_t at, line, column;
	bool control_said;          /* one message about control bytes is enough for a file that is none of text */
	struct buf word;            /* being put together */
};

void lex_init(struct lexer *l, const struct source *source, struct env *env, struct arena *arena,
              struct messages *messages);
void lex_fini(struct lexer *l);
/* The next token; *out has its spot, and for TOKEN_WORD its text. */
enum token lex_next(struct lexer *l, struct word *out);
