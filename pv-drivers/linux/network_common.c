// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parvus network interfaces, both ends: packets into a ring of slots and out of the other
 * one, and the interface around them.
 *
 * A packet is copied into pages of the pool when it is transmitted, and out of them into
 * a buffer of ours when it is received. So nothing that the stack has ever lies where the
 * other end can change it, a transmitted packet is done with at once (there is nothing
 * for byte queue limits to count), and no page needs an answer.
 *
 * Both rings of a queue share one event and one NAPI. The event is AUTO_MASKed: it comes
 * once, and again when the poll has found nothing more to do.
 */
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/mm.h>
#include <linux/rtnetlink.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/virtio_net.h>
#include "network_common.h"

/* Up to here a packet is one piece of memory; of a longer one, the headers are. */
#define LINEAR_BYTES	2048u
#define HEADER_BYTES	128u

/* How long a full ring may stay as it is; then packets are dropped until it moves. */
#define STALL_TIME	(10 * HZ)

static_assert(PARVUS_NETWORK_PAGE == PAGE_SIZE);
static_assert(PARVUS_NETWORK_NEEDS_CSUM == VIRTIO_NET_HDR_F_NEEDS_CSUM << 1);
static_assert(PARVUS_NETWORK_DATA_VALID == VIRTIO_NET_HDR_F_DATA_VALID << 1);
static_assert(PARVUS_NETWORK_GSO_TCPV4 == VIRTIO_NET_HDR_GSO_TCPV4);
static_assert(PARVUS_NETWORK_GSO_TCPV6 == VIRTIO_NET_HDR_GSO_TCPV6);
static_assert(PARVUS_NETWORK_GSO_ECN == VIRTIO_NET_HDR_GSO_ECN);
/* A packet is at most one rest of a page fragment and whole pages. */
static_assert(MAX_SKB_FRAGS >= 1 + PARVUS_NETWORK_PACKET / PAGE_SIZE);

static void network_count(struct parvus_network_counters *c, unsigned int bytes)
{
	u64_stats_update_begin(&c->sync);
	u64_stats_inc(&c->packets);
	u64_stats_add(&c->bytes, bytes);
	u64_stats_update_end(&c->sync);
}

static void network_count_one(struct parvus_network_counters *c, u64_stats_t *what)
{
	u64_stats_update_begin(&c->sync);
	u64_stats_inc(what);
	u64_stats_update_end(&c->sync);
}

/* ---- transmitting ---- */

/* Where the bytes of a packet go: slot after slot, a page each. */
struct network_fill {
	struct parvus_network_queue *q;
	u32 slot;
	unsigned int room;
	void *to;
};

static void network_fill(struct network_fill *f, const void *from, unsigned int bytes)
{
	unsigned int n;

	for (; bytes; bytes -= n) {
		if (!f->room) {
			f->to = page_address(f->q->tx_pages[f->slot++ & (f->q->slots - 1)]);
			f->room = PAGE_SIZE;
		}
		n = min(bytes, f->room);
		memcpy(f->to, from, n);
		from += n;
		f->to += n;
		f->room -= n;
	}
}

/* Copy a packet into the ring, in which there is room. */
static void network_put(struct parvus_network_queue *q, const struct sk_buff *skb,
			struct parvus_network_slot *slot)
{
	struct network_fill f = { .q = q, .slot = q->tx.end.next };
	const struct skb_shared_info *info = skb_shinfo(skb);
	unsigned int left = skb->len, i;

	network_fill(&f, skb->data, skb_headlen(skb));
	for (i = 0; i < info->nr_frags; i++)
		network_fill(&f, skb_frag_address(&info->frags[i]), skb_frag_size(&info->frags[i]));
	for (; left > PAGE_SIZE; left -= PAGE_SIZE) {
		slot->bytes = PAGE_SIZE;
		slot->flags |= PARVUS_NETWORK_MORE;
		parvus_produce(&q->tx, slot);
		*slot = (struct parvus_network_slot) { };
	}
	slot->bytes = left;
	parvus_produce(&q->tx, slot);
}

/* The first slot of a packet. False: the other end cannot have it. */
static bool network_describe(struct parvus_network *net, struct sk_buff *skb,
			     struct parvus_network_slot *slot)
{
	struct virtio_net_hdr hdr;
	u32 lacks;

