/* What a running server says of itself, for a person: from the admin socket's JSON to lines and tables of at most 80
 * columns.  No state; one thread. */
#pragma once

#include <jansson.h>

#include "base/buf.h"

/* Each appends; what the JSON lacks is left out. */
void show_status(const json_t *json, bool colour, struct buf *out);
void show_connections(const json_t *json, bool colour, struct buf *out);
void show_pools(const json_t *json, bool colour, struct buf *out);
void show_pool(const json_t *json, bool colour, struct buf *out);
void show_caches(const json_t *json, bool colour, struct buf *out);
void show_cache(const json_t *json, bool colour, struct buf *out);
void show_memcached(const json_t *json, bool colour, struct buf *out);
void show_apps(const json_t *json, bool colour, struct buf *out);
void show_app(const json_t *json, bool colour, struct buf *out);
void show_settings(const json_t *json, bool colour, struct buf *out);
void show_changes(const json_t *json, bool colour, struct buf *out);
void show_alerts(const json_t *json, bool colour, struct buf *out);
/* What became of messages that were sent to try. */
void show_tests(const json_t *json, bool colour, struct buf *out);
/* What a change answered. */
void show_did(const json_t *json, bool colour, struct buf *out);
void show_explain(const json_t *json, bool colour, struct buf *out);
void show_trace(const json_t *trace, bool colour, struct buf *out);
