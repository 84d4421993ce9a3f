// SPDX-License-Identifier: LGPL-2.1-or-later
/* libparvus: interfaces of back ends in this domain: into a bridge, or to a script. */
#include "keeper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void pv_vif_interface(const struct parvus_keeper *k, const struct parvus_vif *v, char name[32])
{
	if (v->ifname)
		snprintf(name, 32, "%s", v->ifname);
	else
		snprintf(name, 32, "vif%u.%d", k->state.domain, v->index);
}

/* vif-bridge, xl's default, is what happens without a script. */
static bool has_script(const struct parvus_vif *v)
{
	return v->script && strcmp(v->script, "vif-bridge");
}

const char *parvus_vif_bridge(const struct parvus_vif *v)
{
	static const char *const usual[] = { "parvus0", "br0" };
	size_t i;

	if (v->bridge)
		return v->bridge;
	for (i = 0; i < sizeof(usual) / sizeof(*usual); i++)
		if (parvus_net(PARVUS_NET_IS_BRIDGE, usual[i], NULL, 0) == 1)
			return usual[i];
	return NULL;
}

/* Its variables, and what one of Xen's finds in the store. */
static void tell(struct parvus_keeper *k, const struct script *s, FILE *store)
{
	const struct parvus_vif *v = s->of;
	const char *bridge = parvus_vif_bridge(v);
	char name[32], mac[20], mtu[16];

	pv_vif_interface(k, v, name);
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", v->mac[0], v->mac[1], v->mac[2],
		 v->mac[3], v->mac[4], v->mac[5]);
	snprintf(mtu, sizeof(mtu), "%u", v->mtu ? v->mtu : 1500);
	setenv("vif", name, 1);
	if (bridge)
		setenv("bridge", bridge, 1);
	if (v->ip)
		setenv("ip", v->ip, 1);
	setenv("mac", mac, 1);
	setenv("mtu", mtu, 1);
	if (!store)
		return;
	/* a name that was asked for: the interface has it, and a script would give it */
	if (v->ifname)
		fprintf(store, "%s/vifname %s\n", s->at, v->ifname);
	fprintf(store, "%s/handle %d\n%s/mac %s\n%s/mtu %s\n", s->at, v->index, s->at, mac, s->at,
		mtu);
	fprintf(store, "%s/frontend /local/domain/%u/device/vif/%d\n", s->at, k->state.domain,
		v->index);
	if (bridge)
		fprintf(store, "%s/bridge %s\n", s->at, bridge);
	if (v->ip)
		fprintf(store, "%s/ip %s\n", s->at, v->ip);
}

static struct script script_of(const struct parvus_keeper *k, const struct parvus_vif *v,
			       const char *action)
{
	struct script s = {
		.script = v->script,
		.action = action,
		.option = "type_if=vif",
		.type = "vif",
		.index = (uint32_t)v->index,
		.seconds = 10,
		.tell = tell,
		.of = v,
	};

	snprintf(s.name, sizeof(s.name), "vif %d", v->index);
	snprintf(s.at, sizeof(s.at), "backend/vif/%u/%d", k->state.domain, v->index);
	return s;
}

static int script(struct parvus_keeper *k, const struct parvus_vif *v, const char *action)
{
	struct script s = script_of(k, v, action);

	return pv_script_run(k, &s, NULL);
}

/* Is what an interface needs there? */
int pv_vif_check(struct parvus_keeper *k, const struct parvus_vif *v)
{
	const char *bridge = parvus_vif_bridge(v);

	if (has_script(v)) {
		struct script s = script_of(k, v, "online");

		return pv_script_check(k, &s);
	}
	if (!bridge)
		return pv_fail(k->h->error, ENODEV,
			       "vif %d: no bridge is given, and there is neither parvus0 nor br0 "
			       "(parvus network-nat start makes parvus0)",
			       v->index);
	if (parvus_net(PARVUS_NET_IS_BRIDGE, bridge, NULL, 0) != 1)
		return pv_fail(k->h->error, ENODEV, "vif %d: there is no bridge %s%s", v->index,
			       bridge, strpbrk(bridge, ".:") ?
			       " (for VLANs of one: script=vif-openvswitch)" : "");
	return 0;
}

/* The back end's interface is there: where it belongs. */
static int plug(struct parvus_keeper *k, const struct parvus_vif *v, const char *name)
{
	const char *bridge = parvus_vif_bridge(v);
	int ret;

	/* before it is up, and before a script may give it addresses */
	ret = parvus_net(PARVUS_NET_DISTRUST, name, NULL, 0);
	if (ret < 0)
		return pv_fail(k->h->error, -ret, "vif %d: cannot close %s to advertisements: %s",
			       v->index, name, strerror(-ret));
	if (v->mtu)
		ret = parvus_net(PARVUS_NET_MTU, name, NULL, v->mtu);
	if (ret < 0)
		return pv_fail(k->h->error, -ret, "vif %d: cannot set the mtu of %s to %u: %s",
			       v->index, name,
				   v->mtu, strerror(-ret));
	if (has_script(v))
		return script(k, v, "online");
	if (!bridge)
		return pv_vif_check(k, v);
	ret = parvus_net(PARVUS_NET_JOIN, name, bridge, 0);
	if (ret < 0)
		return pv_fail(k->h->error, -ret, "vif %d: cannot put %s into %s: %s", v->index,
			       name, bridge,
				   strerror(-ret));
	ret = parvus_net(PARVUS_NET_UP, name, NULL, 1);
	if (ret < 0)
		return pv_fail(k->h->error, -ret, "vif %d: cannot set %s up: %s", v->index, name,
			       strerror(-ret));
	return 0;
}

void pv_vif_offline(struct parvus_keeper *k, const struct parvus_vif *v)
{
	if (has_script(v))
		script(k, v, "offline");
}

/* An interface with another number is a new one. An error is of plugging it, once. */
int pv_vif_look(struct parvus_keeper *k, const struct parvus_vif *v, struct slot *s)
{
	char name[32];
	int index, ret = 0;

	pv_vif_interface(k, v, name);
	index = parvus_net(PARVUS_NET_INDEX, name, NULL, 0);
	if (index <= 0) {
		s->ifindex = 0;
	} else if (index != s->ifindex) {
		ret = plug(k, v, name);
		s->ifindex = index;
		if (ret && s->wait != WAIT_BACK)
			pv_keeper_say(k, "%s", k->h->error->text);
	}
	return ret;
}
