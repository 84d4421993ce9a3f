// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests of a block front end (pv-drivers/linux/block_front.c as it is, over a model of blk-mq,
 * tests/unit/kernel/blk_mq.c). None is forgotten (rule 127), none ends twice, and the next link
 * gets what the last one did not answer, once; in all orders of vCPUs, back end, work items and a
 * link that goes and comes, as long as few of them are cut short (explore()).
 *
 * An actor is a context of its own, and goes on until it waits or is done; then comes the first in
 * the row that can. At a point (unit_point()) it may be cut short: it goes to the end of the row.
 * The choices of a run are a path; the next run takes the last choice that has another way, until
 * there is none.
 */
#include <sanitizer/asan_interface.h>
#include <ucontext.h>
#include "../../pv-drivers/linux/block_front.h"
#include <linux/module.h>
#include "kernel/blk_mq.c"

/* ---- actors ---- */

#define ACTORS	6u
#define STACK	(64u << 10)
#define CHOICES	400u
#define RUNS	400000u

static struct actor {
	ucontext_t at;
	void (*run)(unsigned int arg);
	unsigned int arg;
	bool done;
	bool (*may)(unsigned int arg);	/* it waits until this is true */
	unsigned int may_arg;
	unsigned int sections, since;	/* of RCU: how deep, and the first one's number */
	bool hardirq;
} actor[ACTORS], *now, *row[ACTORS], alone;
static unsigned int actors, sections_begun;
static ucontext_t home;
static _Alignas(16) char stack[ACTORS][STACK];
static struct { unsigned char took, of; } path[CHOICES];
static unsigned int depth, known, cuts, runs;

static unsigned int choose(unsigned int n)
{
	must(depth < CHOICES);
	if (depth == known) {
		path[known].took = 0;
		path[known++].of = n;
	}
	must(path[depth].of == n);
	return path[depth++].took;
}

static bool path_next(void)
{
	while (known && path[known - 1].took + 1 == path[known - 1].of)
		known--;
	if (known)
		path[known - 1].took++;
	return known;
}

/* The first one in the row that can go on, but for @not. */
static struct actor *first_ready(const struct actor *not)
{
	unsigned int i;

	for (i = 0; i < actors; i++) {
		struct actor *a = row[i];

		if (a != not && !a->done && (!a->may || a->may(a->may_arg)))
			return a;
	}
	return NULL;
}

static void to_the_end(struct actor *a)
{
	unsigned int i;

	for (i = 0; row[i] != a; i++)
		;
	memmove(&row[i], &row[i + 1], (actors - i - 1) * sizeof(row[0]));
	row[actors - 1] = a;
}

static void go_on_with(struct actor *next)
{
	struct actor *was = now;

	now = next;
	swapcontext(was ? &was->at : &home, next ? &next->at : &home);
}

void unit_point(void)
{
	struct actor *next;

	if (!now || !cuts)
		return;
	next = first_ready(now);
	if (next && choose(2)) {
		cuts--;
		to_the_end(now);
		go_on_with(next);
	}
}

static void wait_until(bool (*may)(unsigned int arg), unsigned int arg)
{
	if (!now) {
		must(may(arg));
		return;
	}
	now->may = may;
	now->may_arg = arg;
	while (!may(arg))
		go_on_with(first_ready(now));
	now->may = NULL;
}

static void actor_main(void)
{
	now->run(now->arg);
	must(now->sections == 0);
	now->done = true;
	go_on_with(first_ready(now));
}

static void actor_add(void (*run)(unsigned int arg), unsigned int arg)
{
	struct actor *a = &actor[actors];

	must(actors < ACTORS);
	memset(a, 0, sizeof(*a));
	a->run = run;
	a->arg = arg;
	__asan_unpoison_memory_region(stack[actors], STACK);
	getcontext(&a->at);
	a->at.uc_stack.ss_sp = stack[actors];
	a->at.uc_stack.ss_size = STACK;
	makecontext(&a->at, actor_main, 0);
	row[actors++] = a;
}

static void section_begin(void)
{
	struct actor *a = now ?: &alone;

	if (!a->sections++)
		a->since = ++sections_begun;
}

static void section_end(void)
{
	(now ?: &alone)->sections--;
	unit_point();
}

static bool sections_over(unsigned int until)
{
	unsigned int i;

	for (i = 0; i < actors; i++)
		if (actor[i].sections && actor[i].since <= until)
			return false;
	return !alone.sections;
}

