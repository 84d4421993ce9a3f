// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parvus network interfaces, the back end: for each front end there is an interface
 * here, vifDOMAIN.INDEX, as if it were the other end of a cable; a bridge or routing
 * does the rest. It is there as soon as the device is, so that the toolstack can put it
 * where it belongs before its domain runs, and has a carrier while a front end is
 * connected.
 *
 * The front end is not trusted: parvus_network_check() and virtio_net_hdr_to_skb() look
 * at copies. One that breaks the rules is closed, until it begins anew.
 */
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include "network_common.h"

static unsigned int queues = 8;
module_param(queues, uint, 0444);
MODULE_PARM_DESC(queues, "Queues of an interface, at most (and no more than CPUs)");

#define INTERVAL_US	50000u	/* over which a limit holds, if nobody says */
#define INTERVAL_US_MAX	10000000u
/* Their product, in bytes, is one of 64 bits. */
#define RATE_MAX	(100ull * NSEC_PER_SEC)	/* bytes in a second: more is no limit */
#define PAUSE_MAX	(100000000ull * NSEC_PER_SEC)

/*
 * A limit: @credit bytes may come now; it grows with the time, up to what one interval
 * brings. A packet is taken while there is any, so that it may become a debt.
 */
struct network_limit {
	spinlock_t lock;
	u64 rate;		/* bytes in a second; 0: no limit */
	u64 most;		/* of the credit */
	s64 credit;
	u64 since;		/* ns, when it was counted last */
};

struct network_back {
	struct parvus_network net;
	struct parvus_network_info info;	/* as last published; under net->lock */
	bool detaching;			/* under net->lock: as the configuration says */
	struct work_struct changed;
	struct network_limit limit;
};

static struct network_back *to_back(struct parvus_network *net)
{
	return container_of(net, struct network_back, net);
}

/* ---- the limit ---- */

static void network_limit_count(struct network_limit *limit, u64 now)
{
	u64 more = mul_u64_u64_div_u64(min(now - limit->since, PAUSE_MAX), limit->rate,
				       NSEC_PER_SEC);

	if (!more)
		return;		/* what is less than a byte is not lost */
	limit->since = now;
	limit->credit = more >= limit->most - limit->credit ? limit->most : limit->credit + more;
}

/* Jiffies until a packet may be taken; 0: it is. */
static unsigned long network_limit_delay(struct parvus_network *net, unsigned int bytes)
{
	struct network_limit *limit = &to_back(net)->limit;
	unsigned long delay = 0;

	spin_lock(&limit->lock);
	if (limit->rate && limit->credit <= 0)
		network_limit_count(limit, ktime_get_ns());
	if (limit->rate && limit->credit <= 0)
		/* at most a second: the limit may be another one by then */
		delay = 1 + min_t(u64, HZ, div64_u64((u64)-limit->credit * HZ, limit->rate));
	else
		limit->credit -= bytes;
	spin_unlock(&limit->lock);
	return delay;
}

/* The limit that is configured; it holds from the next packet on. */
static void network_limit_set(struct network_back *back,
			      const struct parvus_network_config *config)
{
	struct network_limit *limit = &back->limit;
	u32 us = clamp(config->interval_us ?: INTERVAL_US, 1000u, INTERVAL_US_MAX);
	u64 rate = config->bytes_per_second > RATE_MAX ? 0 : config->bytes_per_second;

	spin_lock_bh(&limit->lock);
	limit->rate = rate;
	limit->most = max(div_u64(rate * us, USEC_PER_SEC), 1ull);
	limit->credit = min_t(s64, limit->credit, limit->most);
	spin_unlock_bh(&limit->lock);
	WRITE_ONCE(back->net.delay, rate ? network_limit_delay : NULL);
}

/* ---- the connection: under net->lock ---- */

/* Say @state, and what our interface is like now. */
static int network_back_say(struct network_back *back, u32 state)
{
	struct net_device *netdev = back->net.netdev;

	back->info.mtu = READ_ONCE(netdev->mtu);
	back->info.carrier = netif_running(netdev);
	return parvus_device_set_state(back->net.dev, state, &back->info, sizeof(back->info));
}

