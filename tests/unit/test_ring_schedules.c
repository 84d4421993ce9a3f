// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ring library in every schedule: two threads, each with the operations of one end (or
 * of one end of two rings, requests and responses), run through all interleavings of their
 * accesses to shared memory. Stores wait in a buffer and reach memory at any later time: in
 * their order as on x86 (TSO), or, with "relaxed", in any order but that a RELEASE stays
 * behind what precedes it. A fence, and the call that sends an event, drain the buffer.
 *
 * In each schedule all entries arrive, once, in order and whole, and nobody sleeps when the
 * other has ended. That the explorer would see it otherwise is shown by leaving out each
 * fence, moving each wake index by one, and making the RELEASE a plain store.
 *
 * How it goes back: a thread is its variables at the begin of an operation and what the
 * operation's accesses have returned since. To see what it does next, the operation is run
 * again on a copy of the variables, with those answers; what comes after the last one is
 * not performed, and the copy forgotten. So a state is plain data, and one that was seen
 * is not explored twice.
 */
#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <parvus/ring.h>

#define RINGS		2u
#define COUNT_MAX	4u
#define ENTRY_WORDS	2u
#define RING_WORDS	(4u + COUNT_MAX * ENTRY_WORDS)
#define BUFFER		12u	/* stores under way of one thread */
#define ANSWERS		24u	/* accesses of one operation */
#define DEPTH		1200u

enum kind { NONE, LOAD, STORE, RELEASE, FENCE, NOTIFY, WAIT };
static const char *const kind_name[] = {
	"none", "load", "store", "release", "fence", "notify", "wait"
};

/* ---- what the library sees ---- */

/* Where in the library a thread is, for mistakes that are made on purpose. */
enum site { ELSEWHERE, PUBLISH, PRODUCER_SLEEP, RELEASES, CONSUMER_SLEEP };

static struct parvus_ring headers[RINGS];	/* for their addresses alone */
static uint32_t entries[RINGS][COUNT_MAX * ENTRY_WORDS];

struct access {
	uint8_t kind, word;
	uint32_t value;
};

static struct {
	const uint32_t *answer;		/* of the accesses done before */
	unsigned int answers, n;
	bool over;			/* the next access was reached */
	struct access next;
	enum site site;
} run;

static struct {
	enum site no_fence, wake_site;
	uint32_t wake_by;
	bool plain_release;
} mistake;

static uint32_t access_do(enum kind kind, unsigned int word, uint32_t value)
{
	if (run.over)
		return 0;
	if (run.n < run.answers)
		return run.answer[run.n++];
	run.over = true;
	run.next = (struct access){ .kind = kind, .word = (uint8_t)word, .value = value };
	return 0;
}

/* The number of a word that the library may touch. */
static unsigned int word_at(const volatile void *p)
{
	const volatile uint32_t *at = p;
	unsigned int r;

	for (r = 0; r < RINGS; r++) {
		if (at == &headers[r].produced)
			return r * RING_WORDS;
		if (at == &headers[r].producer_wake)
			return r * RING_WORDS + 1;
		if (at == &headers[r].consumed)
			return r * RING_WORDS + 2;
		if (at == &headers[r].consumer_wake)
			return r * RING_WORDS + 3;
		if (at >= entries[r] && at < entries[r] + COUNT_MAX * ENTRY_WORDS)
			return r * RING_WORDS + 4 + (unsigned int)(at - entries[r]);
	}
	ck_abort_msg("an access outside of the rings");
	return 0;
}

static bool is_shared(const void *p)
{
	return (const uint32_t *)p >= entries[0] && (const uint32_t *)p < entries[RINGS];
}

static void wake_store(const volatile void *p, uint32_t value)
{
	access_do(STORE, word_at(p), value + (run.site == mistake.wake_site ? mistake.wake_by : 0));
}

static void fence(void)
{
	if (run.site != mistake.no_fence || run.site == ELSEWHERE)
		access_do(FENCE, 0, 0);
}