	if (skb->len < ETH_HLEN || skb->len > PARVUS_NETWORK_PACKET || skb_has_frag_list(skb))
		return false;
	if (virtio_net_hdr_from_skb(skb, &hdr, true, true, 0))
		return false;
	*slot = (struct parvus_network_slot) {
		.flags = hdr.flags << 1,
		.gso = hdr.gso_type,
		.gso_bytes = hdr.gso_size,
		.header_bytes = hdr.hdr_len,
		.csum_start = hdr.csum_start,
		.csum_offset = hdr.csum_offset,
	};
	lacks = parvus_network_needs(slot) & ~net->gives;
	if (likely(!lacks))
		return parvus_network_head_good(slot, skb->len, net->gives);
	/* It was made ready when the other end could do more. */
	if (lacks != PARVUS_NETWORK_HAS_CSUM || skb_checksum_help(skb))
		return false;
	slot->flags = 0;
	slot->csum_start = slot->csum_offset = 0;
	return true;
}

/* Room from which on a queue that was stopped goes on: half a ring for each event. */
static unsigned int network_wake_room(const struct parvus_network_queue *q)
{
	return max(q->slots / 2, PARVUS_NETWORK_PACKET_SLOTS);
}

static void network_publish(struct parvus_network_queue *q)
{
	if (parvus_publish(&q->tx)) {
		network_count_one(&q->sent, &q->sent.events);
		parvus_queue_notify(q->link);
	}
}

/* A full ring stops the queue; the other end wakes it, or the clock does. */
static void network_stop_if_full(struct parvus_network_queue *q, struct netdev_queue *txq)
{
	unsigned int want = PARVUS_NETWORK_PACKET_SLOTS;

	if (likely(parvus_producer_room_for(&q->tx, want) >= want)) {
		q->stalled = false;
		parvus_link_end_answers(&q->net->end);
		return;
	}
	network_publish(q);
	if (q->stalled)
		return;
	netif_tx_stop_queue(txq);
	if (!parvus_producer_sleep(&q->tx, network_wake_room(q))) {
		netif_tx_start_queue(txq);	/* there is room by now, or there never will be */
		return;
	}
	network_count_one(&q->sent, &q->sent.stops);
	q->stopped = jiffies;
	if (!timer_pending(&q->stall))
		mod_timer(&q->stall, jiffies + STALL_TIME);
}

netdev_tx_t parvus_network_xmit(struct sk_buff *skb, struct net_device *netdev)
{
	struct parvus_network *net = netdev_priv(netdev);
	struct parvus_network_queue *q = &net->queue[skb_get_queue_mapping(skb)];
	struct netdev_queue *txq = netdev_get_tx_queue(netdev, q->index);
	unsigned int slots = DIV_ROUND_UP(skb->len, PAGE_SIZE);
	struct parvus_network_slot slot;
	bool more = netdev_xmit_more();

	if (unlikely(!q->up)) {
		network_count_one(&q->sent, &q->sent.dropped);
		goto free;
	}
	if (unlikely(!network_describe(net, skb, &slot))) {
		network_count_one(&q->sent, &q->sent.errors);
		goto publish;
	}
	if (unlikely(parvus_producer_room_for(&q->tx, slots) < slots)) {
		if (parvus_producer_broken(&q->tx))
			parvus_link_end_lie(&net->end, "has a wrong index");
		network_count_one(&q->sent, &q->sent.dropped);
		goto publish;
	}
	network_put(q, skb, &slot);
	network_count(&q->sent, skb->len);
	skb_tx_timestamp(skb);
	network_stop_if_full(q, txq);
publish:
	if (!more || netif_xmit_stopped(txq))
		network_publish(q);
free:
	dev_consume_skb_any(skb);
	return NETDEV_TX_OK;
}

/* The other end may have made room. */
static void network_wake(struct parvus_network_queue *q)
{
	struct netdev_queue *txq = netdev_get_tx_queue(q->net->netdev, q->index);
	unsigned int want = network_wake_room(q);

	if (likely(!netif_tx_queue_stopped(txq)))
		return;
	__netif_tx_lock(txq, smp_processor_id());
	if (q->up && netif_tx_queue_stopped(txq) &&
	    (parvus_producer_room_for(&q->tx, want) >= want || parvus_producer_broken(&q->tx)))
		netif_tx_wake_queue(txq);
	__netif_tx_unlock(txq);
}