/* Nobody is there, or not any more: offer ourselves to who comes. */
static int network_back_offer(struct network_back *back)
{
	struct parvus_dev *dev = back->net.dev;
	int err;

	if (dev->state == PARVUS_DEVICE_READY && !back->net.link)
		return 0;
	parvus_network_disconnect(&back->net);
	err = parvus_device_set_state(dev, PARVUS_DEVICE_INITIALISING, NULL, 0);
	if (!err)
		err = network_back_say(back, PARVUS_DEVICE_READY);
	return err;
}

static void network_back_accept(struct network_back *back)
{
	struct parvus_network *net = &back->net;
	struct parvus_queues *link;
	int err;

	link = parvus_link_accept(net->dev, &back->info.link, PARVUS_EVENT_AUTO_MASK, 0);
	if (IS_ERR(link)) {
		err = PTR_ERR(link);
	} else {
		net->gives = link->features & PARVUS_NETWORK_FEATURES;
		err = parvus_network_attach(net, link);
		if (!err)
			err = parvus_link_start(link, parvus_network_interrupt, NULL,
						netdev_name(net->netdev));
		if (!err)
			err = network_back_say(back, PARVUS_DEVICE_CONNECTED);
		if (!err)
			err = parvus_network_connect(net, true);
	}
	if (!err)
		return;
	if (err == -EBUSY) {	/* it has gone again, and we shall be told */
		parvus_network_disconnect(net);
		return;
	}
	net_warn_ratelimited("%s: closed: no link to domain %u: %d\n", netdev_name(net->netdev),
			     net->dev->peer, err);
	parvus_network_shut(net);
}

static bool network_back_detaching(const struct parvus_dev *dev)
{
	const struct parvus_network_config *config = (void *)dev->config;

	return config->flags & PARVUS_NETWORK_DETACH;
}

/* To be detached: CLOSING, until the front end, in @state, is not there any more. */
static void network_back_detach(struct parvus_network *net, u32 state)
{
	u32 ours = PARVUS_DEVICE_CLOSING;

	if (state == PARVUS_DEVICE_CLOSED || state == PARVUS_DEVICE_CLOSING)
		ours = PARVUS_DEVICE_CLOSED;
	if (ours == PARVUS_DEVICE_CLOSED || state == PARVUS_DEVICE_INITIALISING)
		parvus_network_disconnect(net);
	if (net->dev->state != ours)
		parvus_device_set_state(net->dev, ours, NULL, 0);
}

static void network_back_peer(struct parvus_dev *dev, u32 state)
{
	struct parvus_network *net = dev_get_drvdata(&dev->dev);
	int err = 0;

	mutex_lock(&net->lock);
	if (network_back_detaching(dev)) {
		network_back_detach(net, state);
		mutex_unlock(&net->lock);
		return;
	}
	switch (parvus_network_is_shut(net) ? PARVUS_DEVICE_GONE : state) {
	case PARVUS_DEVICE_CLOSED:
	case PARVUS_DEVICE_INITIALISING:
		err = network_back_offer(to_back(net));
		break;
	case PARVUS_DEVICE_READY:
		if (dev->state == PARVUS_DEVICE_READY)
			network_back_accept(to_back(net));
		break;
	case PARVUS_DEVICE_CLOSING:
		parvus_network_disconnect(net);
		err = parvus_device_set_state(dev, PARVUS_DEVICE_CLOSED, NULL, 0);
		break;
	}
	mutex_unlock(&net->lock);
	if (err)
		netdev_err(net->netdev, "cannot follow domain %u: %d\n", dev->peer, err);
}

static void network_back_configured(struct parvus_dev *dev)
{
	struct parvus_network *net = dev_get_drvdata(&dev->dev);

	network_limit_set(to_back(net), (void *)dev->config);
	mutex_lock(&net->lock);
	if (network_back_detaching(dev)) {
		to_back(net)->detaching = true;
		network_back_detach(net, dev->peer_state);
	} else if (to_back(net)->detaching) {
		to_back(net)->detaching = false;
		if (!parvus_network_is_shut(net))
			network_back_offer(to_back(net));
	}
	parvus_network_kick(net);
	mutex_unlock(&net->lock);
}

/* ---- the interface ---- */

