/* Whether the kernel killed for memory: a count that a cgroup keeps. */
#pragma once

/* How many processes of our memory cgroup, which is that of the runs too, were killed so far for
 * want of memory; 0 where nobody counts. */
long oom_kills(void);
