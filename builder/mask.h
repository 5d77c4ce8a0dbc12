/* Secrets, kept out of what people read: logs, messages, lists of processes.
 *
 * A secret is hidden line by line, because that is how it is printed. Lines shorter than MASK_MIN
 * bytes stay: they are found everywhere by chance.
 *
 * Threads: may be shared once it is filled.
 */
#pragma once
#include <stddef.h>

#include "layers/error.h"

#define MASK_MIN 6

struct mask {
	struct mask_word {
		const char *text;
		size_t size;
	} *word;
	size_t count, capacity;
};

/* Hide the SIZE bytes of SECRET, too, which must outlive MASK. */
int mask_add(struct mask *mask, const char *secret, size_t size, struct error *e);
void mask_release(struct mask *mask);

/* Replace every secret in the SIZE bytes at TEXT by three asterisks. Returns the new size. */
size_t mask_text(const struct mask *mask, char *text, size_t size);
