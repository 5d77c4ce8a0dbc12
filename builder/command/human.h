/* Sizes and times as docker words them for people. */
#pragma once
#include <stdint.h>

#define HUMAN_TEXT 40

/* "1.23MB": three digits, powers of 1000. Both return TEXT. */
char *human_size(int64_t size, char text[static HUMAN_TEXT]);

/* "About an hour", "3 days": how long SECONDS are. */
char *human_duration(int64_t seconds, char text[static HUMAN_TEXT]);
