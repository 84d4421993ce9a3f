/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the parsers of disk.c and vif.c share (spec.c). */
#ifndef LIBPARVUS_SPEC_H
#define LIBPARVUS_SPEC_H

#include "internal.h"

/* One entry of a list of the configuration, and where it stands, for messages. */
struct spec {
	struct parvus_error *error;
	const char *where, *text;
};

/* Each returns 0 or an error, which it tells. */
int pv_spec_wrong(const struct spec *s, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
int pv_spec_set(const struct spec *s, char **to, const char *text);
/* A number without a suffix. */
int pv_spec_number(const struct spec *s, const char *key, const char *text, uint64_t min,
		   uint64_t max, uint32_t *to);
/* Without the blanks around it; in place. */
char *pv_spec_trim(char *p);

#endif
