/* SPDX-License-Identifier: GPL-2.0-only */
/* Lists as Linux has them: a ring through its head. */
#ifndef UNIT_LINUX_LIST_H
#define UNIT_LINUX_LIST_H

#include <linux/parvus.h>

struct list_head { struct list_head *next, *prev; };

static inline void INIT_LIST_HEAD(struct list_head *l) { l->next = l->prev = l; }
static inline bool list_empty(const struct list_head *l) { return l->next == l; }
static inline void list_add(struct list_head *n, struct list_head *after)
{
	n->prev = after;
	n->next = after->next;
	n->next->prev = n->prev->next = n;
}
static inline void list_add_tail(struct list_head *n, struct list_head *l) { list_add(n, l->prev); }
static inline void list_del(struct list_head *n)
{
	n->next->prev = n->prev;
	n->prev->next = n->next;
	n->next = n->prev = NULL;
}
#define list_first_entry_or_null(l, type, member) \
	(list_empty(l) ? NULL : container_of((l)->next, type, member))

#endif
