/* The program that runs inside (builder/inside/), as bytes within cairn. */
#pragma once

extern const char helper_begin[], helper_end[];
