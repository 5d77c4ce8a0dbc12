#include "builder/command/rights.h"

#include <stdlib.h>
#include <unistd.h>

#include "layers/scope.h"
#include "layers/store.h"

int rights_take(enum sandbox_way way, const char **because, struct error *e)
{
	auto_free char *store = geteuid() == 0 ? NULL : store_default_path();

	if (!store && geteuid() != 0)
		return store_no_place(e);
	if (store && setenv("CAIRN_ROOT", store, 1) < 0)
		return error_memory(e);
	return sandbox_become_root(way, because, e);
}
