/* Giving up rights: user, groups, capabilities.  The worker's first thread, once.
 *
 * Core dumps: after a change of user the kernel makes a process undumpable, and that stays so unless the operator asked
 * for cores with a limit above zero (ulimit -c, LimitCORE=).  A dumpable worker could be traced by any other process of
 * its user, such as an application of the same site; only who debugs should pay that price. */
#include "main/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static void raise_descriptors(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);  /* allowed up to the hard limit */
	}
}

/* While we still may: nothing that is executed later can get these back.  Without CAP_SETPCAP there are none to drop
 * that matter, because no_new_privs stands before every exec. */
static void drop_bounding(void)
{
	for (unsigned long c = 0; c < 64 && prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; c++)
		prctl(PR_CAPBSET_DROP, c, 0, 0, 0);
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &head, none) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return 0;
}

static int become(const char *user, char *error, size_t error_n)
{
	errno = 0;
	const struct passwd *p = getpwnam(user);
	if (!p) {
		snprintf(error, error_n, "there is no user \"%s\" on this machine", user);
		return errno ? -errno : -ENOENT;
	}
	if (p->pw_uid == geteuid() && p->pw_uid == getuid())
		return 0;
	if (initgroups(user, p->pw_gid) < 0 || setresgid(p->pw_gid, p->pw_gid, p->pw_gid) < 0 ||
	    setresuid(p->pw_uid, p->pw_uid, p->pw_uid) < 0) {
		int err = -errno;
		snprintf(error, error_n, "can't become user \"%s\": %s; start petrel as root or leave `user` out", user,
		         strerror(-err));
		return err;
	}
	return 0;
}

static void allow_cores(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_cur > 0)
		prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

void sandbox_follow_parent(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
}

int sandbox_enter(struct str user, char *error, size_t error_n)
{
	char name[256];
	int err = 0;
	snprintf(name, sizeof name, "%.*s", STR_F(user));
	raise_descriptors();
	drop_bounding();
	if (user.n)
		err = become(name, error, error_n);
	if (err)
		return err;
	err = drop_capabilities();
	if (err)
		snprintf(error, error_n, "can't give up capabilities: %s", strerror(-err));
	allow_cores();
	sandbox_follow_parent();
	return err;
}