/* Only who is connected has to know; the others see it when they come. */
static void network_back_changed(struct work_struct *work)
{
	struct network_back *back = container_of(work, struct network_back, changed);
	struct net_device *netdev = back->net.netdev;

	mutex_lock(&back->net.lock);
	if (back->net.dev->state == PARVUS_DEVICE_CONNECTED &&
	    (back->info.mtu != READ_ONCE(netdev->mtu) ||
	     back->info.carrier != netif_running(netdev)))
		network_back_say(back, PARVUS_DEVICE_CONNECTED);
	mutex_unlock(&back->net.lock);
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
	.ndo_open = parvus_network_open,
	.ndo_stop = parvus_network_stop,
	.ndo_start_xmit = parvus_network_xmit,
	.ndo_get_stats64 = parvus_network_stats,
	.ndo_set_rx_mode = parvus_network_set_rx_mode,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_validate_addr = eth_validate_addr,
	.ndo_change_mtu = network_back_change_mtu,
	.ndo_fix_features = parvus_network_fix_features,
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
	netdev = parvus_network_alloc(dev, sizeof(*back), count, name);
	if (!netdev)
		return NULL;
	back = netdev_priv(netdev);
	INIT_WORK(&back->changed, network_back_changed);
	back->net.changed = network_back_change;
	back->net.takes = PARVUS_NETWORK_FEATURES;
	spin_lock_init(&back->limit.lock);
	network_limit_set(back, config);
	back->info.link = (struct parvus_link_info) {
		.version = PARVUS_LINK_VERSION,
		.queues = count,
		.features = PARVUS_NETWORK_FEATURES,
		.pool_pages = 2 * PARVUS_NETWORK_SLOTS,
	};
	netdev->netdev_ops = &network_back_ops;
	netdev->mtu = parvus_network_mtu(config);
	eth_hw_addr_set(netdev, address);
	return back;
}

static int network_back_probe(struct parvus_dev *dev)
{
	const struct parvus_network_config *config = (void *)dev->config;
	struct network_back *back;
	int err;

	if (config->version != 1) {
		dev_err(&dev->dev, "configuration of version %u\n", config->version);
		return -EINVAL;
	}
	if (config->flags & PARVUS_NETWORK_PROGRAM)
		return -ENODEV;
	back = network_back_alloc(dev);
	if (!back)
		return -ENOMEM;
	err = register_netdev(back->net.netdev);
	if (err) {
		dev_err(&dev->dev, "no interface %s: %d\n", netdev_name(back->net.netdev), err);
		goto free;
	}
	dev_set_drvdata(&dev->dev, &back->net);
	mutex_lock(&back->net.lock);
	back->detaching = network_back_detaching(dev);
	if (!back->detaching)	/* else peer_changed(), which follows */
		err = network_back_offer(back);
	mutex_unlock(&back->net.lock);
	if (!err)
		return 0;
	unregister_netdev(back->net.netdev);
	cancel_work_sync(&back->changed);
free:
	parvus_network_free(back->net.netdev);
	return err;
}

static void network_back_remove(struct parvus_dev *dev)
{
	struct parvus_network *net = dev_get_drvdata(&dev->dev);

	mutex_lock(&net->lock);
	parvus_network_disconnect(net);
	mutex_unlock(&net->lock);
	unregister_netdev(net->netdev);
	cancel_work_sync(&to_back(net)->changed);
	cancel_work_sync(&net->closes);
	parvus_network_free(net->netdev);
}

static struct parvus_driver network_back_driver = {
	.driver.name = "network-back",
	.device_class = PARVUS_CLASS_NETWORK,
	.side = PARVUS_BACK,
	.probe = network_back_probe,
	.remove = network_back_remove,
	.peer_changed = network_back_peer,
	.configured = network_back_configured,
};

static int __init network_back_init(void)
{
	return parvus_start ? parvus_register_driver(&network_back_driver) : 0;
}
module_init(network_back_init);

static void __exit network_back_exit(void)
{
	if (parvus_start)
		parvus_unregister_driver(&network_back_driver);
}
module_exit(network_back_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Parvus network interfaces, back end");
MODULE_ALIAS_PARVUS(00000003, 1);
