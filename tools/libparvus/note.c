// SPDX-License-Identifier: LGPL-2.1-or-later
/* libparvus: what a keeper notes: in its program's log, and in the state file for the next one. */
#include "keeper.h"

#include <stdarg.h>
#include <stdio.h>

void pv_keeper_say(struct parvus_keeper *k, const char *format, ...)
{
	char text[700];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (k->ops.say)
		k->ops.say(k->ops.arg, text);
}

/* What the state file has of devices is made of the slots. */
int parvus_keeper_save(struct parvus_keeper *k)
{
	struct parvus_state *s = &k->state;
	size_t i;

	s->ndevices = 0;
	for (i = 0; i < PARVUS_DEVICES_DOMAIN; i++)
		if (k->slots[i].used)
			s->devices[s->ndevices++] = (struct parvus_state_device){
				.device_class = k->slots[i].device_class,
				.index = k->slots[i].index,
				.id = k->slots[i].id,
				.nbd = k->slots[i].backing.nbd,
			};
	return parvus_state_save(k->h, s);
}

void pv_keeper_save(struct parvus_keeper *k)
{
	struct parvus_error before = *k->h->error;

	if (parvus_keeper_save(k))
		pv_keeper_say(k, "%s", k->h->error->text);
	*k->h->error = before;
}
