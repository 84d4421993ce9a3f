// SPDX-License-Identifier: GPL-2.0-only
/*
 * A configuration, and a state file of the monitor (rule 75): accepted whole, or refused with one
 * line that says why.
 */
#include "lib/fuzz.h"
#include "libparvus.h"

static void refused(const struct parvus_error *e)
{
	FUZZ_CHECK(memchr(e->text, 0, sizeof(e->text)) && e->text[0]);
	FUZZ_CHECK(!strchr(e->text, '\n'));
}

void fuzz_one(const uint8_t *data, size_t bytes)
{
	struct parvus_config *c = NULL;
	struct parvus_error e = { 0 };
	struct parvus_state s;
	char *text = malloc(bytes + !bytes);

	memcpy(text, data, bytes);
	if (parvus_config_parse(&e, "f", text, bytes, NULL, 0, &c)) {
		FUZZ_CHECK(!c);
		refused(&e);
	} else {
		FUZZ_CHECK(c && c->name && c->vcpus && c->vcpus <= c->maxvcpus);
		parvus_config_free(c);
	}
	memset(&s, 0, sizeof(s));
	if (parvus_state_parse(&e, "f", text, bytes, &s))
		refused(&e);
	else
		parvus_state_free(&s);
	free(text);
}

FUZZ_TARGET()
