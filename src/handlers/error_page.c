/* error_page: answers that say what went wrong in the site's own words.  Runs on the request's loop; keeps nothing.
 *
 * The request goes its way again with the page's path, as a GET, with the status kept; what happens when the page itself
 * is missing is for the steps to see to (http/steps.c): the plain page, never a circle. */
#include "handlers/handlers.h"
#include "http/check.h"
#include "http/req.h"

/* A word of the directive: a status, or, as the last one, the page's path. */
struct word {
	uint64_t status;        /* 0: it is the path */
	struct str path;
};

struct page {
	struct items words;     /* struct word */
};

struct error_pages {
	struct items pages;     /* struct page: the last one that names a status holds */
};

static bool error_page_active(const void *values)
{
	const struct error_pages *v = values;
	return v->pages.count;
}

static bool has_status(const struct page *page, unsigned status)
{
	const struct word *words = page->words.p;
	for (size_t i = 0; i < page->words.count; i++)
		if (words[i].status == status)
			return true;
	return false;
}

/* The path of the page for a status; .p NULL: none. */
static struct str path_of(const struct error_pages *v, unsigned status)
{
	const struct page *pages = v->pages.p;
	for (size_t i = v->pages.count; i-- > 0;) {
		const struct word *words = pages[i].words.p;
		if (has_status(&pages[i], status))
			return words[pages[i].words.count - 1].path;
	}
	return (struct str){ NULL, 0 };
}

static enum go error_page_head(struct req *r, const void *values)
{
	struct str path = path_of(values, r->answer.status);
	if (!path.p || r->kept_status || r->again == REQ_AGAIN)
		return GO_NEXT;
	return req_again_page(r, path);
}

/* --- Configuration. --- */

static int word_parse(struct type_in *in, struct str text, const struct type_range *range, void *out)
{
	struct word *w = out;
	*w = (struct word){};
	if (text.n && text.p[0] == '/')
		return TYPE_WORD.parse(in, text, range, &w->path);
	return TYPE_NUMBER.parse(in, text, range, &w->status);
}

static void word_print(struct buf *out, const struct type_range *range, const void *value)
{
	const struct word *w = value;
	if (w->status)
		TYPE_NUMBER.print(out, range, &w->status);
	else
		TYPE_WORD.print(out, range, &w->path);
}

static const struct type TYPE_STATUS_OR_PATH = { "status", "statuses from 400 to 599, then a path such as /404.html",
	                                         sizeof(struct word), word_parse, word_print };

static void error_page_check(struct checker *c, void *values)
{
	struct error_pages *v = values;
	const struct page *pages = v->pages.p;
	for (size_t i = 0; i < v->pages.count; i++) {
		const struct word *words = pages[i].words.p;
		size_t last = pages[i].words.count - 1;
		if (!last || words[last].status)
			check_error(c, &words[last], "first come statuses, and at the end the path of their page");
		for (size_t k = 0; k < last; k++)
			if (!words[k].status)
				check_error(c, &words[k], "only the last word is a path");
	}
}

static const struct directive DIRECTIVES[] = {
	{ .name = "error_page", .kind = DIR_LIST, .scopes = SCOPE_ALL, .offset = offsetof(struct error_pages, pages),
	  .item_size = sizeof(struct page),
	  .args = ARGS({ "statuses_and_path", &TYPE_STATUS_OR_PATH, offsetof(struct page, words), ARG_MANY,
	                 { 400, 599, NULL } }),
	  .doc = "What is served instead of the plain page for these statuses: the path is routed as if it had been asked for, "
	         "and the status stays.",
	  .example = "error_page 404 /404.html;\nerror_page 500 502 503 /sorry.html;" },
	{},
};

const struct module ERROR_PAGE = {
	.name = "error_page",
	.doc = "The site's own pages for what went wrong.",
	.size = sizeof(struct error_pages),
	.directives = DIRECTIVES,
	.active = error_page_active,
	.on_head = error_page_head,
	.check = error_page_check,
};