/* Word by word: in between, anything can happen. */
static void copy_words(void *to, const void *from, size_t bytes)
{
	uint32_t *t = to;
	const uint32_t *f = from;
	size_t i;

	for (i = 0; i < bytes / 4; i++) {
		if (is_shared(to))
			access_do(STORE, word_at(t + i), f[i]);
		else
			t[i] = access_do(LOAD, word_at(f + i), 0);
	}
}

#define PARVUS_RING_LOAD(p)	access_do(LOAD, word_at(p), 0)
#define PARVUS_RING_ACQUIRE(p)	access_do(LOAD, word_at(p), 0)
#define PARVUS_RING_STORE(p, v)	wake_store(p, v)
#define PARVUS_RING_RELEASE(p, v) access_do(mistake.plain_release ? STORE : RELEASE, word_at(p), v)
#define PARVUS_RING_FENCE()	fence()
#define PARVUS_RING_COPY(to, from, bytes) copy_words(to, from, bytes)
#include <parvus/ring_ops.h>

/* ---- the programs ---- */

struct scenario {
	const char *name;
	uint8_t both;		/* requests and responses; else one way */
	uint8_t count[RINGS];
	uint8_t total;		/* entries, or requests */
	uint8_t batch;		/* produced between two publish, at most */
	uint8_t want;		/* room that the producer waits for */
	uint8_t release;	/* consumed between two release, at most */
	uint8_t undo;		/* each end takes back, and does again, some */
	uint8_t relaxed;
	uint32_t from;		/* first index */
};
static const struct scenario *sc;

/* A thread's variables. One operation is one call of its program. */
struct local {
	struct parvus_producer p;
	struct parvus_consumer c;
	uint8_t pc, done, wrong;
	uint8_t produced, published, consumed, released;
	uint8_t undone;
};

static uint32_t entry_word(unsigned int ring, unsigned int n, unsigned int w)
{
	return (w ? 0xa5000000u : 0x5a000000u) + ring * 0x10000u + n + 1;
}

static void put(struct local *l, unsigned int ring)
{
	unsigned int n = l->produced;
	uint32_t e[ENTRY_WORDS] = { entry_word(ring, n, 0), entry_word(ring, n, 1) };

	parvus_produce(&l->p, e);
	l->produced++;
}

static bool take(struct local *l, unsigned int ring)
{
	uint32_t e[ENTRY_WORDS];

	if (!parvus_consume(&l->c, e))
		return false;
	if (e[0] != entry_word(ring, l->consumed, 0) || e[1] != entry_word(ring, l->consumed, 1))
		l->wrong = 1;
	l->consumed++;
	return true;
}

static void tell(struct local *l)
{
	run.site = PUBLISH;
	if (parvus_publish(&l->p))
		access_do(NOTIFY, 0, 0);
	run.site = ELSEWHERE;
	l->published = l->produced;
}

static void give_back(struct local *l)
{
	run.site = RELEASES;
	if (parvus_release(&l->c))
		access_do(NOTIFY, 0, 0);
	run.site = ELSEWHERE;
	l->released = l->consumed;
}

static bool room_is_short(struct local *l)
{
	bool ret;

	run.site = PRODUCER_SLEEP;
	ret = parvus_producer_sleep(&l->p, sc->want);
	run.site = ELSEWHERE;
	return ret;
}

static bool nothing_comes(struct local *l)
{
	bool ret;

	run.site = CONSUMER_SLEEP;
	ret = parvus_consumer_sleep(&l->c);
	run.site = ELSEWHERE;
	return ret;
}

/* pc: what to do next. */
enum { WORK, TELL, SLEEP };