void synchronize_rcu(void)
{
	must((now ?: &alone)->sections == 0);
	wait_until(sections_over, sections_begun);
}

/* ---- the disk and its link ---- */

#define IOS		8u
#define SECTORS_EACH	1024u	/* of the disk, for each request */
#define BYTES_MOST	(256u << 10)

bool parvus_start = true;
static struct parvus_driver *driver;
static struct parvus_dev dev;
static struct parvus_link_end *end;
static struct block_front *front;
static struct gendisk disk;
static struct request_queue queue;
static struct io {
	struct request rq;
	struct front_request fr;	/* blk_mq_rq_to_pdu() */
	unsigned char *data;
	unsigned int asked;		/* by this link */
	unsigned int links;		/* that have asked for it */
} io[IOS];
static struct request *io_rq[IOS];
static unsigned int ios, lies, generation;
static bool serving, keeps_room, keep;
static struct back {
	struct parvus_consumer requests;
	struct parvus_producer responses;
	bool interrupt;			/* it is under way */
	unsigned int interrupts;
} back[2];

int parvus_register_driver(struct parvus_driver *d)
{
	driver = d;
	return 0;
}

void parvus_link_end_init(struct parvus_link_end *e, struct parvus_dev *d,
			  const struct parvus_link_ops *ops)
{
	e->dev = d;
	e->ops = ops;
	mutex_init(&e->lock);
	dev_set_drvdata(&d->dev, e);
	end = e;
}

void parvus_link_end_begin(struct parvus_link_end *e) { (void)e; }
void parvus_link_end_peer_changed(struct parvus_dev *d, u32 state) { (void)d; (void)state; }

void parvus_link_end_hangs(struct parvus_link_end *e, bool hangs)
{
	e->hangs = hangs;
}

void parvus_link_end_lie(struct parvus_link_end *e, const char *what)
{
	(void)what;
	e->lied = true;
	lies++;
}

void front_disk_init(struct block_front *f) { (void)f; }
void front_disk_apply(struct block_front *f) { must(f->disk == &disk); }
bool front_disk_closing(struct parvus_link_end *e) { (void)e; return true; }
void front_disk_end(struct block_front *f) { (void)f; }

void front_disk_free(struct block_front *f)
{
	if (keep)
		return;
	free(f->issued);
	free(f);
}

int front_disk_make(struct block_front *f)
{
	unsigned int i;

	memset(&queue, 0, sizeof(queue));
	queue.queuedata = f;
	queue.ops = &front_mq_ops;
	queue.hctxs = f->end.link->count;
	INIT_LIST_HEAD(&queue.requeue);
	for (i = 0; i < queue.hctxs; i++) {
		queue.hctx[i].queue = &queue;
		queue.hctx[i].queue_num = i;
		INIT_LIST_HEAD(&queue.hctx[i].dispatch);
		INIT_LIST_HEAD(&queue.hctx[i].software);
	}
	disk.queue = &queue;
	f->tags = (struct blk_mq_tag_set){ .nr_hw_queues = queue.hctxs, .queue_depth = IOS,
					   .rq = io_rq };
	f->issued = calloc(queue.hctxs * IOS, sizeof(*f->issued));
	f->bytes = (end->link->queue[0].pool_pages - 1) * PAGE_SIZE;
	f->disk = &disk;
	return 0;
}

static void link_make(unsigned int count, unsigned int entries, unsigned int pages)
{
	struct parvus_queues *qs = calloc(1, sizeof(*qs) + count * sizeof(qs->queue[0]));
	struct parvus_block_info info = {
		.link = { .version = PARVUS_LINK_VERSION, .queues = count, .pool_pages = pages,
			  .features = PARVUS_BLOCK_HAS_FLUSH },
		.logical_block = 512, .sectors = IOS * SECTORS_EACH, .bytes = PARVUS_BLOCK_BYTES,
	};
	u8 blob[PARVUS_DEVICE_BLOB] = { 0 };
	unsigned int i, j;

	memcpy(blob, &info, sizeof(info));
	must(end->ops->describe(end, blob) == 0);
	qs->dev = &dev;
	qs->count = count;
	for (i = 0; i < count; i++) {
		struct parvus_queue *q = &qs->queue[i];

		q->ring_bytes = 2 * sizeof(struct parvus_ring) +
				entries * (sizeof(struct parvus_block_request) +
					   sizeof(struct parvus_block_response));
		q->rings = calloc(1, q->ring_bytes);
		q->pool_pages = pages;
		q->pool = calloc(pages, sizeof(q->pool[0]));
		for (j = 0; j < pages; j++)
			q->pool[j] = malloc(PAGE_SIZE);
	}
	end->link = qs;
	end->lied = false;
	must(end->ops->connect(end) == 0);
	for (i = 0; i < count; i++) {
		struct parvus_ring *rings = qs->queue[i].rings;
		unsigned char *at = (unsigned char *)(rings + 2);

		parvus_consumer_init(&back[i].requests, &rings[0], at, entries,
				     sizeof(struct parvus_block_request), 0);
		at += entries * sizeof(struct parvus_block_request);
		parvus_producer_init(&back[i].responses, &rings[1], at, entries,
				     sizeof(struct parvus_block_response), 0);
		back[i].interrupt = false;
		back[i].interrupts = 0;
	}
	for (i = 0; i < ios; i++)
		io[i].asked = 0;
	serving = true;
	must(end->ops->connected(end) == 0);
}

