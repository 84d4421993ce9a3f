/* SPDX-License-Identifier: GPL-2.0-only */
/* The screen that the start info names, as Linux is told of one by a boot loader. */
#ifndef PARVUS_SCREEN_H
#define PARVUS_SCREEN_H

#include <linux/parvus.h>
#include <linux/screen_info.h>
#include <parvus/start.h>

/* @to is all 0 before. Called before anything else of the kernel: no memory, no messages. */
void parvus_screen_info(struct screen_info *to, const struct parvus_screen *from);

#endif
