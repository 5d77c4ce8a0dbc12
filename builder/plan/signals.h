/* Signals by name, for STOPSIGNAL: "SIGTERM", "term", "RTMIN+3" or a number other than 0. */
#pragma once
#include <stdbool.h>

bool signal_is_known(const char *name);
