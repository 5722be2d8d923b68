/* Names to addresses.  See resolver.h.
 *
 * Owns the library's channel, a watch for each of its sockets, and what is asked.  The library calls back whenever it
 * likes, even before it returns, and can't forget a single query: so each is a struct asked of its own, which the library
 * holds until it has called back for the last time, and which tells the asker by a task. */
#include "net/resolver.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "base/mem.h"
#include "base/must.h"

enum {
	TRY_MS = 1500,        /* before a server is asked again, or the next one is */
	TRIES = 3,
	FOUND_MOST = 256,     /* addresses of a name; a pool has no use for more */
	TARGETS_MOST = 64,    /* of a set of SRV records */
	NAME_B = 256,         /* RFC 1035, 2.3.4, and a NUL */
};

struct resolver {
	struct loop *loop;
	ares_channel channel;
	char *servers;                /* NULL: the system's */
	struct timespec system_read;  /* the time of the resolv.conf that is in effect */
	struct timer timer;           /* when the library wants to look at what is late */
	struct link sockets;          /* struct resolver_socket */
	struct link all;              /* struct asked */
};

struct resolver_socket {
	struct link link;
	struct watch watch;
	struct resolver *resolver;
	bool writable;                /* the library waits for that */
};

struct asked {
	struct link link;
	struct resolver *resolver;
	struct resolver_query *query; /* NULL: forgotten, or told */
	struct task task;             /* tells it */
	struct timer timer;
	unsigned left;                /* callbacks that the library owes */
	int err;
	const char *why;
	uint64_t ttl_ms;
	struct resolved *found;
	size_t count;
	char name[NAME_B];
};

/* What addresses are looked up for: the name itself, or a target of its SRV records. */
struct lookup {
	struct asked *asked;
	uint16_t port, priority, weight;
};

/* --- The library's sockets. --- */

static struct resolver_socket *socket_find(struct resolver *r, int fd)
{
	for (struct link *at = r->sockets.next; at != &r->sockets; at = at->next) {
		struct resolver_socket *s = container_of(at, struct resolver_socket, link);
		if (s->watch.fd == fd)
			return s;
	}
	return NULL;
}

/* When the library has to be called next, though nothing came. */
static void timer_renew(struct resolver *r)
{
	struct timeval wait;
	if (ares_timeout(r->channel, NULL, &wait))
		timer_set(&r->loop->wheel, &r->timer,
		          r->loop->now_ms + (uint64_t)wait.tv_sec * 1000 + (uint64_t)wait.tv_usec / 1000 + 1);
	else
		timer_stop(&r->timer);
}

static void timer_fired(struct timer *t)
{
	struct resolver *r = container_of(t, struct resolver, timer);
	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	timer_renew(r);
}

static void socket_ready(struct watch *w, uint32_t events)
{
	struct resolver_socket *s = container_of(w, struct resolver_socket, watch);
	struct resolver *r = s->resolver;
	int fd = w->fd;
	bool in = events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR), out = s->writable && events & EPOLLOUT;
	ares_process_fd(r->channel, in ? fd : ARES_SOCKET_BAD, out ? fd : ARES_SOCKET_BAD);
	/* It may have closed it, or stopped reading before the end. */
	s = socket_find(r, fd);
	if (s && in)
		loop_again(r->loop, &s->watch);
	timer_renew(r);
}

static void socket_forget(struct resolver_socket *s)
{
	loop_unwatch(s->resolver->loop, &s->watch);
	link_del(&s->link);
	mem_free(s);
}

/* Called by the library: what it waits for on this socket; for nothing just before it closes it. */
static void socket_wanted(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct resolver *r = arg;
	struct resolver_socket *s = socket_find(r, fd);
	if (!readable && !writable) {
		if (s)
			socket_forget(s);
		return;
	}
	if (!s) {
		s = MEM_NEW(struct resolver_socket);
		s->resolver = r;
		s->watch = (struct watch){ fd, socket_ready };
		if (loop_watch(r->loop, &s->watch)) {
			mem_free(s);
			return;  /* the query ends by its time limit */
		}
		link_add(&r->sockets, &s->link);
	} else if (writable && !s->writable) {
		loop_again(r->loop, &s->watch);
	}
	s->writable = writable;
}

/* --- The channel. --- */

static int errno_of(int status)
{
	switch (status) {
	case ARES_SUCCESS:
		return 0;
	case ARES_ENODATA:
	case ARES_ENOTFOUND:
	case ARES_ENONAME:
		return -ENOENT;
	case ARES_ETIMEOUT:
		return -ETIMEDOUT;
	case ARES_EBADNAME:
	case ARES_EBADSTR:
		return -EINVAL;
	default:
		return -EIO;
	}
}