static bool no_interrupt(unsigned int arg)
{
	(void)arg;
	return !back[0].interrupt && !back[1].interrupt;
}

static void link_drop(void)
{
	struct parvus_queues *qs = end->link;
	unsigned int i, j;

	if (!qs)
		return;
	serving = false;
	generation++;
	wait_until(no_interrupt, 0);
	end->ops->disconnect(end);
	end->link = NULL;
	for (i = 0; i < qs->count; i++) {
		for (j = 0; j < qs->queue[i].pool_pages; j++)
			free(qs->queue[i].pool[j]);
		free(qs->queue[i].pool);
		free(qs->queue[i].rings);
	}
	free(qs);
}

void parvus_link_end_stop(struct parvus_link_end *e)
{
	must(e == end);
	link_drop();
}

/* ---- requests ---- */

static unsigned char byte_of(unsigned int n, unsigned int at)
{
	return n * 37 + at / 512 * 3 + 1;
}

/* Request @n of hardware queue @h, its data in two pieces. */
static void io_add(enum req_op op, unsigned int bytes, unsigned int h)
{
	unsigned int n = ios++, at, piece = bytes / 1024 * 512;
	struct io *o = &io[n];

	must(n < IOS);
	memset(o, 0, sizeof(*o));
	must(blk_mq_rq_to_pdu(&o->rq) == &o->fr);
	o->data = malloc(bytes + 1);
	for (at = 0; at < bytes; at++)
		o->data[at] = op == REQ_OP_WRITE ? byte_of(n, at) : 0;
	o->rq = (struct request){ .q = &queue, .mq_hctx = &queue.hctx[h], .tag = n, .op = op,
				  .sector = n * SECTORS_EACH, .bytes = bytes };
	if (bytes) {
		o->rq.vec[0] = (struct bio_vec){ o->data, bytes - piece };
		o->rq.vec[1] = (struct bio_vec){ o->data + bytes - piece, piece };
	}
	io_rq[n] = &o->rq;
	front->tags.rqs = ios;
}

/* Data of a request, as the back end sees it in the pool. */
static void back_data(const struct parvus_queue *q, const struct parvus_block_request *r,
		      unsigned int n)
{
	unsigned int i, at = 0, b, end_of;

	must(r->segments <= PARVUS_BLOCK_INLINE);
	for (i = 0; i < r->segments; i++) {
		end_of = r->segment[i].offset + r->segment[i].bytes;
		for (b = r->segment[i].offset; b < end_of; b++) {
			unsigned char *p = page_address(q->pool[b / PAGE_SIZE]) + b % PAGE_SIZE;

			if (b % 512 == 0) {
				if (r->op == PARVUS_BLOCK_READ)
					memset(p, byte_of(n, at), 512);
				else
					must(*p == byte_of(n, at));
			}
			at++;
		}
	}
	must(at == io[n].rq.bytes);
}

static bool asked(unsigned int i)
{
	return serving && i < end->link->count && !back[i].interrupt &&
	       parvus_consumer_ready(&back[i].requests);
}

