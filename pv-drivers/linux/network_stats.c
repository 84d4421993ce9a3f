// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parvus network interfaces, both ends: what was counted, for "ip -s link" and ethtool.
 */
#include <linux/ethtool.h>
#include <linux/if_vlan.h>
#include "network_common.h"

struct network_sum {
	u64 packets, bytes, dropped, errors, events, stops, refused;
};

static struct network_sum network_sum(const struct parvus_network_counters *c)
{
	struct network_sum sum;
	unsigned int start;

	do {
		start = u64_stats_fetch_begin(&c->sync);
		sum.packets = u64_stats_read(&c->packets);
		sum.bytes = u64_stats_read(&c->bytes);
		sum.dropped = u64_stats_read(&c->dropped);
		sum.errors = u64_stats_read(&c->errors);
		sum.events = u64_stats_read(&c->events);
		sum.stops = u64_stats_read(&c->stops);
		sum.refused = u64_stats_read(&c->refused);
	} while (u64_stats_fetch_retry(&c->sync, start));
	return sum;
}

void parvus_network_stats(struct net_device *netdev, struct rtnl_link_stats64 *to)
{
	struct parvus_network *net = netdev_priv(netdev);
	struct network_sum sum;
	unsigned int i;

	for (i = 0; i < net->max_queues; i++) {
		sum = network_sum(&net->queue[i].sent);
		to->tx_packets += sum.packets;
		to->tx_bytes += sum.bytes;
		to->tx_dropped += sum.dropped;
		to->tx_errors += sum.errors;
		sum = network_sum(&net->queue[i].received);
		to->rx_packets += sum.packets;
		to->rx_bytes += sum.bytes;
		to->rx_dropped += sum.dropped + sum.refused;
		to->rx_errors += sum.errors;
	}
}

static void network_get_drvinfo(struct net_device *netdev, struct ethtool_drvinfo *info)
{
	struct parvus_network *net = netdev_priv(netdev);

	strscpy(info->driver, net->end.dev->side == PARVUS_FRONT ? "parvus-network-front" :
		"parvus-network-back", sizeof(info->driver));
	strscpy(info->bus_info, dev_name(&net->end.dev->dev), sizeof(info->bus_info));
}

static const char *const network_counter_names[] = {
	"packets", "bytes", "dropped", "errors", "events", "stops", "refused",
};
static_assert(sizeof(struct network_sum) == ARRAY_SIZE(network_counter_names) * sizeof(u64));

static int network_get_sset_count(struct net_device *netdev, int set)
{
	struct parvus_network *net = netdev_priv(netdev);

	if (set != ETH_SS_STATS)
		return -EOPNOTSUPP;
	return net->max_queues * 2 * ARRAY_SIZE(network_counter_names);
}

static void network_get_strings(struct net_device *netdev, u32 set, u8 *to)
{
	struct parvus_network *net = netdev_priv(netdev);
	unsigned int i, n;

	for (i = 0; set == ETH_SS_STATS && i < 2 * net->max_queues; i++)
		for (n = 0; n < ARRAY_SIZE(network_counter_names); n++)
			ethtool_sprintf(&to, "%s_queue_%u_%s", i & 1 ? "rx" : "tx", i / 2,
					network_counter_names[n]);
}

static void network_get_stats(struct net_device *netdev, struct ethtool_stats *stats, u64 *to)
{
	struct parvus_network *net = netdev_priv(netdev);
	struct network_sum sum;
	unsigned int i;

	for (i = 0; i < net->max_queues; i++) {
		sum = network_sum(&net->queue[i].sent);
		memcpy(to, &sum, sizeof(sum));
		to += ARRAY_SIZE(network_counter_names);
		sum = network_sum(&net->queue[i].received);
		memcpy(to, &sum, sizeof(sum));
		to += ARRAY_SIZE(network_counter_names);
	}
}

static void network_get_channels(struct net_device *netdev, struct ethtool_channels *channels)
{
	struct parvus_network *net = netdev_priv(netdev);

	channels->max_combined = net->max_queues;
	channels->combined_count = netdev->real_num_tx_queues;
}

const struct ethtool_ops parvus_network_ethtool = {
	.get_drvinfo = network_get_drvinfo,
	.get_link = ethtool_op_get_link,
	.get_sset_count = network_get_sset_count,
	.get_strings = network_get_strings,
	.get_ethtool_stats = network_get_stats,
	.get_channels = network_get_channels,
	.get_ts_info = ethtool_op_get_ts_info,
};
