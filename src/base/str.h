/* struct str: a run of bytes that someone else owns, passed by value.
 *
 * Not terminated by NUL, and may hold any byte.  Every look at received bytes goes through these functions, so that
 * bounds are checked in one place.  ASCII rules throughout: HTTP's names are ASCII (RFC 9110, 5.6.2), and the C
 * library's ctype depends on the locale. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
	const char *p;
	size_t n;
};

/* STR("literal"): length known to the compiler. */
#define STR(literal) ((struct str){ "" literal, sizeof(literal) - 1 })
/* For printf's "%.*s": STR_F(s) gives both arguments. */
#define STR_F(s) (int)(s).n, (s).p

static inline struct str str_of(const char *z)
{
	return (struct str){ z, z ? strlen(z) : 0 };
}

static inline struct str str_make(const char *p, size_t n)
{
	return (struct str){ p, n };
}

static inline bool str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static inline bool ascii_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool ascii_alpha(char c)
{
	char l = (char)(c | 0x20);
	return l >= 'a' && l <= 'z';
}

/* 0 to 15, or -1 where c is no hexadecimal digit. */
static inline int ascii_hex(char c)
{
	if (ascii_digit(c))
		return c - '0';
	char l = ascii_lower(c);
	return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

/* Equal but for the case of ASCII letters. */
bool str_eq_nocase(struct str a, struct str b);
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
/* The index of c in s, or s.n where it is not in it. */
size_t str_find(struct str s, char c);
/* The index of the last c in s, or s.n where it is not in it. */
size_t str_rfind(struct str s, char c);
/* s from byte `from` on; empty where from is past the end. */
struct str str_from(struct str s, size_t from);
/* The first n bytes of s, or all of it. */
struct str str_head(struct str s, size_t n);
/* s without spaces and tabs at both ends (OWS, RFC 9110, 5.6.3). */
struct str str_trim(struct str s);
/* Takes what stands before the first sep off *rest and returns it, not trimmed; *rest loses the sep, too.  When *rest
 * holds no sep, all of it is taken and rest->p becomes NULL, which ends a loop: while (rest.p) { … } */
struct str str_cut(struct str *rest, char sep);
/* <0, 0, >0 in the order of bytes, a prefix first. */
int str_cmp(struct str a, struct str b);
/* Whether no byte is a control character: what may be a field's value. */
static inline bool str_is_printable(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return false;
	return true;
}
/* The number of edits (insert, delete, replace, swap of neighbours) between two short strings, ASCII case ignored, or
 * a large number where either is longer than 64 bytes: for "did you mean". */
unsigned str_distance(struct str a, struct str b);