/* The back end takes a request. */
static u32 back_take(unsigned int i)
{
	struct parvus_block_request r;
	unsigned int n;

	must(parvus_consume(&back[i].requests, &r));
	if (!keeps_room)
		(void)parvus_release(&back[i].requests);
	/* a flush says no sector; there is one at most */
	for (n = 0; n < ios && (r.op == PARVUS_BLOCK_FLUSH ? io[n].rq.op != REQ_OP_FLUSH :
				io[n].rq.sector != r.sector); n++)
		;
	must(n < ios);
	must_say(!io[n].asked++, "a link is asked for request %u twice", n);
	must_say(!io[n].rq.ended, "request %u is asked for when it has ended", n);
	io[n].links++;
	back_data(&end->link->queue[i], &r, n);
	return r.id;
}

/* True: an event is asked for. */
static bool back_say(unsigned int i, u32 id)
{
	must(parvus_producer_room(&back[i].responses));
	parvus_produce(&back[i].responses,
		       &(struct parvus_block_response){ .id = id, .status = 0 });
	return parvus_publish(&back[i].responses);
}

bool in_hardirq(void) { return (now ?: &alone)->hardirq; }

static irqreturn_t hard_interrupt(unsigned int i)
{
	irqreturn_t ret;

	back[i].interrupts++;
	(now ?: &alone)->hardirq = true;
	ret = end->ops->interrupt(0, &end->link->queue[i]);
	(now ?: &alone)->hardirq = false;
	return ret;
}

static void interrupt(unsigned int i)
{
	back[i].interrupt = true;
	if (hard_interrupt(i) == IRQ_WAKE_THREAD)
		end->ops->thread(0, &end->link->queue[i]);
	back[i].interrupt = false;
}

/* Actors. */
static void server(unsigned int i)
{
	for (;;) {
		unsigned int mine;
		u32 id;

		wait_until(asked, i);
		mine = generation;
		id = back_take(i);
		unit_point();
		if (mine != generation)
			continue;
		if (!back_say(i, id))
			continue;
		unit_point();
		if (mine == generation)
			interrupt(i);
	}
}

static bool has_work(unsigned int arg)
{
	(void)arg;
	return queue.requeue_run || queue.hctx[0].run == RUN_NOW || queue.hctx[1].run == RUN_NOW;
}

static void worker(unsigned int arg)
{
	for (;;) {
		wait_until(has_work, arg);
		mq_work(&queue);
	}
}

/* A vCPU has requests @first, @first + 2 ... */
static void vcpu(unsigned int first_io)
{
	unsigned int i;

	for (i = first_io; i < ios; i += 2) {
		mq_issue(&io[i].rq);
		unit_point();
	}
}

/* All go on until none can; some milliseconds pass then. */
static void settle(void)
{
	unsigned int later = 0;
	struct actor *next;

	do {
		while ((next = first_ready(NULL)))
			go_on_with(next);
		must(later++ < 20);
	} while (mq_later(&queue));
}

/* Without actors. */
static void serve(void)
{
	unsigned int i, later = 0;

	do {
		for (i = 0; i < 2; i++) {
			while (asked(i)) {
				if (back_say(i, back_take(i)))
					interrupt(i);
			}
		}
		mq_work(&queue);
	} while (asked(0) || asked(1) || has_work(0) || (mq_later(&queue) && later++ < 20));
}

static void all_ended(blk_status_t status)
{
	unsigned int i, at;

	for (i = 0; i < ios; i++) {
		struct request *rq = &io[i].rq;

		must_say(rq->ended, "request %u is forgotten", i);
		must(rq->status == status);
		for (at = 0; !status && at < rq->bytes; at += 512)
			must(io[i].data[at] == byte_of(i, at));
	}
	for (i = 0; end->link && i < end->link->count; i++) {
		must(front->queue[i].issued == 0);
		must(front->queue[i].pool.free == end->link->queue[i].pool_pages);
	}
	must(lies == 0);
}

/* A disk with a link: of @count queues, rings of @entries, pools of @pages. */
static void begin(unsigned int count, unsigned int entries, unsigned int pages)
{
	memset(&dev, 0, sizeof(dev));
	ios = lies = actors = sections_begun = generation = 0;
	serving = keeps_room = false;
	must(unit_init() == 0);
	must(driver->probe(&dev) == 0);
	front = to_block_front(end);
	link_make(count, entries, pages);
}

static void over(void)
{
	unsigned int i;

	actors = 0;
	driver->remove(&dev);
	for (i = 0; i < ios; i++)
		free(io[i].data);
}

