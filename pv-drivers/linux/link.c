// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parvus: links (link.h). At the front end a link is pages that are offered
 * to the back end, and unbound ports; at the back end it is mappings of these pages, and
 * ports bound to those.
 *
 * What the front end writes is copied here by the hypervisor before it is looked at;
 * then only the contents of rings and pools can still change.
 */
#include <linux/cpumask.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/irq.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/parvus_compat.h>
#include "link.h"

#define TABLE_REFS	PARVUS_LINK_TABLE_REFS
#define SERVE_BUDGET	64u	/* entries, until others have their turn */

static_assert(sizeof(struct parvus_link_queue) * PARVUS_LINK_QUEUES <= PAGE_SIZE);

static struct workqueue_struct *link_queue;	/* serve() */

static void link_serve(struct work_struct *work);

static struct parvus_queues *link_alloc(struct parvus_dev *dev, unsigned int count)
{
	struct parvus_queues *qs = kvzalloc(struct_size(qs, queue, count), GFP_KERNEL);
	unsigned int i;

	if (!qs)
		return NULL;
	qs->dev = dev;
	qs->count = count;
	for (i = 0; i < count; i++) {
		qs->queue[i].dev = dev;
		qs->queue[i].index = i;
		INIT_WORK(&qs->queue[i].serve, link_serve);
	}
	return qs;
}

static int link_port(struct parvus_queue *q, int irq)
{
	if (irq < 0)
		return irq;
	q->irq = irq;
	q->port = parvus_irq_port(irq);
	return 0;
}

/* ---- front end ---- */

/* Up to @want pages, in runs as long as can be had, to be freed one by one. */
static unsigned int link_pages_get(struct page **pages, unsigned int want)
{
	unsigned int order = min_t(unsigned int, ilog2(want), PARVUS_MAX_ORDER), n = 0, i;
	gfp_t gfp = GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN | __GFP_NORETRY;
	struct page *page;

	while (n < want) {
		while (1u << order > want - n)
			order--;
		page = alloc_pages(gfp, order);
		if (!page && !order)
			break;
		if (!page) {
			order--;
			continue;
		}
		split_page(page, order);
		for (i = 0; i < 1u << order; i++)
			pages[n++] = page + i;
	}
	return n;
}

/* Offers end now, or when the other end lets go; a page is put when its offer has ended. */
static void link_pages_put(struct parvus_dev *dev, struct page **pages, u32 *refs,
			   unsigned int count)
{
	unsigned int i;

	if (!pages)
		return;
	if (refs)
		parvus_grant_revoke(refs, count);
	for (i = 0; i < count; i++) {
		if (!pages[i])
			continue;
		if (refs && refs[i])
			parvus_grant_revoke_free(refs[i], pages[i], dev);
		else
			put_page(pages[i]);
	}
}

static int link_make_rings(struct parvus_queue *q, unsigned int pages)
{
	unsigned int i;
	void *rings;

	q->ring_page = kcalloc(pages, sizeof(*q->ring_page), GFP_KERNEL);
	q->ring_refs = kcalloc(pages, sizeof(*q->ring_refs), GFP_KERNEL);
	rings = alloc_pages_exact(pages * PAGE_SIZE, GFP_KERNEL | __GFP_ZERO);
	if (!q->ring_page || !q->ring_refs || !rings) {
		if (rings)
			free_pages_exact(rings, pages * PAGE_SIZE);
		return -ENOMEM;
	}
	q->rings = rings;
	q->ring_bytes = pages * PAGE_SIZE;
	q->ring_pages = pages;
	for (i = 0; i < pages; i++)
		q->ring_page[i] = virt_to_page(rings + i * PAGE_SIZE);
	return parvus_grant_offer(q->dev->peer, q->ring_page, pages, 0, q->ring_refs);
}

