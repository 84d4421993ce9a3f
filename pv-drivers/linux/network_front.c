// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parvus network interfaces, the front end: ethN of a domain, whose packets another
 * domain passes on. The interface is there as soon as the device is; it has a carrier
 * while a back end is connected and has one itself.
 *
 * A back end may go without a word and come back: the link is made anew then, packets
 * that were in it are lost, and what waits in the interface's queues is not.
 */
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/if_vlan.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include "network_common.h"

static unsigned int queues;
module_param(queues, uint, 0444);
MODULE_PARM_DESC(queues, "Queues of an interface, at most (0: as many as CPUs)");

static unsigned int slots;
module_param(slots, uint, 0444);
MODULE_PARM_DESC(slots, "Slots in each ring, 32 to 512 (0: by the size of memory)");

struct network_front {
	struct parvus_network net;
	u64 offers;			/* features that the back end says it has */
	struct work_struct renew;	/* what we take has changed */
	struct delayed_work announce;	/* there is a carrier again */
};

static struct network_front *to_front(struct parvus_network *net)
{
	return container_of(net, struct network_front, net);
}

static unsigned int network_front_slots(void)
{
	unsigned int n = slots;

	if (!n)
		n = totalram_pages() < SZ_256M / PAGE_SIZE / 16 * 15 ? 128 : 256;
	return rounddown_pow_of_two(clamp(n, 32u, PARVUS_NETWORK_SLOTS));
}

/* What the back end may leave to us, of what it says that it can. */
static u32 network_front_takes(const struct parvus_network *net, u64 features)
{
	return net->netdev->features & NETIF_F_RXCSUM ? PARVUS_NETWORK_FEATURES & features : 0;
}

static bool network_front_sense(const struct parvus_network_info *info)
{
	return info->link.version == PARVUS_LINK_VERSION && info->link.queues &&
	       info->mtu >= ETH_MIN_MTU;
}

/* ---- the connection ---- */

static int network_front_describe(struct parvus_link_end *end, void *blob)
{
	struct parvus_network *net = to_network(end);
	const struct parvus_network_info *info = blob;
	unsigned int n = network_front_slots(), pool = min(2 * n, info->link.pool_pages);

	if (!network_front_sense(info) || !pool)
		return -EPROTO;
	net->takes = network_front_takes(net, info->link.features);
	net->gives = info->link.features & PARVUS_NETWORK_FEATURES;
	end->shape = (struct parvus_link_shape) {
		.queues = min(net->max_queues, info->link.queues),
		.ring_pages = DIV_ROUND_UP(2 * (sizeof(struct parvus_ring) + n *
						sizeof(struct parvus_network_slot)), PAGE_SIZE),
		.pool_pages = pool,
		.pool_least = pool,
		.features = net->takes,
	};
	return 0;
}

static int network_front_connect(struct parvus_link_end *end)
{
	unsigned int i;

	for (i = 0; i < end->link->count; i++) {
		struct parvus_ring *ring = end->link->queue[i].rings;

		parvus_ring_format(&ring[0]);
		parvus_ring_format(&ring[1]);
	}
	return parvus_network_connect(end);
}

static int network_front_connected(struct parvus_link_end *end)
{
	int err = parvus_network_start(to_network(end), false);

	if (!err)
		schedule_work(&to_front(to_network(end))->renew);
	return err;
}

/* Follow what the back end says of its interface. */
static int network_front_changed(struct parvus_link_end *end, const void *blob)
{
	struct parvus_network *net = to_network(end);
	struct net_device *netdev = net->netdev;
	const struct parvus_network_info *info = blob;

	if (!network_front_sense(info))
		return -EPROTO;
	to_front(net)->offers = info->link.features;
	if (info->carrier && !netif_carrier_ok(netdev))
		schedule_delayed_work(&to_front(net)->announce, HZ / 10);
	rtnl_lock();
	netdev->max_mtu = min_t(u32, info->mtu, PARVUS_NETWORK_MTU_MAX);
	if (netdev->mtu > netdev->max_mtu)
		dev_set_mtu(netdev, netdev->max_mtu);
	if (info->carrier)
		netif_carrier_on(netdev);
	else
		netif_carrier_off(netdev);
	rtnl_unlock();
	return 0;
}