static void producer(struct local *l)
{
	switch (l->pc) {
	case WORK:
		if (l->produced - l->published == sc->batch || l->produced == sc->total) {
			l->pc = TELL;
		} else if (parvus_producer_room(&l->p)) {
			put(l, 0);
			if (sc->undo && !l->undone && l->produced == 2 && l->published < 2) {
				parvus_producer_undo(&l->p, 1);
				l->produced--;
				l->undone = 1;
			}
		} else {
			l->pc = l->produced == l->published ? SLEEP : TELL;
		}
		break;
	case TELL:
		tell(l);
		l->pc = WORK;
		l->done = l->produced == sc->total;
		break;
	case SLEEP:
		if (room_is_short(l))
			access_do(WAIT, 0, 0);
		l->pc = WORK;
	}
	l->wrong |= parvus_producer_broken(&l->p);
}

static void consumer(struct local *l)
{
	switch (l->pc) {
	case WORK:
		if (l->consumed - l->released == sc->release || l->consumed == sc->total) {
			l->pc = TELL;
		} else if (!take(l, 0)) {
			l->pc = l->consumed == l->released ? SLEEP : TELL;
		} else if (sc->undo && !l->undone && l->consumed == 2 && l->released < 2) {
			parvus_consumer_undo(&l->c, 1);
			l->consumed--;
			l->undone = 1;
		}
		break;
	case TELL:
		give_back(l);
		l->pc = WORK;
		l->done = l->consumed == sc->total;
		break;
	case SLEEP:
		if (nothing_comes(l))
			access_do(WAIT, 0, 0);
		l->pc = WORK;
	}
	l->wrong |= parvus_consumer_broken(&l->c);
}

/* Requests in ring 0, and their responses from ring 1; one event for both. */
static void front(struct local *l)
{
	switch (l->pc) {
	case WORK:
		if (take(l, 1))
			l->done = l->consumed == sc->total;
		else if (l->produced < sc->total && parvus_producer_room(&l->p))
			put(l, 0);
		else
			l->pc = TELL;
		break;
	case TELL:
		tell(l);
		give_back(l);
		l->pc = SLEEP;
		break;
	case SLEEP:
		if ((l->produced == sc->total || room_is_short(l)) && nothing_comes(l))
			access_do(WAIT, 0, 0);
		l->pc = WORK;
	}
	l->wrong |= parvus_producer_broken(&l->p) || parvus_consumer_broken(&l->c) ||
		    l->consumed > l->produced;
}

/* The other side: no request is taken without room for its response. */
static void back(struct local *l)
{
	switch (l->pc) {
	case WORK:
		if (parvus_producer_room(&l->p) && take(l, 0))
			put(l, 1);
		else
			l->pc = TELL;
		break;
	case TELL:
		give_back(l);
		tell(l);
		l->pc = SLEEP;
		l->done = l->consumed == sc->total;
		break;
	case SLEEP:
		if (parvus_producer_room(&l->p) ? nothing_comes(l) : room_is_short(l))
			access_do(WAIT, 0, 0);
		l->pc = WORK;
	}
	l->wrong |= parvus_producer_broken(&l->p) || parvus_consumer_broken(&l->c);
}

/* ---- the machine ---- */

struct thread {
	struct local l;
	struct access next;
	struct access buffer[BUFFER];	/* stores, oldest first */
	uint32_t answer[ANSWERS];
	uint8_t stores, answers, event;
};

struct machine {
	uint32_t mem[RINGS * RING_WORDS];
	struct thread t[2];
};

static struct machine path[DEPTH];	/* where we are, and how we got there */
static char how[DEPTH][48];
static const char *found;		/* what went wrong */
static unsigned int found_at;

static void answered(struct thread *t, uint32_t value)
{
	ck_assert_uint_lt(t->answers, ANSWERS);
	t->answer[t->answers++] = value;
}

/*
 * On to the next access that can matter to the other thread: operations that end, end, and
 * stores go into the buffer, which nobody sees. (When it leaves the buffer is explored;
 * when it entered makes no difference to any other step.)
 */
