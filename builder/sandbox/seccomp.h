/* The system calls a RUN may make: the effect of Docker's default profile for Docker's default
 * capabilities, as a program for the kernel.
 *
 * What is not on the list gives EPERM; what is newer than the list gives ENOSYS, so that a C
 * library falls back to what it used before (clone3 too, because its flags cannot be looked at).
 *
 * Source: moby/profiles, seccomp/default.json; seccomp(2).
 */
#pragma once
#include <stddef.h>

#include "layers/error.h"

struct sock_filter;

struct seccomp_filter {
	struct sock_filter *code;  /* the owner frees it */
	size_t count;
};

int seccomp_make(struct seccomp_filter *filter, struct error *e);
