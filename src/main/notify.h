/* Telling systemd how we are (sd_notify(3)): datagrams to the socket that $NOTIFY_SOCKET names.  Without one,
 * nothing. */
#pragma once

/* Lines such as "READY=1"; lost where nobody listens. */
[[gnu::format(printf, 1, 2)]] void notify_send(const char *format, ...);
/* RELOADING=1 with the time that Type=notify-reload asks for. */
void notify_reloading(void);
