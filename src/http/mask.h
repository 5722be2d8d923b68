/* What nobody but its owner should see: values of fields and variables whose names say so.  No state but struct mask. */
#pragma once

#include "base/buf.h"

#define MASKED STR("***")

/* Authorization, Cookie, HTTP_X_API_KEY, DB_PASSWORD … */
bool is_secret(struct str name);

/* A stream that begins with a head's lines, as a program's output does: zeroed, its beginning. */
struct mask {
	char name[64];            /* of the line that is read, as far as it has come */
	size_t name_n;
	bool in_value, hides;     /* behind the name; and it is a secret's */
	bool over;                /* the head is: the rest is as it is */
};

/* Appends the next bytes with the values of secret fields masked. */
void mask_add(struct mask *m, struct str bytes, struct buf *out);
/* Bytes are missing here: what follows up to the next line could be any field's. */
void mask_gap(struct mask *m);
