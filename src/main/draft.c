/* Reading and checking a configuration with the supervisor's rights.  The supervisor's thread. */
#include "main/draft.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/whole.h"
#include "config/build.h"
#include "control/alert_conf.h"
#include "handlers/cgi.h"
#include "http/backend.h"
#include "main/channel.h"
#include "main/modules.h"

/* Sealed, so that no worker can change what the next one will be started with. */
static int keep_sources(const struct sources *sources, int *out)
{
	struct buf bytes = {};
	int fd = memfd_create("petrel sources", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	sources_write(sources, &bytes);
	int err = write_whole(fd, buf_str(&bytes));
	if (!err && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
		err = -errno;
	buf_fini(&bytes);
	if (err)
		close(fd);
	else
		*out = fd;
	return err;
}

static int open_all(struct draft *d, const struct conf *conf, struct draft *old, const struct passed *passed,
                    struct messages *m)
{
	char error[512] = "";
	int err = grants_wanted(&d->grants, conf, error, sizeof error);
	if (!err)
		err = grants_open(&d->grants, old ? &old->grants : NULL, passed, error, sizeof error);
	if (err)
		message_add(m, LEVEL_ERROR, NULL, "%s", error);
	return err;
}

static void look_at_apps(struct draft *d, const struct conf *conf)
{
	const struct backends *all = conf_backends(conf);
	const struct alerts_conf *alerts = conf_alerts(conf);
	d->has_apps = cgi_is_used(conf) || alerts->notifies.count;
	for (size_t i = 0; i < all->apps.count; i++) {
		const struct app_conf *app = &((const struct backend *)all->apps.p)[i].app;
		d->has_apps = true;
		if (app->stop_timeout_ms > d->apps_stop_ms)
			d->apps_stop_ms = app->stop_timeout_ms;
	}
}

/* NULL where there is none. */
static char *path_copy(struct str path)
{
	char *copy = path.n ? mem_new(path.n + 1) : NULL;
	if (copy)
		memcpy(copy, path.p, path.n);
	return copy;
}

static int check(struct draft *d, const struct sources *sources, struct draft *old, const struct passed *passed,
                 struct messages *m)
{
	struct conf *conf;
	int err = conf_build(sources, MODULES, MODULE_COUNT, true, m, &conf);
	if (err)
		return err;
	const struct core *core = conf_core(conf);
	d->drain_timeout_ms = core->drain_timeout_ms;
	d->has_user = core->user.n > 0;
	d->state = path_copy(core->state);
	look_at_apps(d, conf);
	err = open_all(d, conf, old, passed, m);
	if (!err && (err = keep_sources(sources, &d->sources)))
		message_add(m, LEVEL_ERROR, NULL, "no memory file for the configuration: %s", strerror(-err));
	conf_free(conf);
	return err;
}

int draft_read(struct draft *d, const struct conf_origin *from, struct draft *old,
               const struct passed *passed, struct messages *m)
{
	struct sources sources = {};
	int err = 0;
	*d = (struct draft){ .sources = -1 };
	if (from->path)
		err = sources_read(&sources, str_of(from->path), m);
	else
		sources_from_text(&sources, from->name, from->folder, from->text);
	if (!err)
		err = check(d, &sources, old, passed, m);
	sources_fini(&sources);
	mem_give_back();
	if (err)
		draft_drop(d, old);
	return err ? -EINVAL : 0;
}

int draft_send(const struct draft *d, int channel)
{
	int err = grants_send(&d->grants, channel);
	return err ? err : channel_send(channel, CHANNEL_CONF, STR(""), &d->sources, 1);
}

void draft_drop(struct draft *d, const struct draft *kept)
{
	if (d->sources >= 0)
		close(d->sources);
	d->sources = -1;
	mem_free(d->state);
	d->state = NULL;
	grants_unlink(&d->grants, kept ? &kept->grants : NULL);
	grants_fini(&d->grants);
}
