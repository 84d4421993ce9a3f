// SPDX-License-Identifier: GPL-2.0-only
/*
 * parvus-monitor: the end of the domain, and what on_poweroff, on_reboot and on_crash say then. A
 * domain that ends soon after its start again and again is restarted ever more slowly.
 *
 * What a restart needs is looked for while the old domain is still there: if a disk, a bridge or
 * the kernel is missing, it stays, list -v says why, and it is tried again, after 1, 2, 4, up to
 * 60 s.
 *
 * The state file says when that was begun: a monitor that takes over goes on with it.
 */
#include "monitor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define QUICK_NS	10000000000ull	/* a domain that ended sooner is restarted slowly */
#define DELAY_MAX	60000		/* ms */
#define TRIES_AWAY	10u		/* to make a domain that nobody can see any more */

/* The domain is gone, or goes: so does its folder. */
static void release(struct monitor *m)
{
	requests_stop(m);
	parvus_keeper_end(m->keeper);
	console_stop(m);
	parvus_state_remove(m->h, m->domain);
}

void wait_until_gone(struct monitor *m, int ms)
{
	struct pollfd p = { .fd = parvus_fd(m->h), .events = POLLIN };
	struct parvus_control_info i;
	int64_t until = now_ms() + ms;

	while (parvus_changed(m->h) == 0 && parvus_domain_info(m->h, m->domain, &i) == 0 &&
	       now_ms() < until)
		parvus_poll(m->h, &p, 1, 100);
}

static enum parvus_action action_of(const struct monitor *m, const struct parvus_control_info *i)
{
	const struct parvus_config *c = m->state->config;

	switch (i->reason) {
	case PARVUS_SHUTDOWN_POWEROFF:
		return c->on_poweroff;
	case PARVUS_SHUTDOWN_REBOOT:
		return c->on_reboot;
	case PARVUS_SHUTDOWN_SUSPEND:
		return PARVUS_ACTION_PRESERVE;
	}
	return c->on_crash;
}

/* A restart has failed: again after 1, 2, 4, ... seconds. */
static void try_later(struct monitor *m)
{
	int64_t delay = m->failed > 6 ? DELAY_MAX : 1000ll << m->failed;

	delay = delay < DELAY_MAX ? delay : DELAY_MAX;
	m->failed++;
	m->restart = true;
	m->restart_ms = now_ms() + delay;
	say(m, "cannot restart: %s; again in %lld s", m->error.text, (long long)delay / 1000);
}

/* It failed when the old domain was gone. False: give up. */
static bool try_away(struct monitor *m)
{
	if (m->away && m->failed >= TRIES_AWAY) {
		say(m, "cannot restart: %s", m->error.text);
		return false;
	}
	if (!m->away)
		m->failed = 0;
	m->away = true;
	try_later(m);
	return true;
}

/* Build it again from its configuration. False: give up. */
static bool begin_again(struct monitor *m)
{
	uint32_t quick_ends = m->state->quick_ends;
	struct parvus_keeper *old = m->keeper;
	struct parvus_build b = { 0 };
	struct parvus_error why;
	int ret = parvus_create(m->h, m->state->config, &b, &m->ops, &m->keeper);

	if (ret) {
		m->keeper = old;
		if (ret != -ECANCELED)
			return try_away(m);
		say(m, "not restarted: %s", m->error.text);	/* a person wants it gone */
		return false;
	}
	if (b.told[0])
		say(m, "%s", b.told);
	parvus_keeper_close(old);
	m->domain = b.domain;
	m->state = parvus_keeper_state(m->keeper);
	m->ended = m->restart = false;
	if (!console_start(m) && !requests_start(m)) {
		m->state->quick_ends = quick_ends;
		if (!parvus_keeper_save(m->keeper) && !parvus_domain_commit(m->h, b.domain, true)) {
			m->failed = 0;
			m->away = false;
			say(m, "restarted");
			return true;
		}
	}
	why = m->error;
	release(m);
	parvus_domain_destroy(m->h, b.domain);
	m->error = why;
	return try_away(m);
}