static void advance(struct machine *m, unsigned int who)
{
	static void (*const program[2][2])(struct local *) = {
		{ producer, consumer }, { front, back }
	};
	struct thread *t = &m->t[who];
	struct local l;

	memset(&t->next, 0, sizeof(t->next));
	while (!t->l.done && !found) {
		memcpy(&l, &t->l, sizeof(l));
		memset(&run, 0, sizeof(run));
		run.answer = t->answer;
		run.answers = t->answers;
		program[sc->both][who](&l);
		if (!run.over) {
			memcpy(&t->l, &l, sizeof(l));
			memset(t->answer, 0, sizeof(t->answer));
			t->answers = 0;
			if (l.wrong)
				found = "an entry that is not what was sent, or a broken ring";
			continue;
		}
		if ((run.next.kind != STORE && run.next.kind != RELEASE) || t->stores == BUFFER) {
			t->next.kind = run.next.kind;
			t->next.word = run.next.word;
			t->next.value = run.next.value;
			return;
		}
		t->buffer[t->stores].kind = run.next.kind;
		t->buffer[t->stores].word = run.next.word;
		t->buffer[t->stores++].value = run.next.value;
		answered(t, 0);
	}
}

/* A thread sees its own stores first. */
static uint32_t load(const struct machine *m, const struct thread *t, unsigned int word)
{
	unsigned int i;

	for (i = t->stores; i-- > 0;)
		if (t->buffer[i].word == word)
			return t->buffer[i].value;
	return m->mem[word];
}

/* May this store reach memory now? The oldest; relaxed, any that nothing holds back. */
static bool may_leave(const struct thread *t, unsigned int i)
{
	unsigned int k;

	if (!i)
		return true;
	if (!sc->relaxed || t->buffer[i].kind == RELEASE)
		return false;
	for (k = 0; k < i; k++)
		if (t->buffer[k].word == t->buffer[i].word)
			return false;
	return true;
}

static void leave(struct machine *m, unsigned int who, unsigned int i)
{
	struct thread *t = &m->t[who];

	m->mem[t->buffer[i].word] = t->buffer[i].value;
	t->stores--;
	memmove(&t->buffer[i], &t->buffer[i + 1], (t->stores - i) * sizeof(t->buffer[0]));
	memset(&t->buffer[t->stores], 0, sizeof(t->buffer[0]));
	if (t->next.kind == STORE || t->next.kind == RELEASE)
		advance(m, who);	/* it waited for a place in the buffer */
}

static bool can_step(const struct thread *t)
{
	switch (t->next.kind) {
	case LOAD:
		return true;
	case FENCE:
	case NOTIFY:
		return !t->stores;
	case WAIT:
		return t->event;
	default:
		return false;
	}
}

static void step(struct machine *m, unsigned int who)
{
	struct thread *t = &m->t[who];
	uint32_t value = 0;

	if (t->next.kind == LOAD)
		value = load(m, t, t->next.word);
	else if (t->next.kind == NOTIFY)
		m->t[!who].event = 1;
	else if (t->next.kind == WAIT)
		t->event = 0;
	answered(t, value);
	advance(m, who);
}

/* ---- states that were seen: 128 bits of hash for each ---- */

struct seen { uint64_t a, b; };
static struct seen *seen;
static size_t seen_size, seen_used;
static uint64_t schedules_end;

static bool seen_put(struct seen s)
{
	size_t i;

	for (i = s.a & (seen_size - 1); seen[i].a || seen[i].b; i = (i + 1) & (seen_size - 1))
		if (seen[i].a == s.a && seen[i].b == s.b)
			return false;
	seen[i] = s;
	seen_used++;
	return true;
}

