/* petrel version: asks the libraries and tries the kernel's calls.  Everything is a row: a group, a name, a text. */
#include "main/cli_version.h"

#include <brotli/encode.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <liburing.h>
#include <linux/openat2.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <xxhash.h>
#include <zlib.h>
#include <zstd.h>

#include "base/mem.h"
#include "event/disk.h"

#ifndef SYS_cachestat
#define SYS_cachestat 451  /* newer than Debian 12's headers; the same number everywhere */
#endif

const struct option VERSION_OPTIONS[] = {
	[VERSION_JSON] = { "json", 0, NULL, "as one JSON object" },
	{},
};

enum { TEXT_B = 160 };

struct row {
	const char *group, *name;
	void (*tell)(char *text);  /* TEXT_B bytes */
};

static void tell_pcre2(char *text)
{
	char version[64] = "";
	pcre2_config(PCRE2_CONFIG_VERSION, version);
	snprintf(text, TEXT_B, "%s", version);
}

static void tell_zlib(char *text)
{
	snprintf(text, TEXT_B, "%s", zlibVersion());
}

static void tell_brotli(char *text)
{
	uint32_t v = BrotliEncoderVersion();  /* 8 bits major, 12 minor, 12 patch */
	snprintf(text, TEXT_B, "%u.%u.%u", v >> 24, v >> 12 & 0xfff, v & 0xfff);
}

static void tell_zstd(char *text)
{
	snprintf(text, TEXT_B, "%s", ZSTD_versionString());
}

static void tell_liburing(char *text)
{
	snprintf(text, TEXT_B, "%s", LIBURING_VERSION);
}

static void tell_jansson(char *text)
{
	snprintf(text, TEXT_B, "%s", JANSSON_VERSION);
}

static void tell_xxhash(char *text)
{
	snprintf(text, TEXT_B, "%d.%d.%d", XXH_VERSION_MAJOR, XXH_VERSION_MINOR, XXH_VERSION_RELEASE);
}

static void tell_kernel(char *text)
{
	struct utsname u;
	uname(&u);
	snprintf(text, TEXT_B, "%.60s %.60s", u.sysname, u.release);
}

static void tell_disk(char *text)
{
	const char *reason = "";
	bool uring = disk_probe(&reason) == DISK_URING;
	snprintf(text, TEXT_B, "%s (%s)", uring ? "yes" : "no: threads read the disk", reason);
}

/* err: of a call that could only fail for want of it. */
static void yes_or_no(char *text, bool works, int err, const char *without)
{
	if (works)
		snprintf(text, TEXT_B, "yes");
	else
		snprintf(text, TEXT_B, "no (%s): %s", strerror(err), without);
}

/* "." is in the kernel's cache of names if anything is. */
static void tell_openat2(char *text)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_CACHED };
	long fd = syscall(SYS_openat2, AT_FDCWD, ".", &how, sizeof how);
	int err = errno;
	if (fd >= 0)
		close((int)fd);
	yes_or_no(text, fd >= 0 || err == EAGAIN, err, "every open goes to the disk engine");
}

static int open_self(void)
{
	return open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
}

static void tell_nowait(char *text)
{
	char byte;
	struct iovec part = { &byte, 1 };
	int fd = open_self();
	ssize_t n = preadv2(fd, &part, 1, 0, RWF_NOWAIT);
	int err = errno;
	close(fd);
	yes_or_no(text, n == 1 || err == EAGAIN, err, "every read goes to the disk engine");
}

static void tell_cachestat(char *text)
{
	uint64_t range[2] = { 0, 1 }, stat[5];
	int fd = open_self();
	long result = syscall(SYS_cachestat, fd, range, stat, 0);
	int err = errno;
	close(fd);
	yes_or_no(text, result == 0, err, "the page cache is asked page by page");
}

static const struct row ROWS[] = {
	{ "libraries", "pcre2", tell_pcre2 },
	{ "libraries", "zlib", tell_zlib },
	{ "libraries", "brotli", tell_brotli },
	{ "libraries", "zstd", tell_zstd },
	{ "libraries", "liburing", tell_liburing },
	{ "libraries", "jansson", tell_jansson },
	{ "libraries", "xxhash", tell_xxhash },
	{ "kernel", "release", tell_kernel },
	{ "kernel", "io_uring", tell_disk },
	{ "kernel", "openat2 RESOLVE_CACHED", tell_openat2 },
	{ "kernel", "preadv2 RWF_NOWAIT", tell_nowait },
	{ "kernel", "cachestat", tell_cachestat },
};

static void print_text(void)
{
	const char *group = "";
	printf("petrel %s\n", PETREL_VERSION);
	for (size_t i = 0; i < countof(ROWS); i++) {
		char text[TEXT_B];
		ROWS[i].tell(text);
		if (strcmp(group, ROWS[i].group) != 0)
			printf("%s:\n", ROWS[i].group);
		group = ROWS[i].group;
		printf("  %-23s %s\n", ROWS[i].name, text);
	}
}

static void print_json(void)
{
	json_t *all = json_object();
	json_object_set_new(all, "version", json_string(PETREL_VERSION));
	for (size_t i = 0; i < countof(ROWS); i++) {
		char text[TEXT_B];
		ROWS[i].tell(text);
		if (!json_object_get(all, ROWS[i].group))
			json_object_set_new(all, ROWS[i].group, json_object());
		json_object_set_new(json_object_get(all, ROWS[i].group), ROWS[i].name, json_string(text));
	}
	json_dumpf(all, stdout, JSON_INDENT(2));
	puts("");
	json_decref(all);
}

int cli_version(const struct options *o)
{
	if (o->values[VERSION_JSON])
		print_json();
	else
		print_text();
	return 0;
}
