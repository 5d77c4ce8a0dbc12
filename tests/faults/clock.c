/* A clock that people set: to be preloaded. It is CLOCK_OFFSET seconds off at first, and from the
 * tenth question on CLOCK_JUMP seconds more. What is monotonic stays so.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static atomic_long questions;

static long seconds(const char *name)
{
	const char *text = getenv(name);

	return text ? atol(text) : 0;
}

int clock_gettime(clockid_t id, struct timespec *now)
{
	int result = (int)syscall(SYS_clock_gettime, id, now);

	if (result < 0 || (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE))
		return result;
	now->tv_sec += seconds("CLOCK_OFFSET");
	if (atomic_fetch_add(&questions, 1) >= 10)
		now->tv_sec += seconds("CLOCK_JUMP");
	return result;
}

time_t time(time_t *where)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (where)
		*where = now.tv_sec;
	return now.tv_sec;
}
