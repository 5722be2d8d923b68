/* shed: 503 for requests that are refused for load, with a body of the kind that was asked for: a page full of images
 * shows a placeholder instead of broken ones, and a script gets JSON to read.  `all` refuses everything: an operator's
 * hand on the valve.
 *
 * The image is read into memory when its snapshot is opened, so that refusing needs no disk.  Runs on the request's
 * loop; open and close on the control thread. */
#include "http/shed.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "http/check.h"
#include "http/mime.h"
#include "http/req.h"

enum { IMAGE_MOST_B = 64 * 1024, RETRY_DEFAULT_S = 2 };

struct shed {
	uint64_t retry_after_ms;
	bool all;
	struct str image;
	struct str bytes;    /* of the image, while the snapshot is open; .p NULL: none */
};

enum kind { KIND_PAGE, KIND_IMAGE, KIND_JSON };

/* By the name's ending, else by what the client likes best. */
static enum kind kind_of(const struct req *r)
{
	struct str type = mime_of(r->ask.path), accept = ask_field(&r->ask, FIELD_ACCEPT), first;
	if (str_starts(type, STR("image/")))
		return KIND_IMAGE;
	if (str_eq(type, STR("application/json")))
		return KIND_JSON;
	if (!list_next(&accept, &first))
		return KIND_PAGE;
	if (str_starts(first, STR("image/")))
		return KIND_IMAGE;
	return str_starts(first, STR("application/json")) ? KIND_JSON : KIND_PAGE;
}

enum go req_shed(struct req *r, enum end why)
{
	const struct shed *v = req_values(r, &SHED);
	unsigned long long retry_s = v ? (v->retry_after_ms + 999) / 1000 : RETRY_DEFAULT_S;
	enum kind kind = kind_of(r);
	r->cause = why;
	r->shed = true;
	counter_add(&req_meter(r)->shed, 1);
	if (kind == KIND_IMAGE && v && v->bytes.p)
		answer_bytes(r, 503, mime_of(v->image), v->bytes);
	else if (kind == KIND_JSON)
		answer_bytes(r, 503, STR("application/json"),
		             arena_strf(&r->arena, "{\"status\":503,\"error\":\"Service Unavailable\",\"retry_after\":%llu}\n",
		                        retry_s));
	else
		req_answer_why(r, 503, "The server has more to do than it can. Please try again in a moment.");
	answer_add(r, STR("Retry-After"), arena_strf(&r->arena, "%llu", retry_s));
	answer_add(r, STR("Cache-Control"), STR("no-store"));
	return GO_ANSWER;
}

static bool shed_active(const void *values)
{
	return ((const struct shed *)values)->all;
}

static enum go shed_gate(struct req *r, const void *values)
{
	(void)values;
	return req_shed(r, END_SHED_ALL);
}

/* --- Configuration. --- */

/* 0 and *bytes, from mem_new(); or -errno, -EFBIG. */
static int image_read(struct str path, struct str *bytes)
{
	struct stat st;
	int fd = open(path.p, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err = fd < 0 ? -errno : 0;
	if (fd < 0)
		return err;
	char *p = mem_new(IMAGE_MOST_B + 1);
	ssize_t n = fstat(fd, &st) || !S_ISREG(st.st_mode) ? -1 : read(fd, p, IMAGE_MOST_B + 1);
	if (n <= 0)
		err = -EINVAL;
	else if (n > IMAGE_MOST_B)
		err = -EFBIG;
	close(fd);
	if (err)
		mem_free(p);
	else
		*bytes = str_make(p, (size_t)n);
	return err;
}

static void shed_check(struct checker *c, void *values)
{
	struct shed *v = values;
	struct str bytes;
	if (!v->image.n || !check_was_set(c, &v->image))
		return;
	if (!str_starts(mime_of(v->image), STR("image/")))
		check_error(c, &v->image, "the ending of \"%.*s\" is no image's", STR_F(v->image));
	int err = check_files(c) ? image_read(v->image, &bytes) : -ECANCELED;
	if (!err)
		mem_str_free(bytes);
	else if (err == -EFBIG)
		check_error(c, &v->image, "the image is larger than %d KB", IMAGE_MOST_B / 1024);
	else if (err != -ECANCELED)
		check_warn(c, &v->image, "the image \"%.*s\" can't be read; images that are refused get a page",
		           STR_F(v->image));
}

/* What the check warned of is served without an image. */
static void shed_open(void *values, const struct commons *with)
{
	struct shed *v = values;
	(void)with;
	v->bytes = (struct str){};
	if (v->image.n && image_read(v->image, &v->bytes))
		v->bytes = (struct str){};
}

static void shed_close(void *values, const struct commons *with)
{
	struct shed *v = values;
	(void)with;
	mem_str_free(v->bytes);
	v->bytes = (struct str){};
}

static const struct directive INNER[] = {
	{ .name = "retry_after", .offset = offsetof(struct shed, retry_after_ms),
	  .args = ARGS({ "time", &TYPE_DURATION, .range = { 1000, 86400000, NULL }, .preset = "2s" }),
	  .doc = "When the client is asked to try again, in whole seconds." },
	{ .name = "all", .offset = offsetof(struct shed, all),
	  .args = ARGS({ "flag", &TYPE_FLAG, .preset = "off" }),
	  .doc = "on: every request is refused, as if for load: while what is behind it is mended. `petrel ctl shed on` sets "
	         "it in a running server." },
	{ .name = "image", .fixed = FIXED_RELOAD, .offset = offsetof(struct shed, image),
	  .args = ARGS({ "file", &TYPE_PATH }),
	  .doc = "What is sent in place of an image, at most 64 KB. Kept in memory." },
	{},
};

static const struct directive DIRECTIVES[] = {
	{ .name = "shed", .kind = DIR_GROUP, .scopes = SCOPE_ALL, .inner = INNER,
	  .doc = "What a request gets that is refused because the disk has too much to do: 503, Retry-After, and a body of the "
	         "kind that was asked for: an image, a JSON object, or a short page.",
	  .example = "shed { retry_after 2s; image /srv/www/busy.gif; }" },
	{},
};

const struct module SHED = {
	.name = "shed",
	.doc = "Requests that are refused for load.",
	.size = sizeof(struct shed),
	.directives = DIRECTIVES,
	.active = shed_active,
	.gate = shed_gate,
	.check = shed_check,
	.open = shed_open,
	.close = shed_close,
};
