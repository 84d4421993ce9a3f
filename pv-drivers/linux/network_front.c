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
	bool left;			/* under net->lock: the back end has closed, and we have */
	struct work_struct renew;	/* what we take has changed */
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

/* What the back end may leave to us. */
static u32 network_front_takes(const struct parvus_network *net)
{
	return net->netdev->features & NETIF_F_RXCSUM ? PARVUS_NETWORK_FEATURES : 0;
}

/* The back end's blob, as it is now; false if it makes no sense. */
static bool network_front_info(struct parvus_network *net, struct parvus_network_info *info)
{
	struct parvus_device *record = kmalloc(sizeof(*record), GFP_KERNEL);
	int err = -ENOMEM;

	if (record) {
		err = parvus_device_read(net->dev, record);
		memcpy(info, record->back_blob, sizeof(*info));
	}
	kfree(record);
	return !err && info->link.version == PARVUS_LINK_VERSION && info->link.queues &&
	       info->mtu >= ETH_MIN_MTU;
}

/* ---- the connection: under net->lock ---- */

static void network_front_disconnect(struct parvus_network *net, u32 state)
{
	parvus_network_disconnect(net);
	if (net->dev->state != state)
		parvus_device_set_state(net->dev, state, NULL, 0);
}

static struct parvus_queues *network_front_link(struct parvus_network *net,
						const struct parvus_network_info *info)
{
	unsigned int count = min(net->max_queues, info->link.queues), n = network_front_slots();
	unsigned int pool = min(2 * n, info->link.pool_pages), i;
	struct parvus_queues *link;

	link = parvus_link_create(net->dev, count,
				  DIV_ROUND_UP(2 * (sizeof(struct parvus_ring) + n *
						    sizeof(struct parvus_network_slot)), PAGE_SIZE),
				  pool, PARVUS_EVENT_AUTO_MASK);
	if (IS_ERR(link))
		return link;
	for (i = 0; i < link->count; i++) {
		struct parvus_ring *ring = link->queue[i].rings;

		parvus_ring_format(&ring[0]);
		parvus_ring_format(&ring[1]);
	}
	return link;
}

/* The back end has said what it can do: make a link. */
static void network_front_begin(struct parvus_network *net)
{
	struct parvus_network_info info;
	struct parvus_queues *link;
	int err = -EPROTO;

	if (!network_front_info(net, &info)) {
		parvus_network_lie(net, "offers nothing that makes sense");
		return;
	}
	net->takes = network_front_takes(net) & info.link.features;
	net->gives = info.link.features & PARVUS_NETWORK_FEATURES;
	link = network_front_link(net, &info);
	if (IS_ERR(link)) {
		err = PTR_ERR(link);
	} else {
		err = parvus_network_attach(net, link);
		if (!err)
			err = parvus_link_start(link, parvus_network_interrupt, NULL,
						netdev_name(net->netdev));
		if (!err)
			err = parvus_link_publish(link, net->takes, NULL, 0);
	}
	if (!err)
		return;
	netdev_err(net->netdev, "no link to domain %u: %d\n", net->dev->peer, err);
	parvus_network_shut(net);
}

/* Follow what the back end says of its interface. */
static void network_front_follow(struct parvus_network *net)
{
	struct net_device *netdev = net->netdev;
	struct parvus_network_info info;

	if (!network_front_info(net, &info)) {
		parvus_network_lie(net, "offers nothing that makes sense");
		return;
	}
	rtnl_lock();
	netdev->max_mtu = min_t(u32, info.mtu, PARVUS_NETWORK_MTU_MAX);
	if (netdev->mtu > netdev->max_mtu)
		dev_set_mtu(netdev, netdev->max_mtu);
	if (info.carrier)
		netif_carrier_on(netdev);
	else
		netif_carrier_off(netdev);
	rtnl_unlock();
}

static void network_front_connected(struct parvus_network *net)
{
	int err;

	if (net->dev->state == PARVUS_DEVICE_READY) {
		err = parvus_device_set_state(net->dev, PARVUS_DEVICE_CONNECTED, NULL, 0);
		if (!err)
			err = parvus_network_connect(net, false);
		if (err == -EBUSY)
			return;		/* it has gone again, and we shall be told */
		if (err) {
			netdev_err(net->netdev, "cannot connect: %d\n", err);
			parvus_network_shut(net);
			return;
		}
		schedule_work(&to_front(net)->renew);
	}
	if (net->dev->state == PARVUS_DEVICE_CONNECTED)
		network_front_follow(net);
}

