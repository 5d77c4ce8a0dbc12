/* Files that the user or the administrator wrote for us: config.json, certs.d.
 *
 * They are trusted, and their links are followed as usual, for they often lead to dotfiles or to
 * mounted secrets.
 */
#pragma once
#include <stddef.h>

#include "layers/error.h"

/* The whole file at PATH, at most LIMIT bytes, NUL added; the caller frees it. */
char *userfile_read(const char *path, size_t limit, size_t *size, struct error *e);

/* Replace the file at PATH whole, mode 0600; missing folders are made, mode 0700. Where PATH is a
 * link, what it leads to is replaced. Root does this as the user to whom the place belongs, who could
 * not read it otherwise (sudo often keeps HOME). */
int userfile_write(const char *path, const void *data, size_t size, struct error *e);

/* Docker's folder of the user: FOLDER unless NULL, else $DOCKER_CONFIG, else ~/.docker; the caller
 * frees it. */
char *userfile_docker_folder(const char *folder, struct error *e);