/* When to make it again: the first time at once, then after 1, 2, 4, ... seconds. */
static void plan_restart(struct monitor *m, bool counted)
{
	struct parvus_state *s = m->state;
	struct parvus_control_machine now;
	bool quick = !parvus_machine(m->h, &now) && now.now_ns - s->created_ns < QUICK_NS;

	m->restart = true;
	m->restart_ms = now_ms();
	if (!counted)
		s->quick_ends = quick ? s->quick_ends + 1 : 0;
	if (s->quick_ends > 1) {
		int64_t delay = s->quick_ends > 7 ? DELAY_MAX : 1000ll << (s->quick_ends - 2);

		m->restart_ms += delay < DELAY_MAX ? delay : DELAY_MAX;
		say(m, "it ends soon after its start: restart in %lld s",
		    (long long)(m->restart_ms - now_ms() + 999) / 1000);
	}
}

/* The domain has shut down. False: nothing is left to do for this process. */
static bool at_end(struct monitor *m, const struct parvus_control_info *i)
{
	enum parvus_action action = action_of(m, i);
	struct parvus_config *c = m->state->config;
	char name[PARVUS_NAME_BYTES];
	bool begun = m->state->ended;	/* by a monitor before us, who has dumped and counted */
	int ret;

	while (console_drain(m))
		;
	requests_stop(m);
	parvus_keeper_end(m->keeper);
	say(m, "ended: %s, status %u%s%s: %s", parvus_reason_text(i->reason), i->status,
	    i->why[0] ? ", " : "", i->why, parvus_action_text(action));
	m->ended = true;
	m->asked = PARVUS_REQUEST_NONE;
	/* it may have been renamed since; a label whose file is gone is no name */
	parvus_name(m->h, i, name);
	if (parvus_name_ok(name)) {
		free(c->name);
		c->name = strdup(name);
	}
	if (!c->name || !parvus_name_ok(c->name))
		return false;
	if (!begun && (action == PARVUS_ACTION_COREDUMP_DESTROY ||
		       action == PARVUS_ACTION_COREDUMP_RESTART))
		core_dump(m, i);
	switch (action) {
	case PARVUS_ACTION_PRESERVE:
		break;
	case PARVUS_ACTION_DESTROY:
	case PARVUS_ACTION_COREDUMP_DESTROY:
		parvus_console_close(m->console);
		m->console = NULL;
		ret = parvus_domain_destroy(m->h, m->domain);
		if (ret && ret != -ENOENT)	/* gone: somebody else did it */
			say(m, "%s", m->error.text);
		return false;
	case PARVUS_ACTION_RENAME_RESTART:
	case PARVUS_ACTION_RESTART:
	case PARVUS_ACTION_COREDUMP_RESTART:
		plan_restart(m, begun);
		break;
	}
	m->state->ended = true;
	if (parvus_keeper_save(m->keeper))
		say(m, "%s", m->error.text);
	return true;
}

bool restart(struct monitor *m)
{
	struct parvus_control_info i;
	char kept[PARVUS_NAME_BYTES];
	bool rename_it;

	if (m->away)
		return begin_again(m);
	if (parvus_domain_info(m->h, m->domain, &i) || i.state != PARVUS_DOMAIN_SHUTDOWN)
		return false;	/* destroyed while it waited */
	if (parvus_create_check(m->h, m->state->config, m->domain)) {
		parvus_restart_failed(m->h, m->domain, m->error.text);
		try_later(m);
		return true;
	}
	rename_it = action_of(m, &i) == PARVUS_ACTION_RENAME_RESTART;
	release(m);
	if (rename_it) {
		snprintf(kept, sizeof(kept), "%.244s-%u", m->state->config->name, m->domain);
		if (parvus_domain_rename(m->h, m->domain, kept)) {
			say(m, "%s", m->error.text);
			return false;
		}
	} else {
		if (parvus_domain_destroy(m->h, m->domain)) {
			say(m, "%s", m->error.text);
			return false;
		}
		wait_until_gone(m, 10000);
	}
	return begin_again(m);
}

bool look(struct monitor *m)
{
	struct parvus_control_info i;
	int ret;

	if (parvus_changed(m->h)) {
		say(m, "%s", m->error.text);
		return false;
	}
	if (m->away)
		return true;
	ret = parvus_domain_info(m->h, m->domain, &i);
	if (ret && ret != -ENOENT)
		say(m, "%s", m->error.text);
	if (ret || i.state == PARVUS_DOMAIN_DYING || i.created_ns != m->state->created_ns)
		return false;
	/* who has saved it destroys it: that is no end to do something about */
	if (m->held && i.reason == PARVUS_SHUTDOWN_KILLED)
		return true;
	if (i.state == PARVUS_DOMAIN_SHUTDOWN && !m->ended)
		return at_end(m, &i);
	return true;
}