static void network_front_peer(struct parvus_dev *dev, u32 state)
{
	struct parvus_network *net = dev_get_drvdata(&dev->dev);
	bool left;

	mutex_lock(&net->lock);
	left = to_front(net)->left;
	to_front(net)->left = state == PARVUS_DEVICE_CLOSING ||
			      (left && state == PARVUS_DEVICE_CLOSED);
	switch (parvus_network_is_shut(net) && !to_front(net)->left ? PARVUS_DEVICE_GONE : state) {
	case PARVUS_DEVICE_CLOSED:
		if (left)	/* both ends are: the device goes */
			break;
		fallthrough;
	case PARVUS_DEVICE_INITIALISING:
		network_front_disconnect(net, PARVUS_DEVICE_INITIALISING);
		break;
	case PARVUS_DEVICE_READY:
		if (left)
			network_front_disconnect(net, PARVUS_DEVICE_INITIALISING);
		if (dev->state == PARVUS_DEVICE_INITIALISING)
			network_front_begin(net);
		break;
	case PARVUS_DEVICE_CONNECTED:
		network_front_connected(net);
		break;
	case PARVUS_DEVICE_CLOSING:
		network_front_disconnect(net, PARVUS_DEVICE_CLOSED);
		break;
	}
	mutex_unlock(&net->lock);
}

/* What we take is said once, when a link is made: for another set, make another link. */
static void network_front_renew(struct work_struct *work)
{
	struct network_front *front = container_of(work, struct network_front, renew);
	struct parvus_network *net = &front->net;
	struct parvus_network_info info;

	mutex_lock(&net->lock);
	if (net->dev->state == PARVUS_DEVICE_CONNECTED && network_front_info(net, &info) &&
	    net->takes != (network_front_takes(net) & info.link.features))
		network_front_disconnect(net, PARVUS_DEVICE_INITIALISING);
	mutex_unlock(&net->lock);
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
	.ndo_open = parvus_network_open,
	.ndo_stop = parvus_network_stop,
	.ndo_start_xmit = parvus_network_xmit,
	.ndo_get_stats64 = parvus_network_stats,
	.ndo_set_rx_mode = parvus_network_set_rx_mode,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_validate_addr = eth_validate_addr,
	.ndo_fix_features = parvus_network_fix_features,
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
	int err;

	if (config->version != 1) {
		dev_err(&dev->dev, "configuration of version %u\n", config->version);
		return -EINVAL;
	}
	if (config->queues)
		count = min(count, config->queues);
	netdev = parvus_network_alloc(dev, sizeof(struct network_front), count, "eth%d");
	if (!netdev)
		return -ENOMEM;
	net = netdev_priv(netdev);
	INIT_WORK(&to_front(net)->renew, network_front_renew);
	netdev->netdev_ops = &network_front_ops;
	netdev->hw_features |= NETIF_F_RXCSUM;
	netdev->priv_flags |= IFF_LIVE_ADDR_CHANGE;
	netdev->mtu = parvus_network_mtu(config);
	network_front_address(netdev, config);
	dev_set_drvdata(&dev->dev, net);
	err = register_netdev(netdev);
	if (err) {
		parvus_network_free(netdev);
		return err;
	}
	return parvus_device_set_state(dev, PARVUS_DEVICE_INITIALISING, NULL, 0);
}

static void network_front_remove(struct parvus_dev *dev)
{
	struct parvus_network *net = dev_get_drvdata(&dev->dev);

	/* Nobody sets features any more; a lie that was just told is past. */
	mutex_lock(&net->lock);
	parvus_network_disconnect(net);
	mutex_unlock(&net->lock);
	unregister_netdev(net->netdev);
	cancel_work_sync(&to_front(net)->renew);
	cancel_work_sync(&net->closes);
	parvus_network_free(net->netdev);
}

static struct parvus_driver network_front_driver = {
	.driver.name = "network-front",
	.device_class = PARVUS_CLASS_NETWORK,
	.side = PARVUS_FRONT,
	.probe = network_front_probe,
	.remove = network_front_remove,
	.peer_changed = network_front_peer,
};

static int __init network_front_init(void)
{
	return parvus_start ? parvus_register_driver(&network_front_driver) : 0;
}
module_init(network_front_init);

static void __exit network_front_exit(void)
{
	if (parvus_start)
		parvus_unregister_driver(&network_front_driver);
}
module_exit(network_front_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Parvus network interfaces, front end");
MODULE_ALIAS_PARVUS(00000003, 0);
