/* SPDX-License-Identifier: GPL-2.0-only */
/* What has to be done after the domain stood still, or was restored: rtc.c is told, and asks. */
#ifndef PARVUS_RESUME_H
#define PARVUS_RESUME_H

/* balloon.c: is it a copy? Random numbers are made anew then. From an interrupt. */
#ifdef CONFIG_PARVUS_BALLOON
void parvus_memory_resumed(void);
#else
static inline void parvus_memory_resumed(void) { }
#endif

#endif
