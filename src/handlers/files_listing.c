/* Listings of folders.  listing_make() runs on a thread of the disk engine and touches nothing but its own struct: it reads
 * the folder and prints what is shown of it, which takes some milliseconds for a large one.  The rest runs on the request's
 * loop. */
#include "handlers/files_listing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/civil.h"
#include "base/mem.h"
#include "http/target.h"

enum { ENTRIES_MOST = 20000 };  /* shown; the page says when there are more */

struct entry {
	size_t name_at;    /* in names: a C string */
	uint64_t size_b;
	int64_t mtime_s;
	bool folder;
};

struct listing {
	struct disk_job job;
	struct req *req;          /* NULL: the request is gone */
	bool over;
	bool hidden;              /* names that begin with a dot are shown */
	bool json;
	bool more;                /* there are more than ENTRIES_MOST */
	int follow;
	struct arena arena;       /* of the strings below, and of what is needed for printing */
	struct str root, path;    /* C strings; path is below the root, "" is the root */
	struct str asked;         /* the path that the client asked for */
	struct buf page;          /* what is shown */
	struct buf names;
	struct entry *entries;
	size_t count, cap;
};

/* --- On a thread. --- */

static int open_folder(const struct listing *l)
{
	struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK,
		                .resolve = RESOLVE_NO_MAGICLINKS };
	if (l->follow != FOLLOW_ANY)
		how.resolve |= RESOLVE_BENEATH;
	if (l->follow == FOLLOW_NONE)
		how.resolve |= RESOLVE_NO_SYMLINKS;
	int root = open(l->root.p, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	int fd = (int)syscall(SYS_openat2, root, l->path.n ? l->path.p : ".", &how, sizeof how);
	int err = fd < 0 ? -errno : 0;
	close(root);
	return err ? err : fd;
}

