/* SPDX-License-Identifier: GPL-2.0-only */
/* See cpu.h. */
#include <x86/cpu.h>
