/* Members of a JSON object, as a program that prints them wants them: there always is something.  No state. */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "base/str.h"

/* "" where there is none, or it is no text. */
static inline const char *text_of(const json_t *json, const char *name)
{
	const char *text = json_string_value(json_object_get(json, name));
	return text ? text : "";
}

/* The same with its length: it may hold NULs. */
static inline struct str str_of_member(const json_t *json, const char *name)
{
	const json_t *member = json_object_get(json, name);
	return json_is_string(member) ? str_make(json_string_value(member), json_string_length(member)) : STR("");
}

/* 0 where there is none. */
static inline uint64_t number_of(const json_t *json, const char *name)
{
	json_int_t n = json_integer_value(json_object_get(json, name));
	return n > 0 ? (uint64_t)n : 0;
}
