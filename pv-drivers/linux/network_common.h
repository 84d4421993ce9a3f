/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Parvus network interfaces: what front end and back end share, which is most of it.
 * Both produce in one ring of slots and consume from the other (parvus/network.h); they
 * differ in how they connect.
 */
#ifndef PARVUS_NETWORK_COMMON_H
#define PARVUS_NETWORK_COMMON_H

#include <linux/netdevice.h>
#include <linux/parvus_link.h>
#include <linux/u64_stats_sync.h>
#include "network_check.h"

struct parvus_network;

struct parvus_network_counters {
	u64_stats_t packets, bytes;
	u64_stats_t dropped;	/* no memory, or nobody who takes them */
	u64_stats_t errors;	/* packets that make no sense */
	u64_stats_t events;	/* sent to the other end */
	u64_stats_t stops;	/* the ring was full; or, receiving, the limit was reached */
	u64_stats_t refused;	/* received from an address that the other end may not use */
	struct u64_stats_sync sync;
};

struct parvus_network_queue {
	struct parvus_network *net;
	unsigned int index;
	struct napi_struct napi;
	struct parvus_queue *link;
	unsigned int slots;

	/* Transmitting, under the lock of the netdev's queue. */
	struct parvus_producer tx ____cacheline_aligned_in_smp;
	struct page **tx_pages;
	bool up;
	bool stalled;			/* the other end does not consume: drop */
	unsigned long stopped;		/* since when, in jiffies */
	struct timer_list stall;
	struct parvus_network_counters sent;

	/* Receiving, by the poll. */
	struct parvus_consumer rx ____cacheline_aligned_in_smp;
	struct page **rx_pages;
	struct page_frag frag;		/* where the bytes of packets go */
	bool waits;			/* for its limit: the timer polls again */
	struct timer_list again;
	struct parvus_network_counters received;
	struct parvus_network_packet packet;
};

/**
 * struct parvus_network - an interface, at either end; netdev_priv()
 * @end: its lock is outside the RTNL
 * @takes: features that the other end may use in what we receive
 * @gives: features that the other end takes of us
 * @delay: NULL, or says how many jiffies a received packet has to wait; 0: take it
 * @admits: NULL, or says whether a packet from that address may be received
 * @changed: NULL, or is told under the RTNL that the interface went up, down, or has
 *	another MTU
 */
struct parvus_network {
	struct net_device *netdev;
	struct parvus_link_end end;
	unsigned int queues;		/* of the link */
	unsigned int max_queues;
	bool connected;			/* under the RTNL */
	u32 takes, gives;
	unsigned long (*delay)(struct parvus_network *net, unsigned int bytes);
	bool (*admits)(struct parvus_network *net, const u8 *source);
	void (*changed)(struct parvus_network *net);
	struct parvus_network_queue *queue;
};

static inline struct parvus_network *to_network(struct parvus_link_end *end)
{
	return container_of(end, struct parvus_network, end);
}

struct net_device *parvus_network_alloc(struct parvus_dev *dev, size_t size, unsigned int queues,
					const char *name, const struct parvus_link_ops *end_ops,
					const struct net_device_ops *ops);
int parvus_network_begin(struct parvus_network *net);
void parvus_network_free(struct net_device *netdev);
void parvus_network_remove(struct parvus_network *net, struct work_struct *work);
int parvus_network_connect(struct parvus_link_end *end);
int parvus_network_start(struct parvus_network *net, bool carrier);
void parvus_network_disconnect(struct parvus_link_end *end);
void parvus_network_kick(struct parvus_network *net);

irqreturn_t parvus_network_interrupt(int irq, void *data);
int parvus_network_open(struct net_device *netdev);
int parvus_network_stop(struct net_device *netdev);
netdev_tx_t parvus_network_xmit(struct sk_buff *skb, struct net_device *netdev);
void parvus_network_stats(struct net_device *netdev, struct rtnl_link_stats64 *to);
netdev_features_t parvus_network_fix_features(struct net_device *netdev,
					      netdev_features_t features);
void parvus_network_set_rx_mode(struct net_device *netdev);
extern const struct ethtool_ops parvus_network_ethtool;	/* network_stats.c */

/* What both ends' interfaces do alike. */
#define PARVUS_NETWORK_OPS						\
	.ndo_open = parvus_network_open,				\
	.ndo_stop = parvus_network_stop,				\
	.ndo_start_xmit = parvus_network_xmit,				\
	.ndo_get_stats64 = parvus_network_stats,			\
	.ndo_set_rx_mode = parvus_network_set_rx_mode,			\
	.ndo_set_mac_address = eth_mac_addr,				\
	.ndo_validate_addr = eth_validate_addr,				\
	.ndo_fix_features = parvus_network_fix_features

/* Registration of a driver, at module_init() and module_exit(). */
#define PARVUS_NETWORK_DRIVER(driver)					\
static int __init driver##_init(void)					\
{									\
	return parvus_start ? parvus_register_driver(&(driver)) : 0;	\
}									\
module_init(driver##_init);						\
static void __exit driver##_exit(void)					\
{									\
	if (parvus_start)						\
		parvus_unregister_driver(&(driver));			\
}									\
module_exit(driver##_exit)

/* Bytes of a packet that are not the MTU's: Ethernet header and a VLAN tag. */
#define PARVUS_NETWORK_MTU_MAX	(PARVUS_NETWORK_PACKET - ETH_HLEN - VLAN_HLEN)

/* What the toolstack says of the MTU; 0 is Ethernet's. */
static inline unsigned int parvus_network_mtu(const struct parvus_network_config *config)
{
	return clamp_t(unsigned int, config->mtu ?: ETH_DATA_LEN, ETH_MIN_MTU,
		       PARVUS_NETWORK_MTU_MAX);
}

#endif
