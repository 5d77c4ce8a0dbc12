/* What has one natural end closes itself when its scope does.
 *
 *     auto_free char *text = NULL;
 *     auto_close int fd = -1;
 *     return take_fd(&fd);            gives it away instead
 */
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void scope_free(void *where)
{
	free(*(void **)where);
}

static inline void scope_close(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void scope_fclose(FILE **file)
{
	if (*file)
		fclose(*file);
}

#define auto_free __attribute__((cleanup(scope_free)))
#define auto_close __attribute__((cleanup(scope_close)))
#define auto_fclose __attribute__((cleanup(scope_fclose)))

static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

static inline void *take_pointer_from(void **pointer)
{
	void *taken = *pointer;

	*pointer = NULL;
	return taken;
}

#define take_pointer(pointer) ((__typeof__(*(pointer)))take_pointer_from((void **)(pointer)))
