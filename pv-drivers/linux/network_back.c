// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parvus network interfaces, the back end: for each front end there is an interface
 * here, vifDOMAIN.INDEX, as if it were the other end of a cable; a bridge or routing
 * does the rest. It is there as soon as the device is, so that the toolstack can put it
 * where it belongs before its domain runs, and has a carrier while a front end is
 * connected.
 *
 * The front end is not trusted: parvus_network_check() and virtio_net_hdr_to_skb() look
 * at copies. One that breaks the rules is closed. A bridge remembers each address that a
 * packet comes from: so one front end has as many as parvus_source_seen() lets it.
 */
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timekeeping.h>
#include "limit.h"
#include "network_common.h"
#include "sources.h"

static unsigned int queues = 8;
module_param(queues, uint, 0444);
MODULE_PARM_DESC(queues, "Queues of an interface, at most (and no more than CPUs)");

/* As long as a bridge remembers one, if nobody has said otherwise. */
static unsigned int source_age = 300;
module_param(source_age, uint, 0644);
MODULE_PARM_DESC(source_age, "Seconds until an address that is silent makes room for another");

#define POOL_LEAST	64u	/* pages of a queue, for a front end whose memory is scattered */
#define INTERVAL_US	50000u	/* over which a limit holds, if nobody says */
#define INTERVAL_US_MAX	10000000u
#define RATE_MAX	(100ull * NSEC_PER_SEC)	/* bytes in a second: more is no limit */

struct network_back {
	struct parvus_network net;
	struct parvus_network_info info;	/* what is said but for what the interface is */
	struct work_struct changed;
	spinlock_t limit_lock;
	struct parvus_limit limit;
	u64 only;		/* 0, or the one address that may send */
	bool warned;
	spinlock_t sources_lock;
	struct parvus_sources sources;
};

static struct network_back *to_back(struct parvus_network *net)
{
	return container_of(net, struct network_back, net);
}

/* ---- the limit ---- */

/* Jiffies until a packet may be taken; 0: it is. */
static unsigned long network_back_delay(struct parvus_network *net, unsigned int bytes)
{
	struct network_back *back = to_back(net);
	u64 now = ktime_get_ns(), wait;

	spin_lock(&back->limit_lock);
	wait = parvus_limit_wait(&back->limit, now);
	if (!wait)
		parvus_limit_take(&back->limit, now, bytes);
	spin_unlock(&back->limit_lock);
	/* at most a second: the limit may be another one by then */
	return wait ? 1 + nsecs_to_jiffies(min_t(u64, wait, NSEC_PER_SEC)) : 0;
}

/* The limit that is configured; it holds from the next packet on. */
static void network_back_limit(struct network_back *back,
			       const struct parvus_network_config *config)
{
	u32 us = clamp(config->interval_us ?: INTERVAL_US, 1000u, INTERVAL_US_MAX);
	u64 rate = config->bytes_per_second > RATE_MAX ? 0 : config->bytes_per_second;

	spin_lock_bh(&back->limit_lock);
	parvus_limit_set(&back->limit, rate, us * NSEC_PER_USEC);
	spin_unlock_bh(&back->limit_lock);
	WRITE_ONCE(back->net.delay, rate ? network_back_delay : NULL);
}

/* ---- addresses ---- */

static bool network_back_admits(struct parvus_network *net, const u8 *source)
{
	struct network_back *back = to_back(net);
	u64 address = ether_addr_to_u64(source), only = READ_ONCE(back->only);
	unsigned int now = (unsigned int)ktime_get_seconds();
	bool good;

	if (only)
		return address == only;
	if (likely(parvus_source_fresh(&back->sources, address, now)))
		return true;
	if (unlikely(!address))
		return false;
	spin_lock(&back->sources_lock);
	good = parvus_source_seen(&back->sources, address, now, READ_ONCE(source_age));
	spin_unlock(&back->sources_lock);
	if (unlikely(!good && !READ_ONCE(back->warned))) {
		WRITE_ONCE(back->warned, true);
		net_warn_ratelimited("parvus: %s: domain %u sends from more than %u addresses\n",
				     netdev_name(net->netdev), net->end.dev->peer, PARVUS_SOURCES);
	}
	return good;
}

static void network_back_only(struct network_back *back,
			      const struct parvus_network_config *config)
{
	bool filter = config->flags & PARVUS_NETWORK_MACFILTER;

	/* an address of 0 is nobody's: with the filter it is as good as none that may send */
	WRITE_ONCE(back->only, filter ? ether_addr_to_u64(config->mac) ?: ~0ull : 0);
}

/* ---- the connection ---- */

static int network_back_describe(struct parvus_link_end *end, void *blob)
{
	struct network_back *back = to_back(to_network(end));
	struct net_device *netdev = back->net.netdev;

	back->info.mtu = READ_ONCE(netdev->mtu);
	back->info.carrier = netif_running(netdev);
	memcpy(blob, &back->info, sizeof(back->info));
	return 0;
}

static int network_back_connect(struct parvus_link_end *end)
{
	to_network(end)->gives = end->link->features & PARVUS_NETWORK_FEATURES;
	return parvus_network_connect(end);
}

static int network_back_connected(struct parvus_link_end *end)
{
	return parvus_network_start(to_network(end), true);
}