/* A ring that stays full: what waits for it must not wait, and be held, for ever. */
static void network_stall(struct timer_list *timer)
{
	struct parvus_network_queue *q = container_of(timer, struct parvus_network_queue, stall);
	struct netdev_queue *txq = netdev_get_tx_queue(q->net->netdev, q->index);

	__netif_tx_lock(txq, smp_processor_id());
	if (q->up && netif_tx_queue_stopped(txq)) {
		if (time_before(jiffies, q->stopped + STALL_TIME)) {
			mod_timer(&q->stall, q->stopped + STALL_TIME);
		} else {
			q->stalled = true;
			parvus_link_end_hangs(&q->net->end, true);
			netif_tx_wake_queue(txq);
		}
	}
	__netif_tx_unlock(txq);
}

/* ---- receiving ---- */

/* Where the bytes of a packet come from. */
struct network_drain {
	const struct parvus_network_queue *q;
	const struct parvus_network_slot *slot;
	u32 index;
	unsigned int left;
	const void *from;
};

static void network_drain(struct network_drain *d, void *to, unsigned int bytes)
{
	unsigned int n;

	for (; bytes; bytes -= n) {
		if (!d->left) {
			d->from = page_address(d->q->rx_pages[d->index++ & (d->q->slots - 1)]) +
				  d->slot->offset;
			d->left = d->slot->bytes;
			d->slot++;
		}
		n = min(bytes, d->left);
		memcpy(to, d->from, n);
		to += n;
		d->from += n;
		d->left -= n;
	}
}

/* A packet of which all slots were consumed, as a buffer of ours; NULL: no memory. */
static struct sk_buff *network_get(struct parvus_network_queue *q)
{
	const struct parvus_network_packet *p = &q->packet;
	struct network_drain d = {
		.q = q, .slot = p->slot, .index = q->rx.end.next - p->slots,
	};
	unsigned int head = p->bytes <= LINEAR_BYTES ? p->bytes : HEADER_BYTES, left, n;
	struct page_frag *frag = &q->frag;
	struct sk_buff *skb = napi_alloc_skb(&q->napi, head);

	if (unlikely(!skb))
		return NULL;
	network_drain(&d, __skb_put(skb, head), head);
	for (left = p->bytes - head; left; left -= n) {
		if (unlikely(!skb_page_frag_refill(SMP_CACHE_BYTES, frag, GFP_ATOMIC))) {
			dev_kfree_skb_any(skb);
			return NULL;
		}
		n = min(left, frag->size - frag->offset);
		network_drain(&d, page_address(frag->page) + frag->offset, n);
		get_page(frag->page);
		skb_add_rx_frag(skb, skb_shinfo(skb)->nr_frags, frag->page, frag->offset, n,
				SKB_DATA_ALIGN(n));
		frag->offset += SKB_DATA_ALIGN(n);
	}
	return skb;
}

static void network_deliver(struct parvus_network_queue *q, struct sk_buff *skb)
{
	const struct parvus_network_slot *head = &q->packet.slot[0];
	struct net_device *netdev = q->net->netdev;
	const struct ethhdr *eth = (void *)skb->data;
	const struct virtio_net_hdr hdr = {
		.flags = (head->flags & PARVUS_NETWORK_NEEDS_CSUM) >> 1,
		.gso_type = head->gso,
		.gso_size = head->gso_bytes,
		.csum_start = head->csum_start,
		.csum_offset = head->csum_offset,
	};

	if (unlikely(q->net->admits && !q->net->admits(q->net, eth->h_source))) {
		network_count_one(&q->received, &q->received.refused);
		dev_kfree_skb_any(skb);
		return;
	}
	if (unlikely(virtio_net_hdr_to_skb(skb, &hdr, true))) {
		network_count_one(&q->received, &q->received.errors);
		dev_kfree_skb_any(skb);
		return;
	}
	if (head->flags & PARVUS_NETWORK_DATA_VALID && netdev->features & NETIF_F_RXCSUM)
		skb->ip_summed = CHECKSUM_UNNECESSARY;
	network_count(&q->received, skb->len);
	skb->protocol = eth_type_trans(skb, netdev);
	skb_record_rx_queue(skb, q->index);
	napi_gro_receive(&q->napi, skb);
}