static const struct parvus_link_ops network_front_end = {
	.describe = network_front_describe,
	.connect = network_front_connect,
	.connected = network_front_connected,
	.changed = network_front_changed,
	.disconnect = parvus_network_disconnect,
	.interrupt = parvus_network_interrupt,
};

/* What we take is said once, when a link is made: for another set, make another link. */
static void network_front_renew(struct work_struct *work)
{
	struct network_front *front = container_of(work, struct network_front, renew);
	struct parvus_network *net = &front->net;

	mutex_lock(&net->end.lock);
	if (net->end.link && net->end.dev->state == PARVUS_DEVICE_CONNECTED &&
	    net->takes != network_front_takes(net, front->offers))
		parvus_link_end_renew(&net->end);
	mutex_unlock(&net->end.lock);
}

/* Who serves us now may be behind another port of a switch. Not at once: queues open later. */
static void network_front_announce(struct work_struct *work)
{
	struct network_front *front = container_of(to_delayed_work(work), struct network_front,
						   announce);

	netdev_notify_peers(front->net.netdev);
}

/* ---- the interface ---- */

static int network_front_set_features(struct net_device *netdev, netdev_features_t features)
{
	struct parvus_network *net = netdev_priv(netdev);

	if ((netdev->features ^ features) & NETIF_F_RXCSUM)
		schedule_work(&to_front(net)->renew);
	return 0;
}

static const struct net_device_ops network_front_ops = {
	PARVUS_NETWORK_OPS,
	.ndo_set_features = network_front_set_features,
};

static void network_front_address(struct net_device *netdev,
				  const struct parvus_network_config *config)
{
	if (is_valid_ether_addr(config->mac)) {
		eth_hw_addr_set(netdev, config->mac);
		return;
	}
	if (!is_zero_ether_addr(config->mac))
		dev_warn(netdev->dev.parent, "%pM is no address of an interface\n", config->mac);
	eth_hw_addr_random(netdev);
}

static int network_front_probe(struct parvus_dev *dev)
{
	const struct parvus_network_config *config = (void *)dev->config;
	unsigned int count = min(queues ?: num_online_cpus(), PARVUS_LINK_QUEUES);
	struct net_device *netdev;
	struct parvus_network *net;

	if (config->version != 1) {
		dev_err(&dev->dev, "configuration of version %u\n", config->version);
		return -EINVAL;
	}
	if (config->queues)
		count = min(count, config->queues);
	netdev = parvus_network_alloc(dev, sizeof(struct network_front), count, "eth%d",
				      &network_front_end, &network_front_ops);
	if (!netdev)
		return -ENOMEM;
	net = netdev_priv(netdev);
	INIT_WORK(&to_front(net)->renew, network_front_renew);
	INIT_DELAYED_WORK(&to_front(net)->announce, network_front_announce);
	netdev->hw_features |= NETIF_F_RXCSUM;
	netdev->priv_flags |= IFF_LIVE_ADDR_CHANGE;
	netdev->mtu = parvus_network_mtu(config);
	network_front_address(netdev, config);
	return parvus_network_begin(net);
}

static void network_front_remove(struct parvus_dev *dev)
{
	struct parvus_network *net = to_network(dev_get_drvdata(&dev->dev));

	/* the link first: what the back end says last asks for it again */
	parvus_link_end_stop(&net->end);
	cancel_delayed_work_sync(&to_front(net)->announce);
	parvus_network_remove(net, &to_front(net)->renew);
}

static struct parvus_driver network_front = {
	.driver.name = "network-front",
	.device_class = PARVUS_CLASS_NETWORK,
	.side = PARVUS_FRONT,
	.probe = network_front_probe,
	.remove = network_front_remove,
	.peer_changed = parvus_link_end_peer_changed,
};
PARVUS_NETWORK_DRIVER(network_front);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Parvus network interfaces, front end");
MODULE_ALIAS_PARVUS(00000003, 0);
