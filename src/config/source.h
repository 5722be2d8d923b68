/* struct sources: all texts of a configuration, and which include stood for which of them.
 *
 * The process that may read the files (the supervisor) reads them once and writes the bundle into one buffer; a process
 * without rights reads it back and builds the same configuration from the same bytes, touching no file.  Variables of
 * the environment travel with it.  Immutable after reading; owned by whoever read it. */
#pragma once

#include "base/buf.h"
#include "config/env.h"
#include "config/message.h"
#include "config/tree.h"

enum {
	SOURCES_DEPTH = 16,           /* files that include one another */
	SOURCES_FILES = 65536,
	SOURCES_FILE_B = 64 << 20,
	SOURCES_ALL_B = 256 << 20,
};

struct sources {
	struct arena arena;
	struct env env;
	const struct source **list;   /* a file comes after all that it includes: the last one is the configuration */
	size_t count, cap;
	const struct source *overlay; /* what an operator set in the running server (config/overlay.h); NULL: nothing */
};

/* Zeroed means empty. */
void sources_fini(struct sources *s);
/* Reads the file and all that it includes; *s is zeroed.  0, or -EINVAL after saying everything that is wrong. */
[[nodiscard]] int sources_read(struct sources *s, struct str path, struct messages *m);
/* A text from memory under a name for messages; it can't include files.  Relative paths in it begin at folder. */
void sources_from_text(struct sources *s, struct str name, struct str folder, struct str text);

/* Lays these statements over all others. */
void sources_overlay(struct sources *s, struct str text);

/* The bundle as bytes; without what is laid over them. */
void sources_write(const struct sources *s, struct buf *out);
/* Reads back what sources_write() wrote; the bytes are copied.  -EBADMSG where they are anything else. */
[[nodiscard]] int sources_unpack(struct sources *s, struct str bytes);

/* The configuration's own source. */
static inline const struct source *sources_root(const struct sources *s)
{
	return s->list[s->count - 1];
}

/* What the include whose pattern stands at `at` stood for, or NULL where it was not read. */
const struct inclusion *source_inclusion(const struct spot *at);
