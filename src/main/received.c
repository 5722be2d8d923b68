/* Building what the supervisor sent, in the worker and in the spawner alike: both know the same configuration. */
#include "main/received.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include "config/build.h"
#include "main/modules.h"

struct conf *conf_received(int fd, struct str overlay, struct messages *m)
{
	struct stat st;
	struct sources sources = {};
	struct conf *conf = NULL;
	void *bytes = MAP_FAILED;
	if (fstat(fd, &st) == 0 && st.st_size > 0)
		bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED || sources_unpack(&sources, str_make(bytes, (size_t)st.st_size))) {
		message_add(m, LEVEL_ERROR, NULL, "the configuration did not come through");
	} else {
		if (overlay.n)
			sources_overlay(&sources, overlay);
		/* What is wrong with it was said; conf stays NULL. */
		(void)!conf_build(&sources, MODULES, MODULE_COUNT, false, m, &conf);
	}
	if (bytes != MAP_FAILED)
		munmap(bytes, (size_t)st.st_size);
	sources_fini(&sources);
	return conf;
}