/* Consume the slots of the next packet. A sender publishes whole packets. */
static bool network_next(struct parvus_network_queue *q)
{
	struct parvus_network_packet *p = &q->packet;
	enum parvus_network_verdict verdict;

	p->slots = p->bytes = 0;
	do {
		if (!parvus_consume(&q->rx, &p->slot[p->slots])) {
			if (parvus_consumer_broken(&q->rx))
				parvus_link_end_lie(&q->net->end, "has a wrong index");
			else if (p->slots)
				parvus_link_end_lie(&q->net->end, "sent a part of a packet");
			return false;
		}
		verdict = parvus_network_check(p, q->net->takes);
	} while (verdict == PARVUS_NETWORK_GOES_ON);
	if (verdict == PARVUS_NETWORK_LIE)
		parvus_link_end_lie(&q->net->end, "sent a bad slot");
	return verdict == PARVUS_NETWORK_WHOLE;
}

static void network_release(struct parvus_network_queue *q)
{
	if (parvus_release(&q->rx)) {
		network_count_one(&q->received, &q->received.events);
		parvus_queue_notify(q->link);
	}
}

static int network_receive(struct parvus_network_queue *q, int budget)
{
	unsigned long (*limit)(struct parvus_network *net, unsigned int bytes) =
		READ_ONCE(q->net->delay);
	unsigned long delay;
	struct sk_buff *skb;
	int done = 0;

	q->waits = false;
	while (done < budget && network_next(q)) {
		delay = limit ? limit(q->net, q->packet.bytes) : 0;
		if (delay) {
			parvus_consumer_undo(&q->rx, q->packet.slots);
			network_count_one(&q->received, &q->received.stops);
			q->waits = true;
			mod_timer(&q->again, jiffies + delay);
			break;
		}
		skb = network_get(q);
		/* Not each packet: then the other end, which may wait, is told less often. */
		if (q->rx.end.next - q->rx.end.published >= q->slots / 4)
			network_release(q);
		if (likely(skb))
			network_deliver(q, skb);
		else
			network_count_one(&q->received, &q->received.dropped);
		done++;
	}
	network_release(q);
	return done;
}

static int network_poll(struct napi_struct *napi, int budget)
{
	struct parvus_network_queue *q = container_of(napi, struct parvus_network_queue, napi);
	int done;

	network_wake(q);
	if (!budget)
		return 0;
	done = network_receive(q, budget);
	if (unlikely(READ_ONCE(q->net->end.lied))) {
		napi_complete_done(napi, min(done, budget - 1));
		return min(done, budget - 1);	/* no event any more */
	}
	if (done == budget)
		return budget;
	/* Room is told even while packets wait for the limit; what they wait for is the timer. */
	if (!q->waits && !parvus_consumer_sleep(&q->rx))
		return budget;
	if (napi_complete_done(napi, done))
		parvus_queue_done(q->link);
	return done;
}

static void network_again(struct timer_list *timer)
{
	struct parvus_network_queue *q = container_of(timer, struct parvus_network_queue, again);

	napi_schedule(&q->napi);
}

irqreturn_t parvus_network_interrupt(int irq, void *data)
{
	struct parvus_queue *link = data;
	struct parvus_network_queue *q = link->data;

	napi_schedule_irqoff(&q->napi);
	return IRQ_HANDLED;
}

/* ---- up and down ---- */

/* Have each queue polled, as after an event. */
void parvus_network_kick(struct parvus_network *net)
{
	unsigned int i;

	local_bh_disable();
	for (i = 0; i < net->queues; i++)
		napi_schedule(&net->queue[i].napi);
	local_bh_enable();
}

/* What came while nobody listened is as if it never had. */
static void network_discard(struct parvus_network_queue *q)
{
	u32 n = q->slots;

	while (n-- && parvus_consume(&q->rx, &q->packet.slot[0]))
		;
	network_release(q);
}

