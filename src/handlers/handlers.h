/* The modules of this floor, by name, for main/modules.c. */
#pragma once

#include "http/codec.h"
#include "http/module.h"

extern const struct module ACCESS;      /* access.c */
extern const struct module ACCESS_LOG;  /* access_log.c */
extern const struct module CACHE;       /* cache.c */
extern const struct module CGI;         /* cgi.c */
extern const struct module COMPRESS;    /* compress.c */
extern const struct module ECHO;        /* echo.c */
extern const struct module ERROR_PAGE;  /* error_page.c */
extern const struct module FASTCGI;     /* fastcgi.c */
extern const struct module FILES;       /* files.c */
extern const struct module HEADERS;     /* headers.c */
extern const struct module INTERNAL;    /* internal.c */
extern const struct module MEMCACHED;   /* memcached.c */
extern const struct module PROXY;       /* proxy.c */
extern const struct module REDIRECT;    /* redirect.c */
extern const struct module RESPOND;     /* respond.c */
extern const struct module SCGI;        /* scgi.c */
extern const struct module THROTTLE;    /* throttle.c */
extern const struct module UWSGI;       /* uwsgi.c */

/* What they speak to origins, for who calls one without a route. */
extern const struct codec FASTCGI_CODEC;
extern const struct codec PROXY_CODEC;
extern const struct codec SCGI_CODEC;
extern const struct codec UWSGI_CODEC;
