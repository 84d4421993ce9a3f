/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Parvus back ends: a limit on what a front end may have done in a second: bytes, packets,
 * requests. It is kept as the time at which all that was taken would be paid for, so that
 * there is nothing to refill: what is asked for may begin while that time is not more
 * than the burst ahead. What is large may so become a debt, that the next one waits for.
 *
 * The caller says what time it is, and keeps others away.
 */
#ifndef PARVUS_LIMIT_H
#define PARVUS_LIMIT_H

#define PARVUS_LIMIT_SECOND	1000000000ull
#define PARVUS_LIMIT_AMOUNT	(1ull << 33)	/* taken at once, at most: more is not counted */

struct parvus_limit {
	unsigned long long rate;	/* in a second; 0: no limit */
	unsigned long long burst;	/* ns */
	unsigned long long paid;	/* ns: the time at which what was taken is paid for */
};

/* What holds from now on; if it is another limit than before, it begins without a debt. */
static inline void parvus_limit_set(struct parvus_limit *l, unsigned long long rate,
				    unsigned long long burst)
{
	if (l->rate != rate || l->burst != burst)
		*l = (struct parvus_limit) { .rate = rate, .burst = burst };
}

/* ns until something may be taken; 0: now. */
static inline unsigned long long parvus_limit_wait(const struct parvus_limit *l,
						   unsigned long long now)
{
	return l->rate && l->paid > now + l->burst ? l->paid - now - l->burst : 0;
}

static inline void parvus_limit_take(struct parvus_limit *l, unsigned long long now,
				     unsigned long long amount)
{
	if (!l->rate)
		return;
	if (amount > PARVUS_LIMIT_AMOUNT)
		amount = PARVUS_LIMIT_AMOUNT;
	l->paid = (l->paid > now ? l->paid : now) + amount * PARVUS_LIMIT_SECOND / l->rate;
}

#endif