static int channel_open(struct resolver *r)
{
	struct ares_options options = { .timeout = TRY_MS, .tries = TRIES, .sock_state_cb = socket_wanted,
	                                .sock_state_cb_data = r };
	int status = ares_init_options(&r->channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
	if (status == ARES_SUCCESS && r->servers && ares_set_servers_ports_csv(r->channel, r->servers) != ARES_SUCCESS) {
		ares_destroy(r->channel);
		return -EINVAL;
	}
	return errno_of(status);
}

static struct timespec system_time(void)
{
	struct stat st;
	return stat("/etc/resolv.conf", &st) ? (struct timespec){} : st.st_mtim;
}

/* Machines change networks, containers get their servers late: the library itself never looks again. */
static void system_renew(struct resolver *r)
{
	struct timespec now = system_time();
	bool same = now.tv_sec == r->system_read.tv_sec && now.tv_nsec == r->system_read.tv_nsec;
	if (r->servers || same || !link_alone(&r->all))
		return;
	ares_channel old = r->channel;
	if (channel_open(r)) {
		r->channel = old;
		return;
	}
	ares_destroy(old);
	r->system_read = now;
}

int resolver_new(struct resolver **out, struct loop *l, struct str servers)
{
	struct resolver *r = MEM_NEW(struct resolver);
	r->loop = l;
	link_init(&r->sockets);
	link_init(&r->all);
	timer_init(&r->timer, timer_fired);
	r->system_read = system_time();
	if (servers.n) {
		r->servers = mem_new(servers.n + 1);
		memcpy(r->servers, servers.p, servers.n);
	}
	int err = ares_library_init(ARES_LIB_INIT_ALL) ? -EIO : channel_open(r);
	if (err) {
		mem_free(r->servers);
		mem_free(r);
		return err;
	}
	*out = r;
	return 0;
}

/* --- What is asked. --- */

static void asked_drop(struct asked *a)
{
	if (a->left || a->query)
		return;
	link_del(&a->link);
	task_stop(&a->task);
	timer_stop(&a->timer);
	mem_free(a->found);
	mem_free(a);
}

static int address_order(const void *a, const void *b)
{
	const struct resolved *x = a, *y = b;
	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	if (x->addr.length != y->addr.length)
		return x->addr.length < y->addr.length ? -1 : 1;
	return memcmp(&x->addr.storage, &y->addr.storage, x->addr.length);
}

/* Nothing more is awaited: the asker hears of it in this turn. */
static void asked_end(struct asked *a, int err, const char *why)
{
	if (!a->query || !link_alone(&a->task.link))
		return;
	timer_stop(&a->timer);
	a->err = err;
	a->why = why;
	if (!err)
		qsort(a->found, a->count, sizeof *a->found, address_order);
	loop_queue(a->resolver->loop, &a->task);
}

static void asked_tell(struct task *t)
{
	struct asked *a = container_of(t, struct asked, task);
	struct resolver_query *q = a->query;
	struct resolver_answer answer = { .err = a->err, .why = a->why, .ttl_ms = a->ttl_ms };
	if (!a->err) {
		answer.found = a->found;
		answer.count = a->count;
	}
	q->asked = NULL;
	a->query = NULL;
	a->left++;  /* held while the asker looks at it */
	q->done(q, &answer);
	a->left--;
	asked_drop(a);
}

static void asked_late(struct timer *t)
{
	asked_end(container_of(t, struct asked, timer), -ETIMEDOUT, "no name server answered in time");
}

/* One callback less to come.  Whatever was found is good, even where another target has no address. */
static void asked_heard(struct asked *a, int status)
{
	a->left--;
	if (!a->left && a->count)
		asked_end(a, 0, NULL);
	else if (!a->left)
		asked_end(a, errno_of(status) ? errno_of(status) : -ENOENT, ares_strerror(status ? status : ARES_ENODATA));
	asked_drop(a);
}

static void ttl_note(struct asked *a, int ttl_s)
{
	uint64_t ttl_ms = ttl_s > 0 ? (uint64_t)ttl_s * 1000 : 0;
	if (ttl_ms < a->ttl_ms)
		a->ttl_ms = ttl_ms;
}

static void found_add(struct asked *a, const struct lookup *k, const struct ares_addrinfo_node *n)
{
	if (a->count == FOUND_MOST || n->ai_addrlen > sizeof(struct sockaddr_storage))
		return;
	a->found = mem_grow(a->found, (a->count + 1) * sizeof *a->found);
	struct resolved *found = &a->found[a->count++];
	*found = (struct resolved){ .priority = k->priority, .weight = k->weight, .addr.length = n->ai_addrlen };
	memcpy(&found->addr.storage, n->ai_addr, n->ai_addrlen);
	if (n->ai_family == AF_INET)
		((struct sockaddr_in *)&found->addr.storage)->sin_port = htons(k->port);
	else
		((struct sockaddr_in6 *)&found->addr.storage)->sin6_port = htons(k->port);
	ttl_note(a, n->ai_ttl);
}

static int family_of(const struct ares_addrinfo_node *nodes)
{
	for (const struct ares_addrinfo_node *n = nodes; n; n = n->ai_next)
		if (n->ai_family == AF_INET)
			return AF_INET;
	return AF_INET6;
}

/* Called by the library. */
static void addresses_heard(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	struct lookup *k = arg;
	struct asked *a = k->asked;
	(void)timeouts;
	struct ares_addrinfo_node *nodes = info ? info->nodes : NULL;
	int family = family_of(nodes);
	for (struct ares_addrinfo_node *n = nodes; n; n = n->ai_next)
		if (n->ai_family == family)
			found_add(a, k, n);
	for (struct ares_addrinfo_cname *c = info ? info->cnames : NULL; c; c = c->next)
		ttl_note(a, c->ttl);
	if (info)
		ares_freeaddrinfo(info);
	mem_free(k);
	asked_heard(a, status);
}

static void addresses_ask(struct asked *a, const char *name, struct lookup what)
{
	static const struct ares_addrinfo_hints HINTS = { .ai_family = AF_UNSPEC, .ai_flags = ARES_AI_NOSORT,
	                                                  .ai_socktype = SOCK_STREAM };
	struct lookup *k = MEM_NEW(struct lookup);
	*k = what;
	k->asked = a;
	a->left++;
	ares_getaddrinfo(a->resolver->channel, name, NULL, &HINTS, addresses_heard, k);
}

/* The library parses SRV records without their TTLs: the shortest of the answers (RFC 1035, 4.1).  0 where the reply can't
 * be understood. */
static int srv_ttl(const unsigned char *reply, int length)
{
	const unsigned char *at = reply + NS_HFIXEDSZ, *end = reply + length;
	if (length < NS_HFIXEDSZ)
		return 0;
	int questions = reply[4] << 8 | reply[5], answers = reply[6] << 8 | reply[7], least = 0;
	for (int i = 0; i < questions + answers; i++) {
		char *name;
		long name_b;
		if (ares_expand_name(at, reply, length, &name, &name_b) != ARES_SUCCESS)
			return 0;
		ares_free_string(name);
		at += name_b;
		if (end - at < (i < questions ? NS_QFIXEDSZ : NS_RRFIXEDSZ))
			return 0;
		if (i < questions) {
			at += NS_QFIXEDSZ;
			continue;
		}
		uint32_t ttl = (uint32_t)at[4] << 24 | (uint32_t)at[5] << 16 | (uint32_t)at[6] << 8 | at[7];
		if (i == questions || (int)ttl < least)
			least = (int)ttl;
		int data_b = at[8] << 8 | at[9];
		at += NS_RRFIXEDSZ;
		if (end - at < data_b)
			return 0;
		at += data_b;
	}
	return least;
}

/* Called by the library. */
static void srv_heard(void *arg, int status, int timeouts, unsigned char *reply, int length)
{
	struct asked *a = arg;
	struct ares_srv_reply *targets = NULL;
	unsigned count = 0;
	(void)timeouts;
	if (status == ARES_SUCCESS)
		status = ares_parse_srv_reply(reply, length, &targets);
	if (targets)
		ttl_note(a, srv_ttl(reply, length));
	/* A target "." says that there is no such service (RFC 2782). */
	for (struct ares_srv_reply *t = targets; t && a->query && count < TARGETS_MOST; t = t->next)
		if (t->host[0] && strcmp(t->host, ".") != 0) {
			addresses_ask(a, t->host, (struct lookup){ .port = t->port, .priority = t->priority, .weight = t->weight });
			count++;
		}
	if (targets)
		ares_free_data(targets);
	asked_heard(a, status);
}

void resolver_ask(struct resolver *r, struct resolver_query *q)
{
	must(!q->asked);
	system_renew(r);
	struct asked *a = MEM_NEW(struct asked);
	a->resolver = r;
	a->query = q;
	a->ttl_ms = UINT64_MAX;
	task_init(&a->task, asked_tell);
	timer_init(&a->timer, asked_late);
	link_add(&r->all, &a->link);
	q->asked = a;
	if (!q->name.n || q->name.n >= NAME_B || memchr(q->name.p, '\0', q->name.n)) {
		asked_end(a, -EINVAL, "not a name");
		return;
	}
	memcpy(a->name, q->name.p, q->name.n);
	timer_set(&r->loop->wheel, &a->timer, r->loop->now_ms + q->timeout_ms);
	if (q->srv) {
		a->left++;
		ares_query(r->channel, a->name, ns_c_in, ns_t_srv, srv_heard, a);
	} else {
		addresses_ask(a, a->name, (struct lookup){ .port = q->port });
	}
	timer_renew(r);
}

void resolver_cancel(struct resolver_query *q)
{
	struct asked *a = q->asked;
	if (!a)
		return;
	q->asked = NULL;
	a->query = NULL;
	task_stop(&a->task);
	timer_stop(&a->timer);
	asked_drop(a);
}

void resolver_free(struct resolver *r)
{
	struct link *next;
	if (!r)
		return;
	for (struct link *at = r->all.next; at != &r->all; at = next) {
		next = at->next;
		struct asked *a = container_of(at, struct asked, link);
		if (a->query)
			resolver_cancel(a->query);
	}
	ares_destroy(r->channel);
	must(link_alone(&r->all) && link_alone(&r->sockets));
	timer_stop(&r->timer);
	ares_library_cleanup();
	mem_free(r->servers);
	mem_free(r);
}
