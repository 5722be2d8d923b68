/* Building what the supervisor sent, in the worker and in the spawner alike: both know the same configuration. */
#include "main/received.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include "config/build.h"
#include "main/modules.h"

struct conf *conf_received(int fd, struct buf *why)
{
	struct stat st;
	struct sources sources = {};
	struct messages messages = {};
	struct conf *conf = NULL;
	void *bytes = MAP_FAILED;
	if (fstat(fd, &st) == 0 && st.st_size > 0)
		bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED || sources_unpack(&sources, str_make(bytes, (size_t)st.st_size)))
		buf_add(why, STR("the configuration did not come through"));
	else if (conf_build(&sources, MODULES, MODULE_COUNT, false, &messages, &conf))
		messages_print(&messages, false, why);
	if (bytes != MAP_FAILED)
		munmap(bytes, (size_t)st.st_size);
	messages_fini(&messages);
	sources_fini(&sources);
	return conf;
}