/* Every order in which actors are cut short @most times. */
static void explore(void (*scene)(void), unsigned int most)
{
	unsigned int i;

	runs = known = 0;
	do {
		depth = 0;
		cuts = 0;
		scene();
		cuts = most;
		for (i = choose(actors); i; i--)
			to_the_end(row[0]);
		settle();
		cuts = 0;
		all_ended(BLK_STS_OK);
		over();
		must(runs++ < RUNS);
	} while (path_next());
	printf("%u orders\n", runs);
}

static void actors_add(unsigned int vcpus, unsigned int servers)
{
	unsigned int i;

	for (i = 0; i < vcpus; i++)
		actor_add(vcpu, i);
	for (i = 0; i < servers; i++)
		actor_add(server, i);
	actor_add(worker, 0);
}

/* ---- tests ---- */

/* The pool has room for one of three. */
static void pool_scene(void)
{
	unsigned int i;

	begin(1, 4, 3);
	for (i = 0; i < 3; i++)
		io_add(i % 2 ? REQ_OP_READ : REQ_OP_WRITE, 2 * PAGE_SIZE, 0);
	actors_add(2, 1);
}

START_TEST(full_pool)
{
	explore(pool_scene, 2);
}
END_TEST

static void ring_scene(void)
{
	begin(1, 1, 9);
	io_add(REQ_OP_READ, 512, 0);
	io_add(REQ_OP_FLUSH, 0, 0);
	io_add(REQ_OP_WRITE, 512, 0);
	actors_add(2, 1);
}

START_TEST(full_ring)
{
	explore(ring_scene, 2);
}
END_TEST

/* The back end answers, but gives no place in the ring back until later. No event says so. */
START_TEST(nothing_under_way)
{
	unsigned int i;

	begin(1, 2, 9);
	for (i = 0; i < 3; i++)
		io_add(REQ_OP_WRITE, 512, 0);
	keeps_room = true;
	for (i = 0; i < 3; i++)
		mq_issue(&io[i].rq);
	serve();
	must(io[0].rq.ended + io[1].rq.ended == 2);
	must(io[2].rq.ended == 0);
	keeps_room = false;
	(void)parvus_release(&back[0].requests);
	serve();
	all_ended(BLK_STS_OK);
	over();
}
END_TEST

/* The next link has fewer queues: the room that one waits for is another hardware queue's. */
static void shared_scene(void)
{
	begin(2, 4, 3);
	link_drop();
	link_make(1, 4, 3);
	io_add(REQ_OP_WRITE, 2 * PAGE_SIZE, 0);
	io_add(REQ_OP_WRITE, 2 * PAGE_SIZE, 1);
	actors_add(2, 1);
}

START_TEST(shared_queue)
{
	explore(shared_scene, 2);
}
END_TEST

/* A link comes for a disk that had none, while a vCPU has a request. */
static void comes(unsigned int entries) { link_make(1, entries, 3); }

static void resume_scene(void)
{
	begin(1, 4, 3);
	link_drop();
	io_add(REQ_OP_WRITE, PAGE_SIZE, 0);
	actors_add(1, 1);
	actor_add(comes, 4);
}

START_TEST(resumed)
{
	explore(resume_scene, 2);
}
END_TEST

/* A link goes, with whatever is under way then, and the next one comes. */
static void renewed(unsigned int entries)
{
	link_drop();
	unit_point();
	comes(entries);
}

static void renew_scene(void)
{
	begin(1, 4, 3);
	io_add(REQ_OP_WRITE, PAGE_SIZE, 0);
	io_add(REQ_OP_READ, 2 * PAGE_SIZE, 0);
	actors_add(2, 1);
	actor_add(renewed, 4);
}

START_TEST(torn)
{
	explore(renew_scene, 2);
}
END_TEST

/* A back end on the same CPU: its answer is there when the notification returns. */
static bool at_once;

void unit_notified(u32 port)
{
	(void)port;
	while (at_once && asked(0))
		must_say(!back_say(0, back_take(0)), "an event is asked for, with %u issued",
			 front->queue[0].issued);
	if (at_once)
		must(parvus_consumer_sleep(&back[0].requests));
}

START_TEST(answered_at_once)
{
	unsigned int i;

	begin(1, 4, 80);
	io_add(REQ_OP_FLUSH, 0, 0);
	mq_issue(&io[0].rq);
	serve();			/* a fresh ring asks for the first one's event */
	must(back[0].interrupts == 1);
	must(parvus_consumer_sleep(&back[0].requests));
	at_once = true;
	for (i = 1; i < IOS; i++) {
		io_add(i % 2 ? REQ_OP_READ : REQ_OP_WRITE, i == 1 ? BYTES_MOST : 4096, 0);
		mq_issue(&io[i].rq);
		must_say(io[i].rq.ended == 1, "request %u waits for an event", i);
	}
	at_once = false;
	must(back[0].interrupts == 1);
	all_ended(BLK_STS_OK);
	over();
}
END_TEST