static int link_make_pool(struct parvus_queue *q, unsigned int pages)
{
	unsigned int tables = DIV_ROUND_UP(pages, TABLE_REFS), i, n;
	int err;

	if (!pages)
		return 0;
	q->pool = kvcalloc(pages, sizeof(*q->pool), GFP_KERNEL);
	q->pool_refs = kvcalloc(tables * TABLE_REFS, sizeof(*q->pool_refs), GFP_KERNEL);
	q->table_page = kcalloc(tables, sizeof(*q->table_page), GFP_KERNEL);
	q->table_refs = kcalloc(tables, sizeof(*q->table_refs), GFP_KERNEL);
	if (!q->pool || !q->pool_refs || !q->table_page || !q->table_refs)
		return -ENOMEM;
	n = link_pages_get(q->pool, pages);
	q->pool_pages = n;
	if (n < max(pages / 4, 1u))
		return -ENOMEM;
	/* Half a pool is of more use than one that is not a power of two, to some. */
	if (n < pages) {
		q->pool_pages = rounddown_pow_of_two(n);
		link_pages_put(q->dev, q->pool + q->pool_pages, NULL, n - q->pool_pages);
	}
	q->tables = DIV_ROUND_UP(q->pool_pages, TABLE_REFS);
	if (link_pages_get(q->table_page, q->tables) < q->tables)
		return -ENOMEM;
	err = parvus_grant_offer(q->dev->peer, q->pool, q->pool_pages, 0, q->pool_refs);
	if (err)
		return err;
	for (i = 0; i < q->tables; i++)
		memcpy(page_address(q->table_page[i]), q->pool_refs + i * TABLE_REFS, PAGE_SIZE);
	return parvus_grant_offer(q->dev->peer, q->table_page, q->tables, PARVUS_GRANT_READONLY,
				  q->table_refs);
}

static int link_make_queue(struct parvus_queue *q, unsigned int ring_pages,
			   unsigned int pool_pages)
{
	int err = link_make_rings(q, ring_pages);

	if (!err)
		err = link_make_pool(q, pool_pages);
	if (!err)
		err = link_port(q, parvus_bind_unbound(q->dev->peer, PARVUS_EVENT_AUTO_MASK, 0));
	return err;
}

static int link_make_directory(struct parvus_queues *qs)
{
	struct parvus_link_queue *record;
	unsigned int i;

	qs->directory = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!qs->directory)
		return -ENOMEM;
	record = page_address(qs->directory);
	for (i = 0; i < qs->count; i++, record++) {
		struct parvus_queue *q = &qs->queue[i];

		record->port = q->port;
		record->ring_pages = q->ring_pages;
		record->pool_pages = q->pool_pages;
		memcpy(record->ring_ref, q->ring_refs, q->ring_pages * sizeof(u32));
		if (q->tables)
			memcpy(record->table_ref, q->table_refs, q->tables * sizeof(u32));
	}
	return parvus_grant_offer(qs->dev->peer, &qs->directory, 1, PARVUS_GRANT_READONLY,
				  &qs->directory_ref);
}

struct parvus_queues *parvus_link_create(struct parvus_dev *dev, unsigned int queues,
					 unsigned int ring_pages, unsigned int pool_pages)
{
	struct parvus_queues *qs;
	unsigned int i;
	int err = 0;

	if (!queues || queues > PARVUS_LINK_QUEUES || !ring_pages ||
	    ring_pages > PARVUS_LINK_RING_PAGES || pool_pages > PARVUS_LINK_POOL_PAGES)
		return ERR_PTR(-EINVAL);
	qs = link_alloc(dev, queues);
	if (!qs)
		return ERR_PTR(-ENOMEM);
	for (i = 0; i < queues && !err; i++)
		err = link_make_queue(&qs->queue[i], ring_pages, pool_pages);
	if (!err)
		err = link_make_directory(qs);
	if (err) {
		parvus_link_free(qs);
		return ERR_PTR(err);
	}
	return qs;
}

int parvus_link_publish(struct parvus_queues *qs, u64 features)
{
	const struct parvus_link blob = {
		.version = PARVUS_LINK_VERSION,
		.queues = qs->count,
		.features = features,
		.directory = qs->directory_ref,
	};

	return parvus_device_set_state(qs->dev, PARVUS_DEVICE_READY, &blob, sizeof(blob));
}

unsigned int parvus_link_pages(const struct parvus_link_shape *s)
{
	return 1 + s->queues * (s->ring_pages + s->pool_pages +
				DIV_ROUND_UP(s->pool_pages, TABLE_REFS));
}

/* ---- back end ---- */

/* One of the front end's pages, the first @bytes of it, copied to @to (page-aligned). */
static int link_copy_in(struct parvus_dev *dev, u32 ref, void *to, unsigned int bytes)
{
	struct parvus_grant_copy *copy = kzalloc(sizeof(*copy), GFP_KERNEL);
	int err;

	if (!copy)
		return -ENOMEM;
	copy->from.domain = dev->peer;
	copy->from.ref = ref;
	copy->to.domain = PARVUS_DOMAIN_SELF;
	copy->to.gfn = PFN_DOWN(__pa(to));
	copy->length = bytes;
	copy->status = -EIO;
	err = parvus_grant_copy(copy, 1) ?: copy->status;
	kfree(copy);
	return err;
}

