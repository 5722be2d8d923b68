/* What the supervisor says: lines on standard error, where systemd's journal or a terminal reads them.
 *
 * The worker has a log with a thread of its own; the supervisor says little, and may wait for whoever reads. */
#pragma once

/* "petrel: …" and a newline, in one write. */
[[gnu::format(printf, 1, 2)]] void say(const char *format, ...);
