/* The merged root filesystem of an image, as a folder or as a tar. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "builder/image/tar_file.h"
#include "layers/stack.h"

/* Everything in ST beneath the folder DEST, owned by the caller, with modes and times (EPOCH
 * instead when it is not -1). What is there already stays, unless the image has the name; a link is
 * replaced, never followed. Names of one file stay that. DEST itself keeps its mode: it is the
 * caller's. With MIRROR what the image does not have is removed. *SKIPPED counts device files that
 * this user may not make. */
int output_folder(struct stack *st, const char *dest, int64_t epoch, bool mirror,
                  size_t *skipped, struct error *e);

/* Everything in ST to T, below PREFIX ("" or "linux_amd64/"). The root has an entry of its own, "./",
 * where it is not 0755 and root's. */
int output_tar(struct stack *st, struct tar_file *t, const char *prefix, int64_t epoch,
               struct error *e);
