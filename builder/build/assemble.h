/* The image at the end: the target's config, its history, its layers. */
#pragma once
#include "builder/build/task.h"

/* All steps are done: fill IMAGE and write its config and manifest to the store. */
int assemble_image(const struct building *b, struct image *image, struct error *e);
