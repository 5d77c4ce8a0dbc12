#include "layers/interrupted.h"

atomic_bool interrupted;

int interrupted_check(struct error *e)
{
	if (atomic_load_explicit(&interrupted, memory_order_relaxed))
		return error_set(e, ERROR_CANCELLED, "cancelled");
	return 0;
}
