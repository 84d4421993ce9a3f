/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The little of Linux's block layer that pv-drivers/linux/block_front.c needs. What it does is in
 * tests/unit/kernel/blk_mq.c.
 */
#ifndef UNIT_LINUX_BLK_MQ_H
#define UNIT_LINUX_BLK_MQ_H

#include <linux/list.h>

typedef u8 blk_status_t;
enum { BLK_STS_OK, BLK_STS_NOTSUPP, BLK_STS_NOSPC, BLK_STS_RESOURCE, BLK_STS_IOERR,
       BLK_STS_DEV_RESOURCE };
enum req_op { REQ_OP_READ, REQ_OP_WRITE, REQ_OP_FLUSH, REQ_OP_DISCARD, REQ_OP_WRITE_ZEROES };
enum { REQ_FUA = 1, REQ_NOUNMAP = 2 };

#define IRQ_HANDLED		1
#define IRQ_WAKE_THREAD		2
#define SECTOR_SHIFT		9
#define SECTOR_SIZE		512u
#define max(a, b)		((a) > (b) ? (a) : (b))
#define min3(a, b, c)		min(min(a, b), c)
#define clamp(n, least, most)	min(max(n, least), most)
#define rounddown(n, by)	((n) - (n) % (by))
#define is_power_of_2(n)	((n) && !((n) & ((n) - 1)))
#define roundup_pow_of_two(n)	(1ul << (64 - __builtin_clzl((n) - 1)))
#define array3_size(a, b, c)	((size_t)(a) * (b) * (c))
#define kcalloc(n, size, gfp)	calloc(n, size)
#define kzalloc(size, gfp)	calloc(1, size)
#define totalram_pages()	65536ul
#define num_online_cpus()	2u
#define dev_warn_ratelimited(d, ...) ((void)(d), pr_warn(__VA_ARGS__))

/* Somebody else may do something here: the test's. */
void unit_point(void);
void synchronize_rcu(void);

/* No point is within a lock: who meets one that is held, holds it himself. */
typedef struct { bool held; } spinlock_t;
#define spin_lock_init(l)	((void)((l)->held = false))
static inline void spin_lock(spinlock_t *l) { if (l->held) abort(); l->held = true; }
static inline void spin_unlock(spinlock_t *l)
{
	if (!l->held)
		abort();
	l->held = false;
	unit_point();
}
#define spin_lock_irq(l)		spin_lock(l)
#define spin_unlock_irq(l)		spin_unlock(l)
#define spin_lock_irqsave(l, flags)	((flags) = 0, spin_lock(l))
#define spin_unlock_irqrestore(l, flags) ((void)(flags), spin_unlock(l))

/* Each is a point. */
#undef atomic_read
static inline int atomic_read(const atomic_t *a) { unit_point(); return (int)*a; }
static inline int atomic_fetch_inc(atomic_t *a) { unit_point(); return (int)(*a)++; }
static inline int atomic_sub_return(int n, atomic_t *a) { unit_point(); return (int)(*a -= n); }
#define atomic_inc(a)	((void)++*(a))
#define atomic_dec(a)	((void)--*(a))
#define preempt_disable()	((void)0)	/* who is cut short here meets another CPU */
#define preempt_enable()	((void)0)
bool in_hardirq(void);

struct request;
struct request_queue;

struct blk_mq_hw_ctx {
	struct request_queue *queue;
	unsigned int queue_num;
	bool stopped;
	bool restart;			/* the next request that ends runs it */
	enum { NO_RUN, RUN_NOW, RUN_LATER } run;	/* the work item */
	struct list_head dispatch, software;
};

struct blk_mq_queue_data {
	struct request *rq;
	bool last;
};

enum blk_eh_timer_return { BLK_EH_DONE, BLK_EH_RESET_TIMER };

struct blk_mq_ops {
	enum blk_eh_timer_return (*timeout)(struct request *rq);
	blk_status_t (*queue_rq)(struct blk_mq_hw_ctx *h, const struct blk_mq_queue_data *bd);
	void (*commit_rqs)(struct blk_mq_hw_ctx *h);
};

struct request_queue {
	void *queuedata;
	const struct blk_mq_ops *ops;
	struct blk_mq_hw_ctx hctx[2];
	unsigned int hctxs;
	unsigned int quiesced;		/* how often */
	struct list_head requeue;
	bool requeue_run;		/* the work item */
};

struct bio_vec {
	void *data;
	unsigned int bv_len;
};
struct req_iterator { unsigned int i; };

struct request {
	struct request_queue *q;
	struct blk_mq_hw_ctx *mq_hctx;
	struct list_head queuelist;
	int tag;
	unsigned int cmd_flags;
	enum req_op op;
	u64 sector;
	unsigned int bytes;
	struct bio_vec vec[2];
	bool started;
	unsigned int ended;		/* how often */
	blk_status_t status;
};

struct blk_mq_tag_set {
	unsigned int nr_hw_queues, queue_depth;
	struct request **rq;		/* all of the disk */
	unsigned int rqs;
};

struct gendisk { struct request_queue *queue; };

#define blk_mq_rq_to_pdu(rq)	((void *)((rq) + 1))
#define blk_mq_rq_from_pdu(p)	((struct request *)(p) - 1)
#define blk_rq_pos(rq)		((rq)->sector)
#define blk_rq_bytes(rq)	((rq)->bytes)
#define blk_rq_sectors(rq)	((rq)->bytes >> SECTOR_SHIFT)
#define req_op(rq)		((rq)->op)
#define bvec_virt(v)		((v)->data)
#define rq_for_each_bvec(bv, rq, iter) \
	for ((iter).i = 0; (iter).i < 2 && ((bv) = (rq)->vec[(iter).i], (bv).bv_len); (iter).i++)
#define queue_logical_block_size(q) ((void)(q), 512u)
#define blk_mark_disk_dead(d)	((void)(d))

void blk_mq_start_request(struct request *rq);
void blk_mq_end_request(struct request *rq, blk_status_t status);
void blk_mq_requeue_request(struct request *rq, bool kick);
void blk_mq_kick_requeue_list(struct request_queue *q);
void blk_mq_stop_hw_queue(struct blk_mq_hw_ctx *h);
void blk_mq_start_stopped_hw_queues(struct request_queue *q, bool async);
void blk_mq_run_hw_queues(struct request_queue *q, bool async);
void blk_mq_quiesce_queue(struct request_queue *q);
void blk_mq_unquiesce_queue(struct request_queue *q);
void blk_mq_tagset_busy_iter(struct blk_mq_tag_set *tags,
			     bool (*each)(struct request *rq, void *data), void *data);

#endif
