/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Parvus back ends of network interfaces: the addresses that a front end sends from. Each
 * one is an entry in the table of a bridge, so that there are PARVUS_SOURCES at most; one
 * that was not seen for some time makes room for another. A guest that bridges or runs
 * macvlan has as many.
 *
 * An address is a number that is not 0; times are seconds, on a clock that may wrap. The
 * caller keeps others away, but for parvus_source_fresh().
 */
#ifndef PARVUS_SOURCES_H
#define PARVUS_SOURCES_H

#define PARVUS_SOURCES	64u

struct parvus_sources {
	unsigned int count;
	struct {
		unsigned long long address;
		unsigned int seen;
	} entry[PARVUS_SOURCES];
};

#define PARVUS_SOURCE_READ(x)	(*(const volatile __typeof__(x) *)&(x))

/*
 * Was it seen in this very second? Then there is nothing to write down. Without the lock:
 * an entry that becomes another one meanwhile was good when the packet came.
 */
static inline int parvus_source_fresh(const struct parvus_sources *s, unsigned long long address,
				      unsigned int now)
{
	unsigned int i, count = PARVUS_SOURCE_READ(s->count);

	for (i = 0; i < count; i++)
		if (PARVUS_SOURCE_READ(s->entry[i].address) == address)
			return PARVUS_SOURCE_READ(s->entry[i].seen) == now;
	return 0;
}

/* May a packet from that address pass? From now on it is one of those that are known. */
static inline int parvus_source_seen(struct parvus_sources *s, unsigned long long address,
				     unsigned int now, unsigned int age)
{
	unsigned int i, at = 0;

	for (i = 0; i < s->count && s->entry[i].address != address; i++)
		if (now - s->entry[i].seen > now - s->entry[at].seen)
			at = i;
	if (i < s->count) {
		at = i;
	} else if (s->count < PARVUS_SOURCES) {
		at = s->count;
		s->entry[at].address = address;
		s->count++;
	} else if (now - s->entry[at].seen >= age) {
		s->entry[at].address = address;
	} else {
		return 0;
	}
	s->entry[at].seen = now;
	return 1;
}

#endif
