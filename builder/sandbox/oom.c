#include "builder/sandbox/oom.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "layers/scope.h"

enum { FILE_SIZE_MAX = 16 << 10 };

/* Files of procfs and cgroupfs tell no size: read until the end. */
static bool read_text(const char *path, char text[FILE_SIZE_MAX])
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t n = -1;

	while (fd >= 0 && used < FILE_SIZE_MAX - 1 &&
	       (n = read(fd, text + used, FILE_SIZE_MAX - 1 - used)) > 0)
		used += (size_t)n;
	text[used] = '\0';
	return n >= 0;
}

static long count_in(const char *directory, const char *group, const char *file)
{
	char path[4096], text[FILE_SIZE_MAX];
	const char *line;

	snprintf(path, sizeof path, "%s%s/%s", directory, group, file);
	if (!read_text(path, text))
		return -1;
	line = strstr(text, "oom_kill ");
	/* "oom_kill_disable 0" comes before "oom_kill 0" in the older hierarchy, and has no space. */
	return line ? strtol(line + strlen("oom_kill "), NULL, 10) : -1;
}

long oom_kills(void)
{
	static const struct {
		const char *controllers, *directory, *file;
	} hierarchies[] = {
		{ "memory", "/sys/fs/cgroup/memory", "memory.oom_control" },
		{ "", "/sys/fs/cgroup", "memory.events" },
	};
	char text[FILE_SIZE_MAX], *rest = text, *line;

	if (!read_text("/proc/self/cgroup", text))
		return 0;
	while ((line = strsep(&rest, "\n")) && *line) {
		char *group = line, *controllers;

		strsep(&group, ":");
		controllers = strsep(&group, ":");
		for (size_t i = 0; group && i < sizeof hierarchies / sizeof *hierarchies; i++) {
			long count;

			if (strcmp(controllers, hierarchies[i].controllers) != 0)
				continue;
			/* In a container the group may be shown from outside: then it is the top here. */
			count = count_in(hierarchies[i].directory, group, hierarchies[i].file);
			if (count < 0)
				count = count_in(hierarchies[i].directory, "", hierarchies[i].file);
			if (count >= 0)
				return count;
		}
	}
	return 0;
}