static bool is_new(const struct machine *m)
{
	struct seen s = { 0x9e3779b97f4a7c15ull, 0xc2b2ae3d27d4eb4full }, *old = seen;
	size_t i, n = seen_size;
	uint64_t w;

	_Static_assert(sizeof(*m) % 8 == 0, "in words");
	for (i = 0; i < sizeof(*m); i += 8) {
		memcpy(&w, (const char *)m + i, 8);
		s.a = (s.a ^ w) * 0xff51afd7ed558ccdull;
		s.a ^= s.a >> 32;
		s.b = (s.b + w) * 0xc4ceb9fe1a85ec53ull;
		s.b ^= s.b >> 29;
	}
	if (seen_used * 2 >= seen_size) {
		seen_size = n ? n * 2 : 1u << 16;
		seen = calloc(seen_size, sizeof(*seen));
		ck_assert_ptr_nonnull(seen);
		seen_used = 0;
		for (i = 0; i < n; i++)
			if (old[i].a || old[i].b)
				seen_put(old[i]);
		free(old);
	}
	return seen_put(s);
}

static void explore(unsigned int depth);

/* One step more, made in path[depth + 1]. */
static void go(unsigned int depth)
{
	if (found) {
		found_at = depth + 1;
		return;
	}
	if (is_new(&path[depth + 1]))
		explore(depth + 1);
}

static void explore(unsigned int depth)
{
	const struct machine *m = &path[depth];
	unsigned int who, i;
	bool any = false;

	ck_assert_uint_lt(depth + 1, DEPTH);
	for (who = 0; who < 2; who++) {
		for (i = 0; i < m->t[who].stores && !found; i++) {
			if (!may_leave(&m->t[who], i))
				continue;
			any = true;
			memcpy(&path[depth + 1], m, sizeof(*m));
			leave(&path[depth + 1], who, i);
			snprintf(how[depth + 1], sizeof(how[0]), "%u: its store to %u arrives", who,
				 m->t[who].buffer[i].word);
			go(depth);
		}
		if (!found && can_step(&m->t[who])) {
			any = true;
			memcpy(&path[depth + 1], m, sizeof(*m));
			step(&path[depth + 1], who);
			snprintf(how[depth + 1], sizeof(how[0]), "%u: %s %u", who,
				 kind_name[m->t[who].next.kind], m->t[who].next.word);
			go(depth);
		}
	}
	if (any || found)
		return;
	schedules_end++;
	if (m->t[0].l.done && m->t[1].l.done)
		return;
	found = "a lost wake-up: somebody sleeps for ever";
	found_at = depth;
}

/* Go through all schedules. Returns what went wrong, or NULL. */
static const char *all_schedules(const struct scenario *s)
{
	struct machine *m = &path[0];
	unsigned int r;

	sc = s;
	found = NULL;
	schedules_end = 0;
	memset(m, 0, sizeof(*m));
	for (r = 0; r < RINGS; r++) {
		m->mem[r * RING_WORDS] = m->mem[r * RING_WORDS + 2] = s->from;
		m->mem[r * RING_WORDS + 1] = s->from;
		m->mem[r * RING_WORDS + 3] = s->from + 1;	/* as in a fresh ring */
	}
	for (r = 0; r < 2; r++) {
		struct local *l = &m->t[r].l;
		unsigned int to = s->both ? r : 0, of = s->both ? !r : 0;

		parvus_producer_init(&l->p, &headers[to], entries[to], s->count[to], 8, s->from);
		parvus_consumer_init(&l->c, &headers[of], entries[of], s->count[of], 8, s->from);
		l->pc = s->both && r ? SLEEP : WORK;
		advance(m, r);
	}
	is_new(m);
	explore(0);
	printf("%-34s %8zu states, %6llu ends%s%s\n", s->name, seen_used,
	       (unsigned long long)schedules_end, found ? ": " : "", found ? found : "");
	free(seen);
	seen = NULL;
	seen_size = seen_used = 0;
	return found;
}

/* ---- tests ---- */

#define ONE_WAY(name, count, total, batch, want, release, undo, relaxed, from) \
	{ name, 0, { count }, total, batch, want, release, undo, relaxed, from }
#define BOTH_WAYS(name, requests, responses, total, relaxed, from) \
	{ name, 1, { requests, responses }, total, 0, 1, 0, 0, relaxed, from }