static int network_back_configured(struct parvus_link_end *end)
{
	struct parvus_network *net = to_network(end);

	network_back_limit(to_back(net), (void *)end->dev->config);
	network_back_only(to_back(net), (void *)end->dev->config);
	parvus_network_kick(net);
	return 0;
}

/* Fewer pages, or the front end's lie too far apart: rather a slow link than none. */
static bool network_back_smaller(struct parvus_link_end *end)
{
	struct parvus_link_info *link = &to_back(to_network(end))->info.link;

	if (link->pool_pages > POOL_LEAST)
		link->pool_pages /= 2;
	else if (link->queues > 1)
		link->queues /= 2;
	else
		return false;
	return true;
}

static const struct parvus_link_ops network_back_end = {
	.describe = network_back_describe,
	.connect = network_back_connect,
	.connected = network_back_connected,
	.disconnect = parvus_network_disconnect,
	.configured = network_back_configured,
	.smaller = network_back_smaller,
	.interrupt = parvus_network_interrupt,
	.detach = PARVUS_NETWORK_DETACH,
};

/* ---- the interface ---- */

/* Only who is connected has to know; the others see it when they come. */
static void network_back_changed(struct work_struct *work)
{
	struct network_back *back = container_of(work, struct network_back, changed);

	mutex_lock(&back->net.end.lock);
	if (back->net.end.link)
		parvus_link_end_say(&back->net.end);
	mutex_unlock(&back->net.end.lock);
}

static void network_back_change(struct parvus_network *net)
{
	schedule_work(&to_back(net)->changed);
}

static int network_back_change_mtu(struct net_device *netdev, int mtu)
{
	WRITE_ONCE(netdev->mtu, mtu);
	network_back_change(netdev_priv(netdev));
	return 0;
}

static const struct net_device_ops network_back_ops = {
	PARVUS_NETWORK_OPS,
	.ndo_change_mtu = network_back_change_mtu,
};

/* 0, or why the name of the interface cannot be what the toolstack says. */
static int network_back_name(const struct parvus_dev *dev, char name[IFNAMSIZ])
{
	const struct parvus_network_config *config = (void *)dev->config;

	static_assert(sizeof(config->name) == IFNAMSIZ);
	if (!config->name[0]) {
		snprintf(name, IFNAMSIZ, "vif%u.%u", dev->peer, dev->index);
		return 0;
	}
	memcpy(name, config->name, IFNAMSIZ);
	if (!memchr(name, 0, IFNAMSIZ) || strchr(name, '%') || !dev_valid_name(name))
		return -EINVAL;
	return 0;
}

static struct network_back *network_back_alloc(struct parvus_dev *dev)
{
	/* never the lowest address of a bridge, which would take it for its own */
	static const u8 address[ETH_ALEN] = { 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff };
	const struct parvus_network_config *config = (void *)dev->config;
	unsigned int count = clamp(queues, 1u, min(num_online_cpus(), PARVUS_LINK_QUEUES));
	struct network_back *back;
	struct net_device *netdev;
	char name[IFNAMSIZ];

	if (network_back_name(dev, name)) {
		dev_err(&dev->dev, "no name of an interface: \"%.16s\"\n", config->name);
		return NULL;
	}
	if (config->queues)
		count = min(count, config->queues);
	netdev = parvus_network_alloc(dev, sizeof(*back), count, name, &network_back_end,
				      &network_back_ops);
	if (!netdev)
		return NULL;
	back = netdev_priv(netdev);
	INIT_WORK(&back->changed, network_back_changed);
	back->net.changed = network_back_change;
	back->net.takes = PARVUS_NETWORK_FEATURES;
	back->net.admits = network_back_admits;
	spin_lock_init(&back->limit_lock);
	spin_lock_init(&back->sources_lock);
	network_back_limit(back, config);
	network_back_only(back, config);
	back->info.link = (struct parvus_link_info) {
		.version = PARVUS_LINK_VERSION,
		.queues = count,
		.features = PARVUS_NETWORK_FEATURES,
		.pool_pages = 2 * PARVUS_NETWORK_SLOTS,
	};
	netdev->mtu = parvus_network_mtu(config);
	eth_hw_addr_set(netdev, address);
	return back;
}

static int network_back_probe(struct parvus_dev *dev)
{
	const struct parvus_network_config *config = (void *)dev->config;
	struct network_back *back;

	if (config->version != 1) {
		dev_err(&dev->dev, "configuration of version %u\n", config->version);
		return -EINVAL;
	}
	if (config->flags & PARVUS_NETWORK_PROGRAM)
		return -ENODEV;
	back = network_back_alloc(dev);
	return back ? parvus_network_begin(&back->net) : -ENOMEM;
}

static void network_back_remove(struct parvus_dev *dev)
{
	struct parvus_network *net = to_network(dev_get_drvdata(&dev->dev));

	parvus_network_remove(net, &to_back(net)->changed);
}

static struct parvus_driver network_back = {
	.driver.name = "network-back",
	.device_class = PARVUS_CLASS_NETWORK,
	.side = PARVUS_BACK,
	.probe = network_back_probe,
	.remove = network_back_remove,
	.peer_changed = parvus_link_end_peer_changed,
	.configured = parvus_link_end_configured,
};
PARVUS_NETWORK_DRIVER(network_back);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Parvus network interfaces, back end");
MODULE_ALIAS_PARVUS(00000003, 1);