/* Under the RTNL, connected and up. */
static void network_start(struct parvus_network *net)
{
	unsigned int i;

	for (i = 0; i < net->queues; i++) {
		net->queue[i].stalled = false;
		net->queue[i].up = true;
		napi_enable(&net->queue[i].napi);
	}
	netif_tx_start_all_queues(net->netdev);
	parvus_network_kick(net);
}

static void network_stop(struct parvus_network *net)
{
	unsigned int i;

	netif_tx_disable(net->netdev);
	/* Nobody starts them again; and who transmits past stopped queues has their lock. */
	netif_tx_lock_bh(net->netdev);
	for (i = 0; i < net->queues; i++)
		net->queue[i].up = false;
	netif_tx_unlock_bh(net->netdev);
	for (i = 0; i < net->queues; i++) {
		struct parvus_network_queue *q = &net->queue[i];

		napi_disable(&q->napi);
		timer_delete_sync(&q->stall);
		timer_delete_sync(&q->again);
	}
	/* a poll that is complete may still be telling the other end */
	synchronize_net();
}

int parvus_network_open(struct net_device *netdev)
{
	struct parvus_network *net = netdev_priv(netdev);
	unsigned int i;

	netif_tx_stop_all_queues(netdev);
	if (net->connected) {
		for (i = 0; i < net->queues; i++)
			network_discard(&net->queue[i]);
		network_start(net);
	}
	if (net->changed)
		net->changed(net);
	return 0;
}

int parvus_network_stop(struct net_device *netdev)
{
	struct parvus_network *net = netdev_priv(netdev);

	if (net->connected)
		network_stop(net);
	if (net->changed)
		net->changed(net);
	return 0;
}

/* parvus_network_connect - take the queues of a link; -EPROTO: rings or pool are too small */
int parvus_network_connect(struct parvus_link_end *end)
{
	struct parvus_network *net = to_network(end);
	bool front = end->dev->side == PARVUS_FRONT;
	unsigned int i, n;

	if (end->link->count > net->max_queues)
		return -EPROTO;
	net->queues = end->link->count;
	for (i = 0; i < net->queues; i++) {
		struct parvus_network_queue *q = &net->queue[i];
		struct parvus_queue *l = &end->link->queue[i];
		struct parvus_ring *ring = l->rings;
		void *slots = ring + 2;

		n = parvus_network_slots(l->pool_pages, l->ring_bytes);
		if (!n)
			return -EPROTO;
		q->slots = n;
		parvus_producer_init(&q->tx, &ring[!front], slots + !front * n *
				     sizeof(struct parvus_network_slot), n,
				     sizeof(struct parvus_network_slot), 0);
		parvus_consumer_init(&q->rx, &ring[front], slots + front * n *
				     sizeof(struct parvus_network_slot), n,
				     sizeof(struct parvus_network_slot), 0);
		q->tx_pages = l->pool + !front * n;
		q->rx_pages = l->pool + front * n;
		l->data = q;
	}
	return 0;
}

/* parvus_network_start - the other end is there: packets may come and go */
int parvus_network_start(struct parvus_network *net, bool carrier)
{
	struct net_device *netdev = net->netdev;
	unsigned int i;
	int err;

	rtnl_lock();
	err = netif_set_real_num_queues(netdev, net->queues, net->queues);
	if (!err) {
		for (i = 0; i < net->queues; i++)
			net->queue[i].link = &net->end.link->queue[i];
		net->connected = true;
		netdev_update_features(netdev);
		if (netif_running(netdev))
			network_start(net);
		if (carrier)
			netif_carrier_on(netdev);
	}
	rtnl_unlock();
	return err;
}

/* parvus_network_disconnect - as if there were no other end */
void parvus_network_disconnect(struct parvus_link_end *end)
{
	struct parvus_network *net = to_network(end);
	struct net_device *netdev = net->netdev;

	rtnl_lock();
	netif_carrier_off(netdev);
	if (net->connected && netif_running(netdev))
		network_stop(net);
	net->connected = false;
	rtnl_unlock();
	net->queues = 0;
}

/* ---- the interface ---- */

