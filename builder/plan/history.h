/* The texts of an image's history that quote lists and times the way Docker's do: as Go prints
 * them. Source: Go, fmt and strconv.Quote. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* ["a" "b c"] */
void history_quoted(FILE *f, const char *const *words, size_t count);
/* [a b c] */
void history_plain(FILE *f, const char *const *words, size_t count);
/* 'a' for 97, '\x03' for 3: as %q of a number */
void history_rune(FILE *f, uint32_t c);
/* 1m30s, 0s, 1.5s, 250ms */
void history_duration(FILE *f, int64_t ns);
