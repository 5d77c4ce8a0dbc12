/* Commands: what "cairn build" and the others do.
 *
 * A command parses its own options (options.h; argv[0] is its own name), prints on standard output
 * what it was asked for, and returns the exit status, or -1 and E, which main prints as
 * "ERROR: ...". --help is a command's own to answer. Standard output is flushed and checked by
 * main. The store is the default one: --root has become $CAIRN_ROOT by then.
 *
 * main.c has the table: name, function, a line of help.
 */
#pragma once
#include "layers/error.h"

#define CAIRN_VERSION "0.1.0"

typedef int command_fn(int argc, char **argv, struct error *e);

command_fn command_build, command_context_ls, command_pull, command_push, command_login,
	command_logout, command_version, command_images, command_inspect, command_history, command_tag, command_rmi,
	command_save, command_load, command_image_prune, command_prune, command_fsck,
	command_debug;