static const struct scenario scenarios[] = {
	/* entries of the ring, to send, by publish, room waited for, by release, undo */
	ONE_WAY("one entry", 1, 4, 1, 1, 1, 0, 0, 0),
	ONE_WAY("two entries", 2, 5, 1, 1, 1, 0, 0, 0),
	ONE_WAY("two entries, all at once", 2, 6, 2, 2, 2, 0, 0, 0),
	ONE_WAY("two entries, room for one", 2, 5, 2, 1, 2, 0, 0, 0),
	ONE_WAY("four entries, room for three", 4, 7, 3, 3, 2, 0, 0, 0),
	ONE_WAY("four entries, batches of four", 4, 8, 4, 1, 3, 0, 0, 0),
	ONE_WAY("indices wrap", 2, 5, 2, 2, 1, 0, 0, -2u),
	ONE_WAY("some are undone", 2, 4, 2, 1, 2, 1, 0, -1u),
	ONE_WAY("relaxed, one entry", 1, 4, 1, 1, 1, 0, 1, 0),
	ONE_WAY("relaxed, two entries", 2, 4, 2, 2, 2, 0, 1, -3u),
	BOTH_WAYS("both ways, one and one", 1, 1, 3, 0, 0),
	BOTH_WAYS("both ways, two and one", 2, 1, 3, 0, -1u),
	BOTH_WAYS("both ways, one and two", 1, 2, 3, 0, 0),
	BOTH_WAYS("both ways, relaxed", 1, 1, 2, 1, 0),
};
#define SCENARIOS (sizeof(scenarios) / sizeof(scenarios[0]))

START_TEST(every_schedule)
{
	unsigned int i;

	if (!all_schedules(&scenarios[_i]))
		return;
	for (i = 1; i <= found_at; i++)
		printf("  %s\n", how[i]);
	ck_abort_msg("%s: %s", scenarios[_i].name, found);
}
END_TEST

/* The explorer finds what is wrong, in one scenario at least. */
static void must_find(const char *what, const char *part)
{
	unsigned int i;
	const char *got;

	printf("%s:\n", what);
	for (i = 0; i < SCENARIOS; i++) {
		got = all_schedules(&scenarios[i]);
		if (got) {
			ck_assert_msg(strstr(got, part), "%s: %s", what, got);
			return;
		}
	}
	ck_abort_msg("%s: nothing was found", what);
}

static const struct {
	const char *name;
	enum site site;
} sites[] = {
	{ "publish", PUBLISH },
	{ "producer_sleep", PRODUCER_SLEEP },
	{ "release", RELEASES },
	{ "consumer_sleep", CONSUMER_SLEEP },
};

START_TEST(without_a_fence)
{
	char what[64];

	snprintf(what, sizeof(what), "no fence in %s", sites[_i].name);
	mistake.no_fence = sites[_i].site;
	must_find(what, "lost wake-up");
}
END_TEST

START_TEST(wake_off_by_one)
{
	char what[64];

	mistake.wake_site = _i & 1 ? PRODUCER_SLEEP : CONSUMER_SLEEP;
	mistake.wake_by = _i & 2 ? 1 : -1u;
	snprintf(what, sizeof(what), "wake index %+d in %s", (int)mistake.wake_by,
		 _i & 1 ? "producer_sleep" : "consumer_sleep");
	must_find(what, "lost wake-up");
}
END_TEST

START_TEST(plain_release)
{
	mistake.plain_release = true;
	must_find("the index is a plain store", "an entry");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ring_schedules");
	TCase *t = tcase_create("schedules");
	SRunner *runner;
	int failed;

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, every_schedule, 0, SCENARIOS);
	tcase_add_loop_test(t, without_a_fence, 0, 4);
	tcase_add_loop_test(t, wake_off_by_one, 0, 4);
	tcase_add_test(t, plain_release);
	suite_add_tcase(s, t);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