/* What was under way is issued again, each once; answers that have come count. */
START_TEST(issued_again)
{
	unsigned int i;
	u32 id;

	begin(1, 8, 80);
	io_add(REQ_OP_READ, BYTES_MOST, 0);	/* its data is copied by the thread */
	for (i = 1; i < 5; i++)
		io_add(i % 2 ? REQ_OP_WRITE : REQ_OP_READ, 4096, 0);
	for (i = 0; i < 4; i++)
		mq_issue(&io[i].rq);
	back_say(0, back_take(0));
	must(hard_interrupt(0) == IRQ_WAKE_THREAD);
	id = back_take(0);
	back_say(0, back_take(0));
	interrupt(0);
	must(io[0].rq.ended + io[2].rq.ended == 2);
	back_say(0, id);		/* nobody will have seen this one */
	link_drop();
	mq_issue(&io[4].rq);
	must(!mq_work(&queue));
	link_make(1, 8, 80);
	serve();
	all_ended(BLK_STS_OK);
	for (i = 0; i < 5; i++)
		must(io[i].links == 1u + (i == 1));
	must(io[1].asked + io[3].asked + io[4].asked == 3);
	over();
}
END_TEST

/* Who says @id of queue @i lies, and nothing ends. */
static void is_lie(unsigned int i, u32 id)
{
	unsigned int n, ended = 0, before = 0, were = lies;

	for (n = 0; n < ios; n++)
		before += io[n].rq.ended;
	back_say(i, id);
	(void)hard_interrupt(i);
	must_say(lies == were + 1, "answer %u of queue %u is taken", id, i);
	for (n = 0; n < ios; n++)
		ended += io[n].rq.ended;
	must(ended == before);
}

START_TEST(not_asked)
{
	u32 id, other;

	begin(2, 16, 80);
	io_add(REQ_OP_READ, BYTES_MOST, 0);
	io_add(REQ_OP_WRITE, 512, 1);
	is_lie(0, 0);
	is_lie(0, 2 * IOS);
	is_lie(0, ~0u);
	mq_issue(&io[0].rq);
	mq_issue(&io[1].rq);
	id = back_take(0);
	other = back_take(1);
	is_lie(0, other);
	is_lie(1, id);
	is_lie(0, id + 1);
	back_say(0, id);
	must(hard_interrupt(0) == IRQ_WAKE_THREAD);
	is_lie(0, id);		/* while it waits for the thread */
	end->ops->thread(0, &end->link->queue[0]);
	is_lie(0, id);
	back_say(1, other);
	interrupt(1);
	is_lie(1, other);
	lies = 0;
	all_ended(BLK_STS_OK);
	over();
}
END_TEST

/* The device is removed: what is under way fails, and what waits for a link. */
START_TEST(removed)
{
	unsigned int i;

	begin(1, 4, 3);
	for (i = 0; i < 3; i++) {
		io_add(REQ_OP_WRITE, 2 * PAGE_SIZE, 0);
		mq_issue(&io[i].rq);
	}
	link_drop();
	for (i = 3; i < 5; i++) {
		io_add(REQ_OP_WRITE, PAGE_SIZE, 0);
		mq_issue(&io[i].rq);
	}
	parvus_link_end_stop(end);
	keep = true;
	driver->remove(&dev);
	serve();
	for (i = 0; i < ios; i++) {
		must_say(io[i].rq.ended, "request %u is forgotten", i);
		must(io[i].rq.status == BLK_STS_IOERR);
		free(io[i].data);
	}
	keep = false;
	front_disk_free(front);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("block_front");
	TCase *t = tcase_create("block_front");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 30);
	tcase_add_test(t, full_pool);
	tcase_add_test(t, full_ring);
	tcase_add_test(t, nothing_under_way);
	tcase_add_test(t, shared_queue);
	tcase_add_test(t, resumed);
	tcase_add_test(t, torn);
	tcase_add_test(t, answered_at_once);
	tcase_add_test(t, issued_again);
	tcase_add_test(t, not_asked);
	tcase_add_test(t, removed);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
