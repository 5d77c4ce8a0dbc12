/* The system calls a RUN may make: the effect of Docker's default profile for Docker's default
 * capabilities, as a program for the kernel.
 *
 * What is not on the list gives EPERM; what is newer than the list gives ENOSYS, so that a C
 * library falls back to what it used before (clone3 too, because its flags cannot be looked at).
 *
 * Source: moby/profiles, seccomp/default.json; seccomp(2).
 */
#pragma once
#include <linux/filter.h>

/* Written by builder/filter/ while cairn is built. */
extern const struct sock_filter seccomp_begin[], seccomp_end[];
