/* A text that grows as it is written, as with open_memstream, but what memory was missing for does
 * not go missing in silence: glibc's own drops it, and neither ferror nor fclose tell. Here both do.
 */
#pragma once
#include <stdio.h>

/* A stream whose bytes are *TEXT, *SIZE of them and a NUL, whenever it was flushed or closed; the
 * caller frees *TEXT, also when closing failed. NULL when memory is out. */
FILE *memory_stream_open(char **text, size_t *size);