netdev_features_t parvus_network_fix_features(struct net_device *netdev,
					      netdev_features_t features)
{
	struct parvus_network *net = netdev_priv(netdev);

	if (!(net->gives & PARVUS_NETWORK_HAS_CSUM))
		features &= ~(NETIF_F_HW_CSUM | NETIF_F_ALL_TSO);
	if (!(net->gives & PARVUS_NETWORK_HAS_TSO4))
		features &= ~(NETIF_F_TSO | NETIF_F_TSO_ECN);
	if (!(net->gives & PARVUS_NETWORK_HAS_TSO6))
		features &= ~NETIF_F_TSO6;
	return features;
}

/* All packets are delivered, of whatever groups: there is no filter to set. */
void parvus_network_set_rx_mode(struct net_device *netdev)
{
}

static void network_queue_init(struct parvus_network *net, unsigned int index)
{
	struct parvus_network_queue *q = &net->queue[index];

	q->net = net;
	q->index = index;
	timer_setup(&q->stall, network_stall, 0);
	timer_setup(&q->again, network_again, 0);
	u64_stats_init(&q->sent.sync);
	u64_stats_init(&q->received.sync);
	netif_napi_add(net->netdev, &q->napi, network_poll);
}

/**
 * parvus_network_alloc - an interface that is not registered yet
 * @size: of a structure that begins with struct parvus_network
 * @queues: at most
 */
struct net_device *parvus_network_alloc(struct parvus_dev *dev, size_t size, unsigned int queues,
					const char *name, const struct parvus_link_ops *end_ops,
					const struct net_device_ops *ops)
{
	netdev_features_t features = NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_TSO | NETIF_F_TSO_ECN |
				     NETIF_F_TSO6;
	struct net_device *netdev;
	struct parvus_network *net;
	unsigned int i;

	netdev = alloc_netdev_mqs(size, name, NET_NAME_UNKNOWN, ether_setup, queues, queues);
	if (!netdev)
		return NULL;
	net = netdev_priv(netdev);
	net->queue = kvcalloc(queues, sizeof(*net->queue), GFP_KERNEL);
	if (!net->queue) {
		free_netdev(netdev);
		return NULL;
	}
	net->netdev = netdev;
	net->max_queues = queues;
	net->gives = PARVUS_NETWORK_FEATURES;
	parvus_link_end_init(&net->end, dev, end_ops);
	net->end.name = netdev->name;
	for (i = 0; i < queues; i++)
		network_queue_init(net, i);
	SET_NETDEV_DEV(netdev, &dev->dev);
	/* A receiver checks the headers of what it gets in one piece, whoever sent it. */
	netdev->features = features | NETIF_F_RXCSUM | NETIF_F_GSO_ROBUST;
	netdev->hw_features = features;
	netdev->vlan_features = features;
	netdev->netdev_ops = ops;
	netdev->ethtool_ops = &parvus_network_ethtool;
	netdev->min_mtu = ETH_MIN_MTU;
	netdev->max_mtu = PARVUS_NETWORK_MTU_MAX;
	netif_carrier_off(netdev);
	return netdev;
}

void parvus_network_free(struct net_device *netdev)
{
	struct parvus_network *net = netdev_priv(netdev);
	struct parvus_network_queue *queue = net->queue;
	unsigned int i;

	for (i = 0; i < net->max_queues; i++)
		if (queue[i].frag.page)
			put_page(queue[i].frag.page);
	free_netdev(netdev);
	kvfree(queue);
}

/* parvus_network_begin - the interface is there, and so are we; frees it if it fails */
int parvus_network_begin(struct parvus_network *net)
{
	int err = register_netdev(net->netdev);

	if (err) {
		dev_err(&net->end.dev->dev, "no interface %s: %d\n", netdev_name(net->netdev), err);
		parvus_network_free(net->netdev);
		return err;
	}
	parvus_link_end_begin(&net->end);
	return 0;
}

/* parvus_network_remove - with the driver's @work, which the interface queues */
void parvus_network_remove(struct parvus_network *net, struct work_struct *work)
{
	parvus_link_end_stop(&net->end);
	unregister_netdev(net->netdev);
	cancel_work_sync(work);
	parvus_network_free(net->netdev);
}
