/* A store in a folder of its own, for one test. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "layers/path.h"
#include "layers/store.h"

struct fixture {
	char folder[40];
	struct store *store;
	int dir;            /* a folder beside the store, to work in */
	struct error error; /* for every call */
};

/* What E says is shown when R is no success. */
#define assert_ok(f, r)                                                                            \
	do {                                                                                       \
		if ((r) < 0)                                                                       \
			fail_msg("%s", (f)->error.text);                                           \
	} while (0)

static inline int fixture_begin(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	char path[60];

	strcpy(f->folder, "/tmp/cairn-test-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(path, sizeof path, "%s/work", f->folder);
	assert_int_equal(mkdir(path, 0755), 0);
	f->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(path, sizeof path, "%s/store", f->folder);
	f->store = store_open(path, &f->error);
	assert_non_null(f->store);
	*state = f;
	return 0;
}

static inline int fixture_end(void **state)
{
	struct fixture *f = *state;
	int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	store_close(f->store);
	close(f->dir);
	assert_ok(f, path_remove(tmp, strrchr(f->folder, '/') + 1, &f->error));
	close(tmp);
	free(f);
	return 0;
}

#define with_store(test) cmocka_unit_test_setup_teardown(test, fixture_begin, fixture_end)