static void add_entry(struct listing *l, int fd, const char *name)
{
	struct stat st;
	/* What can't be served is not shown: sockets, devices, links that lead nowhere. */
	if (fstatat(fd, name, &st, 0) < 0 || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
		return;
	if (l->count == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 64;
		l->entries = mem_grow(l->entries, l->cap * sizeof *l->entries);
	}
	l->entries[l->count++] = (struct entry){ l->names.n, (uint64_t)st.st_size, st.st_mtim.tv_sec,
		                                 S_ISDIR(st.st_mode) };
	buf_add(&l->names, str_make(name, strlen(name) + 1));
}

static int by_name(const void *a, const void *b, void *names)
{
	const struct entry *x = a, *y = b;
	if (x->folder != y->folder)
		return x->folder ? -1 : 1;
	return strcmp((char *)names + x->name_at, (char *)names + y->name_at);
}

static int read_folder(struct listing *l)
{
	int fd = open_folder(l);
	if (fd < 0)
		return fd;
	DIR *dir = fdopendir(fd);
	if (!dir) {
		int err = -errno;
		close(fd);
		return err;
	}
	for (struct dirent *d; (d = readdir(dir));) {
		bool dots = !strcmp(d->d_name, ".") || !strcmp(d->d_name, "..");
		if (dots || (d->d_name[0] == '.' && !l->hidden))
			continue;
		l->more = l->count == ENTRIES_MOST;
		if (l->more)
			break;
		add_entry(l, fd, d->d_name);
	}
	closedir(dir);
	if (l->count)
		qsort_r(l->entries, l->count, sizeof *l->entries, by_name, l->names.p);
	return 0;
}

/* --- Showing it, there. --- */

static struct str name_of(const struct listing *l, const struct entry *e)
{
	return str_of(l->names.p + e->name_at);
}

static void add_size(struct buf *out, uint64_t size_b)
{
	static const char *const UNITS[] = { "B", "KB", "MB", "GB", "TB" };
	double size = (double)size_b;
	size_t unit = 0;
	while (size >= 1000 && unit + 1 < countof(UNITS)) {
		size /= 1024;
		unit++;
	}
	buf_addf(out, unit && size < 10 ? "%.1f %s" : "%.0f %s", size, UNITS[unit]);
}

static const char STYLE[] =
	":root{color-scheme:light dark;--text:#1d2733;--soft:#5d6b7a;--back:#fff;--raised:#f4f6f8;--line:#dde3e9;"
	"--link:#00658c}"
	"@media(prefers-color-scheme:dark){:root{--text:#dfe5ea;--soft:#96a3b0;--back:#14191f;--raised:#1d242c;"
	"--line:#313b46;--link:#6cc3e6}}"
	"body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2.5rem auto;padding:0 1rem;color:var(--text);"
	"background:var(--back)}a{color:var(--link);text-decoration:none}"
	"h1{font-size:1.35rem;font-weight:600;overflow-wrap:anywhere;margin:0 .5rem 1.2rem}"
	"h1 a{color:var(--soft)}h1 a:last-child{color:inherit}"
	"table{border-collapse:collapse;width:100%}td,th{padding:.35rem .5rem;border-bottom:1px solid var(--line);"
	"text-align:left;font-weight:400}th{color:var(--soft);font-size:.85rem}"
	"td:first-child{overflow-wrap:anywhere;width:100%}td a{display:block}a:hover{text-decoration:underline}"
	".n{text-align:right;white-space:nowrap;color:var(--soft);font-variant-numeric:tabular-nums;padding-left:1.2rem}"
	"tr:hover td{background:var(--raised)}.f a{font-weight:600}"
	"footer{color:var(--soft);font-size:.85rem;margin:1rem .5rem 2rem}"
	"@media(max-width:36rem){body{margin-top:1.2rem}.t{display:none}td{padding:.5rem}}";

/* Each part of the path links to its folder. */
static void add_crumbs(struct buf *out, struct arena *a, struct str path)
{
	buf_add(out, STR("<h1><a href=\"/\">/</a>"));
	for (size_t i = 1; i < path.n; i++) {
		size_t end = i + str_find(str_from(path, i), '/');
		buf_add(out, STR("<a href=\""));
		buf_add_html(out, target_encode(a, str_head(path, end + 1)));
		buf_add(out, STR("\">"));
		buf_add_html(out, str_from(str_head(path, end), i));
		buf_add(out, STR("/</a>"));
		i = end;
	}
	buf_add(out, STR("</h1>\n"));
}

static void add_row(struct buf *out, struct listing *l, const struct entry *e)
{
	struct str slash = e->folder ? STR("/") : STR("");
	buf_addf(out, "<tr%s><td><a href=\"./", e->folder ? " class=\"f\"" : "");
	buf_add_html(out, target_encode(&l->arena, name_of(l, e)));
	buf_add(out, slash);
	buf_add(out, STR("\">"));
	buf_add_html(out, name_of(l, e));
	buf_add(out, slash);
	buf_add(out, STR("</a></td><td class=\"n\">"));
	if (!e->folder)
		add_size(out, e->size_b);
	buf_add(out, STR("</td><td class=\"n t\">"));
	struct civil t = civil_of(e->mtime_s);
	buf_addf(out, "%04lld-%02u-%02u %02u:%02u", (long long)t.year, t.month, t.day, t.hour, t.minute);
	buf_add(out, STR("</td></tr>\n"));
}

static void print_html(struct buf *out, struct listing *l)
{
	buf_add(out, STR("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
	                 "<meta name=\"viewport\" content=\"width=device-width\"><title>"));
	buf_add_html(out, l->asked);
	buf_addf(out, "</title>\n<style>%s</style></head>\n<body>", STYLE);
	add_crumbs(out, &l->arena, l->asked);
	buf_add(out, STR("<table><tr><th>Name</th><th class=\"n\">Size</th><th class=\"n t\">Changed (UTC)</th></tr>\n"));
	if (!str_eq(l->asked, STR("/")))
		buf_add(out, STR("<tr class=\"f\"><td><a href=\"../\">..</a></td><td></td><td class=\"t\"></td></tr>\n"));
	for (size_t i = 0; i < l->count; i++)
		add_row(out, l, &l->entries[i]);
	buf_addf(out, "</table>\n<footer>%zu %s%s</footer></body></html>\n", l->count, l->count == 1 ? "entry" : "entries",
	         l->more ? ", and more that are not shown" : "");
}

static void print_json(struct buf *out, const struct listing *l)
{
	buf_add(out, STR("{\"path\":\""));
	buf_add_json(out, l->asked);
	buf_addf(out, "\",\"complete\":%s,\"entries\":[", l->more ? "false" : "true");
	for (size_t i = 0; i < l->count; i++) {
		const struct entry *e = &l->entries[i];
		buf_addf(out, "%s\n{\"name\":\"", i ? "," : "");
		buf_add_json(out, name_of(l, e));
		buf_addf(out, "\",\"type\":\"%s\",\"size\":%llu,\"modified\":\"", e->folder ? "folder" : "file",
		         e->folder ? 0ull : (unsigned long long)e->size_b);
		out->n += civil_print(buf_room(out, 32), e->mtime_s);
		buf_add(out, STR("Z\"}"));
	}
	buf_add(out, STR("\n]}\n"));
}

static void listing_make(struct disk_job *job)
{
	struct listing *l = container_of(job, struct listing, job);
	job->err = read_folder(l);
	if (job->err)
		return;
	if (l->json)
		print_json(&l->page, l);
	else
		print_html(&l->page, l);
}

/* --- On the loop. --- */

static void listing_free(struct listing *l)
{
	buf_fini(&l->page);
	buf_fini(&l->names);
	mem_free(l->entries);
	arena_fini(&l->arena);
	mem_free(l);
}

static void listing_done(struct mail *m)
{
	struct listing *l = container_of(m, struct listing, job.done);
	l->over = true;
	if (!l->req)
		listing_free(l);
	else
		loop_queue(&l->req->home->loop, l->req->task);
}

struct listing *listing_start(struct req *r, const struct tree *tree, struct str path, bool hidden)
{
	struct listing *l = MEM_NEW(struct listing);
	arena_init(&l->arena, NULL, 0);
	l->req = r;
	l->hidden = hidden;
	l->follow = tree->follow;
	l->json = req_prefers_json(r);
	l->root = arena_str(&l->arena, tree->root);
	l->path = arena_str(&l->arena, str_from(path, 1));
	l->asked = arena_str(&l->arena, r->ask.path);
	l->job = (struct disk_job){ .done.deliver = listing_done, .to = &r->home->loop.mailbox, .op = DISK_CALL,
		                    .call = listing_make };
	if (disk_submit(r->home->disk, &l->job) == 0)
		return l;
	listing_free(l);
	return NULL;
}

int listing_ready(const struct listing *l)
{
	return l->over ? l->job.err : -EAGAIN;
}

void listing_close(struct listing *l)
{
	if (l->over)
		listing_free(l);
	else
		l->req = NULL;
}

void listing_answer(struct req *r, const struct listing *l)
{
	answer_bytes(r, 200, l->json ? STR("application/json") : STR("text/html; charset=utf-8"),
	             arena_str(&r->arena, buf_str(&l->page)));
	answer_add(r, STR("Vary"), STR("Accept"));
	answer_add(r, STR("Cache-Control"), STR("no-cache"));
}
