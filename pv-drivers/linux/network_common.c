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
#include <linux/ethtool.h>
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

/* The other end broke the rules: once for each connection, and the last of it. */
void parvus_network_lie(struct parvus_network *net, const char *what)
{
	if (xchg(&net->lied, true))
		return;
	net_warn_ratelimited("%s: closed: domain %u %s\n", netdev_name(net->netdev),
			     net->dev->peer, what);
	schedule_work(&net->closes);
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
			parvus_network_lie(net, "has a wrong index");
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
	struct parvus_network_queue *q = from_timer(q, timer, stall);
	struct netdev_queue *txq = netdev_get_tx_queue(q->net->netdev, q->index);

	__netif_tx_lock(txq, smp_processor_id());
	if (q->up && netif_tx_queue_stopped(txq)) {
		if (time_before(jiffies, q->stopped + STALL_TIME)) {
			mod_timer(&q->stall, q->stopped + STALL_TIME);
		} else {
			q->stalled = true;
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
	const struct virtio_net_hdr hdr = {
		.flags = (head->flags & PARVUS_NETWORK_NEEDS_CSUM) >> 1,
		.gso_type = head->gso,
		.gso_size = head->gso_bytes,
		.csum_start = head->csum_start,
		.csum_offset = head->csum_offset,
	};

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
				parvus_network_lie(q->net, "has a wrong index");
			else if (p->slots)
				parvus_network_lie(q->net, "sent a part of a packet");
			return false;
		}
		verdict = parvus_network_check(p, q->net->takes);
	} while (verdict == PARVUS_NETWORK_GOES_ON);
	if (verdict == PARVUS_NETWORK_LIE)
		parvus_network_lie(q->net, "sent a bad slot");
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
	if (unlikely(READ_ONCE(q->net->lied))) {
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
	struct parvus_network_queue *q = from_timer(q, timer, again);

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
		del_timer_sync(&q->stall);
		del_timer_sync(&q->again);
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

/**
 * parvus_network_attach - take the queues of a link, which is ours from then on
 *
 * -EPROTO if its rings or its pool are too small. Call parvus_network_disconnect() to
 * let go of it, whatever happened after that.
 */
int parvus_network_attach(struct parvus_network *net, struct parvus_queues *link)
{
	bool front = net->dev->side == PARVUS_FRONT;
	unsigned int i, n;

	net->link = link;
	if (link->count > net->max_queues)
		return -EPROTO;
	net->queues = link->count;
	for (i = 0; i < link->count; i++) {
		struct parvus_network_queue *q = &net->queue[i];
		struct parvus_queue *l = &link->queue[i];
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

/* parvus_network_connect - the other end is there: packets may come and go */
int parvus_network_connect(struct parvus_network *net, bool carrier)
{
	struct net_device *netdev = net->netdev;
	unsigned int i;
	int err;

	rtnl_lock();
	err = netif_set_real_num_queues(netdev, net->queues, net->queues);
	if (!err) {
		for (i = 0; i < net->queues; i++)
			net->queue[i].link = &net->link->queue[i];
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

/* parvus_network_disconnect - as if there were no other end; gives the link up */
void parvus_network_disconnect(struct parvus_network *net)
{
	struct net_device *netdev = net->netdev;

	rtnl_lock();
	netif_carrier_off(netdev);
	if (net->connected && netif_running(netdev))
		network_stop(net);
	net->connected = false;
	rtnl_unlock();
	parvus_link_free(net->link);
	net->link = NULL;
	net->queues = 0;
	WRITE_ONCE(net->lied, false);
}

/*
 * The end, for a lie or because it does not work: two ends that try again at once would
 * do so for ever. Under net->lock.
 */
void parvus_network_shut(struct parvus_network *net)
{
	parvus_network_disconnect(net);
	net->shut = true;
	net->shut_at = net->dev->peer_changes;
	parvus_device_set_state(net->dev, PARVUS_DEVICE_CLOSED, NULL, 0);
}

/*
 * Whether it still is, now that the other end has changed: that one may be another. It was
 * CLOSED in between; if that is not seen, there were more changes than those that answer
 * our closing, which are to INITIALISING, and at a back end to READY.
 */
bool parvus_network_is_shut(struct parvus_network *net)
{
	u32 answers = net->dev->side == PARVUS_FRONT ? 2 : 1;

	if (net->dev->peer_state == PARVUS_DEVICE_CLOSED ||
	    net->dev->peer_changes - net->shut_at > answers)
		net->shut = false;
	return net->shut;
}

static void network_closes(struct work_struct *work)
{
	struct parvus_network *net = container_of(work, struct parvus_network, closes);

	mutex_lock(&net->lock);
	if (net->lied)
		parvus_network_shut(net);
	mutex_unlock(&net->lock);
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

struct network_sum {
	u64 packets, bytes, dropped, errors, events, stops;
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
		to->rx_dropped += sum.dropped;
		to->rx_errors += sum.errors;
	}
}

static void network_get_drvinfo(struct net_device *netdev, struct ethtool_drvinfo *info)
{
	struct parvus_network *net = netdev_priv(netdev);

	strscpy(info->driver, net->dev->side == PARVUS_FRONT ? "parvus-network-front" :
		"parvus-network-back", sizeof(info->driver));
	strscpy(info->bus_info, dev_name(&net->dev->dev), sizeof(info->bus_info));
}

static const char *const network_counter_names[] = {
	"packets", "bytes", "dropped", "errors", "events", "stops",
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
					const char *name)
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
	net->dev = dev;
	net->max_queues = queues;
	net->gives = PARVUS_NETWORK_FEATURES;
	mutex_init(&net->lock);
	INIT_WORK(&net->closes, network_closes);
	for (i = 0; i < queues; i++)
		network_queue_init(net, i);
	SET_NETDEV_DEV(netdev, &dev->dev);
	/* A receiver checks the headers of what it gets in one piece, whoever sent it. */
	netdev->features = features | NETIF_F_RXCSUM | NETIF_F_GSO_ROBUST;
	netdev->hw_features = features;
	netdev->vlan_features = features;
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