static int link_map_rings(struct parvus_queue *q, const struct parvus_link_queue *record)
{
	struct parvus_mapping *m;
	int err;

	m = parvus_grant_map(q->dev->peer, record->ring_ref, record->ring_pages, 0);
	if (IS_ERR(m))
		return PTR_ERR(m);
	q->mapping[q->mappings++] = m;
	err = parvus_grant_vmap(m);
	q->rings = m->vaddr;
	q->ring_bytes = record->ring_pages * PAGE_SIZE;
	return err;
}

static int link_map_pool(struct parvus_queue *q, const struct parvus_link_queue *record, u32 *refs)
{
	unsigned int pages = record->pool_pages, base, i, n, batch;
	struct parvus_mapping *m;
	int err;

	q->pool = kvcalloc(pages, sizeof(*q->pool), GFP_KERNEL);
	if (!q->pool)
		return -ENOMEM;
	for (base = 0; base < pages; base += n) {
		n = min(pages - base, TABLE_REFS);
		err = link_copy_in(q->dev, record->table_ref[base / TABLE_REFS], refs,
				   n * sizeof(*refs));
		if (err)
			return err;
		for (i = 0; i < n; i += batch) {
			batch = min(n - i, PARVUS_GRANT_BATCH);
			m = parvus_grant_map(q->dev->peer, refs + i, batch, 0);
			if (IS_ERR(m))
				return PTR_ERR(m);
			q->mapping[q->mappings++] = m;
			err = parvus_grant_pages(m, q->pool + base + i);
			if (err)
				return err;
		}
	}
	q->pool_pages = pages;
	return 0;
}

static int link_map_queue(struct parvus_queue *q, const struct parvus_link_queue *record,
			  u32 max_pool, u32 *refs)
{
	int err;

	if (!record->ring_pages || record->ring_pages > PARVUS_LINK_RING_PAGES ||
	    record->pool_pages > min(max_pool, PARVUS_LINK_POOL_PAGES) || record->reserved)
		return -EPROTO;
	q->mapping = kcalloc(1 + DIV_ROUND_UP(record->pool_pages, PARVUS_GRANT_BATCH),
			     sizeof(*q->mapping), GFP_KERNEL);
	if (!q->mapping)
		return -ENOMEM;
	err = link_map_rings(q, record);
	if (!err && record->pool_pages)
		err = link_map_pool(q, record, refs);
	if (!err)
		err = link_port(q, parvus_bind_interdomain(q->dev->peer, record->port,
							   PARVUS_EVENT_AUTO_MASK, 0));
	return err;
}

static int link_check(const struct parvus_link *link, const struct parvus_link_info *limits)
{
	if (link->version != PARVUS_LINK_VERSION || !link->queues ||
	    link->queues > min(limits->queues, PARVUS_LINK_QUEUES) ||
	    link->features & ~limits->features ||
	    memchr_inv(link->reserved, 0, sizeof(link->reserved)))
		return -EPROTO;
	return 0;
}

static struct parvus_queues *link_map(struct parvus_dev *dev, const struct parvus_device *record,
				      const struct parvus_link_info *limits)
{
	struct parvus_link link;
	struct parvus_link_queue *directory = (void *)get_zeroed_page(GFP_KERNEL);
	u32 *refs = (void *)__get_free_page(GFP_KERNEL);
	struct parvus_queues *qs = NULL;
	unsigned int i;
	int err;

	memcpy(&link, record->front_blob, sizeof(link));
	err = link_check(&link, limits);
	if (!err && (!directory || !refs))
		err = -ENOMEM;
	if (!err)
		err = link_copy_in(dev, link.directory, directory,
				   link.queues * sizeof(*directory));
	if (!err) {
		qs = link_alloc(dev, link.queues);
		err = qs ? 0 : -ENOMEM;
	}
	for (i = 0; !err && i < link.queues; i++)
		err = link_map_queue(&qs->queue[i], &directory[i], limits->pool_pages, refs);
	free_page((unsigned long)directory);
	free_page((unsigned long)refs);
	if (err) {
		parvus_link_free(qs);
		return ERR_PTR(err);
	}
	qs->features = link.features;
	memcpy(qs->extra, record->front_blob + sizeof(link), sizeof(qs->extra));
	return qs;
}

