/* Interrupts: a user, a terminal or a CI system that wants this to end.
 *
 * The first SIGINT, SIGTERM or SIGHUP asks (layers/interrupted.h): steps are ended, transfers stop,
 * what is under way is given back. A second one ends the process at once; its children die with it, and its temporary
 * files are removed by the next one. Who ignores a signal from the start (nohup, a shell's
 * background job) is not asked by it.
 */
#pragma once
#include "layers/interrupted.h"

/* From now on signals ask; before, they end the process as by default. CANCEL (may be NULL) is
 * called by the first one and must be async-signal-safe. */
void interrupt_catch(void (*cancel)(void));

/* 128 and the signal's number, or 0 when nobody asked. */
int interrupt_status(void);
