/* The flags of "cairn build" that are about how a RUN runs: its limits, and how long it may take. */
#pragma once
#include "builder/command/build_flags.h"

int run_flags_read(struct build_flags *flags, struct error *e);
