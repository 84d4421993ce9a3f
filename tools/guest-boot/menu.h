// SPDX-License-Identifier: GPL-2.0-only
/* What a guest's boot loader would start, by its menu: the words of guest-boot's two parts. */
#ifndef MENU_H
#define MENU_H

#include <stdbool.h>
#include <stddef.h>

#define MENU_TITLE	128u
#define MENU_PATH	512u
#define MENU_ARGS	2048u
#define MENU_ENTRIES	64u

struct menu_entry {
	char title[MENU_TITLE], id[MENU_TITLE];
	char kernel[MENU_PATH], ramdisk[MENU_PATH], args[MENU_ARGS];
	int parent;		/* the submenu that it is in; -1 = none */
};

/*
 * The entry that is started when nobody presses a key: of grub.cfg, or of menu.lst (@legacy).
 * @env: what grubenv says, or NULL. @wanted: another one, by number, title or id, or NULL. NULL =
 * there is none that starts a Linux.
 */
const struct menu_entry *menu_choose(const char *text, const char *env, const char *wanted,
				     bool legacy);

#endif
