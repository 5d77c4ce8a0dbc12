/* Memory, had from the kernel in a few pieces before it is needed.
 *
 * A page costs a fault when it is touched first: a fraction of a microsecond on bare metal, twenty
 * on a virtual machine. A build touches hundreds of its heap and stack before the first step begins.
 */
#pragma once

/* Once, before there is a second thread. Where the kernel cannot (before Linux 5.14) nothing is lost. */
void memory_prepare(void);