struct parvus_queues *parvus_link_accept(struct parvus_dev *dev,
					 const struct parvus_link_info *limits)
{
	struct parvus_device *record = kmalloc(sizeof(*record), GFP_KERNEL);
	struct parvus_queues *qs;
	int err;

	if (!record)
		return ERR_PTR(-ENOMEM);
	err = parvus_device_read(dev, record);
	qs = err ? ERR_PTR(err) : link_map(dev, record, limits);
	kfree(record);
	return qs;
}

/* ---- both ---- */

static irqreturn_t link_event(int irq, void *data)
{
	struct parvus_queue *q = data;

	queue_work(link_queue, &q->serve);
	return IRQ_HANDLED;
}

/*
 * An end that always has more to do comes behind whoever else has work here, and the
 * scheduler treats this thread as it does programs: nobody starves.
 */
static void link_serve(struct work_struct *work)
{
	struct parvus_queue *q = container_of(work, struct parvus_queue, serve);
	struct parvus_link_end *end = dev_get_drvdata(&q->dev->dev);
	int ret = end->ops->serve(q, SERVE_BUDGET);

	if (ret < 0)
		parvus_link_end_lie(end, "breaks the protocol");
	else if (ret >= SERVE_BUDGET)
		queue_work(link_queue, work);
	else
		parvus_queue_done(q);
}

int parvus_link_start(struct parvus_queues *qs, const struct parvus_link_end *end)
{
	const struct parvus_link_ops *ops = end->ops;
	unsigned int i;
	int err;

	for (i = 0; i < qs->count; i++) {
		struct parvus_queue *q = &qs->queue[i];

		snprintf(q->name, sizeof(q->name), "%s-%u.%u",
			 end->name ?: qs->dev->dev.driver->name, qs->dev->id, i);
		err = request_threaded_irq(q->irq, ops->serve ? link_event : ops->interrupt,
					   ops->thread, 0, q->name, q);
		if (err)
			return err;
		q->requested = true;
		irq_set_affinity(q->irq, cpumask_of(cpumask_local_spread(i, NUMA_NO_NODE)));
	}
	return 0;
}

void parvus_link_kick(struct parvus_queues *qs)
{
	unsigned int i;

	for (i = 0; i < qs->count; i++)
		queue_work(link_queue, &qs->queue[i].serve);
}

void parvus_link_stop(struct parvus_queues *qs)
{
	unsigned int i;

	for (i = 0; i < qs->count; i++) {
		if (qs->queue[i].requested)
			free_irq(qs->queue[i].irq, &qs->queue[i]);
		qs->queue[i].requested = false;
		cancel_work_sync(&qs->queue[i].serve);
	}
}

static void link_free_queue(struct parvus_queue *q)
{
	if (q->irq)
		parvus_unbind(q->irq);
	/* The front end's: pages of its own. */
	link_pages_put(q->dev, q->ring_page, q->ring_refs, q->ring_pages);
	link_pages_put(q->dev, q->table_page, q->table_refs, q->tables);
	if (q->pool_refs)
		link_pages_put(q->dev, q->pool, q->pool_refs, q->pool_pages);
	/* The back end's: mappings. */
	while (q->mappings)
		parvus_grant_unmap(q->mapping[--q->mappings], 0);
	kfree(q->mapping);
	kfree(q->ring_page);
	kfree(q->ring_refs);
	kfree(q->table_page);
	kfree(q->table_refs);
	kvfree(q->pool);
	kvfree(q->pool_refs);
}

void parvus_link_free(struct parvus_queues *qs)
{
	unsigned int i;

	if (IS_ERR_OR_NULL(qs))
		return;
	parvus_link_stop(qs);
	if (qs->directory)
		link_pages_put(qs->dev, &qs->directory, &qs->directory_ref, 1);
	for (i = 0; i < qs->count; i++)
		link_free_queue(&qs->queue[i]);
	kvfree(qs);
}

static int __init link_init(void)
{
	link_queue = alloc_workqueue("parvus-link", WQ_UNBOUND | WQ_MEM_RECLAIM, WQ_MAX_ACTIVE);
	return link_queue ? 0 : -ENOMEM;
}
subsys_initcall(link_init);
