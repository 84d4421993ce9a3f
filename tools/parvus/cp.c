// SPDX-License-Identifier: GPL-2.0-only
/*
 * parvus cp: files and folders into a domain and out of it, over a stream of its own
 * (tools/agent/stream.h), which is a device that this process makes, serves and removes. In the
 * domain parvus-agent does what is asked (tools/agent/tree.h).
 */
#include "commands.h"
#include "wait.h"
#include "../agent/stream.h"
#include "../agent/tree.h"

#include <libparvus-backend.h>
#include <limits.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#define WITHOUT_AGENT	10u	/* seconds for an agent to come */

const struct option_text cp_options[] = {
	{ 'r', "recursive", NULL, "as of cp; folders are copied in any case" },
	{ 'm', "max", "SIZE", "no more than that, all files together: MiB, or with a suffix b k m "
	  "g t; 4g without it" },
	{ 't', "timeout", "SECONDS", "give up when the domain says nothing for so long, 60 without "
	  "it" },
	{ 0 },
};

struct copy {
	struct parvus_backend *b;
	struct parvus_backend_queue *queue;	/* NULL: nobody is connected */
	struct parvus_consumer in;
	struct parvus_producer out;
	unsigned int seconds;
	bool came;		/* somebody was, once */
};

/* ---- the stream ---------------------------------------------------------------------------- */

static int copy_connect(struct parvus_backend *b, struct parvus_backend_queue *queues,
			unsigned int count, uint64_t features, const void *extra)
{
	struct copy *c = parvus_backend_arg(b);
	struct stream_rings r = stream_rings(queues[0].rings, queues[0].ring_bytes);

	(void)count, (void)features, (void)extra;
	if (c->came)
		return -EBUSY;	/* what was begun cannot be gone on with */
	parvus_producer_init(&c->out, r.to_front, r.front_bytes, r.count, 1, 0);
	parvus_consumer_init(&c->in, r.to_back, r.back_bytes, r.count, 1, 0);
	c->queue = queues;
	c->came = true;
	return 0;
}

/* Whoever waits looks at the rings by himself. */
static int copy_serve(struct parvus_backend *b, struct parvus_backend_queue *queue)
{
	(void)b, (void)queue;
	return 0;
}

static void copy_disconnect(struct parvus_backend *b)
{
	struct copy *c = parvus_backend_arg(b);

	c->queue = NULL;
}

static const struct parvus_backend_ops copy_ops = {
	.connect = copy_connect,
	.serve = copy_serve,
	.disconnect = copy_disconnect,
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Until something has happened, perhaps; @end: when to give up. A signal may come just before. */
static int copy_wait(struct copy *c, double end)
{
	int ret;

	if (stopped)
		return -EINTR;
	if (now() >= end)
		return -ETIMEDOUT;
	ret = parvus_backend_run(c->b, 200);
	if (stopped)
		return -EINTR;
	return ret == 1 ? 0 : -EPIPE;
}

static int copy_get(void *arg, void *to, size_t n)
{
	struct copy *c = arg;
	double end = now() + c->seconds;
	size_t done = 0;
	int ret;

	while (done < n) {
		uint32_t some;

		if (!c->queue)
			return -EPIPE;
		some = parvus_consume_bytes(&c->in, (char *)to + done, (uint32_t)(n - done));
		done += some;
		if (parvus_release(&c->in))
			parvus_backend_notify(c->b, c->queue);
		if (parvus_consumer_broken(&c->in))
			return -EPIPE;
		if (some || !parvus_consumer_sleep(&c->in)) {
			end = now() + c->seconds;
			continue;
		}
		ret = copy_wait(c, end);
		if (ret)
			return ret;
	}
	return stopped ? -EINTR : 0;
}

static bool copy_spoken(void *arg)
{
	struct copy *c = arg;

	return c->queue && parvus_consumer_ready(&c->in);
}

static int copy_put(void *arg, const void *from, size_t n)
{
	struct copy *c = arg;
	double end = now() + c->seconds;
	size_t done = 0;
	int ret;

	while (done < n) {
		uint32_t some;

		if (!c->queue)
			return -EPIPE;
		some = parvus_produce_bytes(&c->out, (const char *)from + done,
					    (uint32_t)(n - done));
		done += some;
		if (parvus_publish(&c->out))
			parvus_backend_notify(c->b, c->queue);
		if (parvus_producer_broken(&c->out))
			return -EPIPE;
		if (done == n)
			break;
		if (some || !parvus_producer_sleep(&c->out, 1)) {
			end = now() + c->seconds;
			continue;
		}
		if (!parvus_consumer_sleep(&c->in))
			return -ECANCELED;
		ret = copy_wait(c, end);
		if (ret)
			return ret;
	}
	return stopped ? -EINTR : 0;
}

/* ---- the device ---------------------------------------------------------------------------- */

/* Those of copies whose process has gone. */
static void remove_old(struct tool *t, uint32_t domain)
{
	struct parvus_device d;
	uint32_t at = 0;

	while (!parvus_device_next(t->h, at, &d)) {
		at = d.id;
		if (d.device_class == PARVUS_CLASS_STREAM && d.front_domain == domain &&
		    !strcmp((const char *)d.config, "cp") &&
		    d.back_state == PARVUS_DEVICE_CLOSED && d.index <= INT32_MAX &&
		    kill((pid_t)d.index, 0) && errno == ESRCH)
			parvus_device_remove(t->h, d.id);
	}
}

static int no_agent(const char *name)
{
	return fail("cp: nobody takes or gives files in domain %s: parvus-agent has to run there, "
		    "as root (%s/parvus-agent is one program that needs no library); else there "
		    "are run --copy-in and --copy-out, a disk (block-attach) or the network", name,
		    env_dir("PARVUS_LIB_DIR", "/usr/lib/parvus"));
}

/* An agent is there, or why not, which is said. */
static int connected(struct tool *t, struct copy *c, const struct parvus_control_info *i)
{
	double end = now() + (c->seconds < WITHOUT_AGENT ? c->seconds : WITHOUT_AGENT);
	int ret = 0;

	while (!ret && !c->queue)
		ret = c->came ? -EPIPE : copy_wait(c, end);
	if (!ret)
		return 0;
	if (ret == -EINTR)
		return fail("cp: stopped before an agent of domain %s was there", name_of(t, i));
	if (ret == -ETIMEDOUT)
		return no_agent(name_of(t, i));
	return c->came ? fail("cp: the agent of domain %s has gone", name_of(t, i)) : fail_lib(t);
}

static int begin(struct tool *t, struct copy *c, const struct parvus_control_info *i, uint32_t *id)
{
	static const struct parvus_link_info info = { .version = PARVUS_LINK_VERSION, .queues = 1 };
	struct parvus_device d = { .device_class = PARVUS_CLASS_STREAM, .index = (uint32_t)getpid(),
				   .front_domain = i->domain, .back_domain = PARVUS_DOMAIN_SELF };

	memcpy(d.config, "cp", 3);
	if (parvus_device_create(t->h, &d))
		return fail_lib(t);
	*id = d.id;
	if (parvus_backend_open(&c->b, &copy_ops, c, &t->error) ||
	    parvus_backend_take(c->b, PARVUS_CLASS_STREAM, d.id, 0) ||
	    parvus_backend_offer(c->b, &info, sizeof(info)))
		return fail_lib(t);
	return connected(t, c, i);
}

/* ---- the command --------------------------------------------------------------------------- */

/* DOMAIN:PATH, as others know it: a colon before any slash. NULL: a path of ours. */
static char *domain_of(char *text)
{
	char *colon = strchr(text, ':');

	return colon && colon != text && !memchr(text, '/', (size_t)(colon - text)) ? colon : NULL;
}

static int transfer(struct tree_io *io, bool out, const char *there, const char *here)
{
	char ask[2 * TREE_PATH], name[TREE_PATH] = "", real[PATH_MAX];
	size_t n = strlen(there) + 1;
	uint32_t bytes;
	int ret;

	/* ".", "/" and what ends in ".." have the name of the folder that they are */
	if (!tree_name(out ? there : here, name))
		snprintf(name, sizeof(name), "%s", !out && realpath(here, real) &&
			 strrchr(real, '/') ? strrchr(real, '/') + 1 : "");
	memcpy(ask, there, n);
	if (out) {
		ret = tree_say(io, TREE_GET, ask, n);
		return ret ? ret : tree_receive(io, here, name);
	}
	memcpy(ask + n, name, strlen(name) + 1);
	ret = tree_say(io, TREE_PUT, ask, n + strlen(name) + 1);
	if (!ret)
		ret = tree_send(io, here);
	if (!ret)
		ret = tree_frame(io, &bytes);
	return ret == TREE_DONE ? 0 : ret < 0 ? ret : -EPROTO;
}

static int done(struct tool *t, const struct tree_io *io)
{
	struct json_object *o;

	if (!t->json)
		return 0;
	o = json_object_new_object();
	add_u64(o, "bytes", io->bytes);
	add_u64(o, "entries", io->entries);
	return print_json(o);
}

static int copy(struct tool *t, struct copy *c, const struct parvus_control_info *i, bool out,
		const char *there, const char *here, uint64_t max)
{
	struct tree_io io = { .get = copy_get, .put = copy_put, .spoken = copy_spoken, .arg = c,
			      .max = max };
	uint32_t id = 0;
	int ret;

	catch_signals();
	remove_old(t, i->domain);
	ret = begin(t, c, i, &id);
	if (!ret) {
		ret = transfer(&io, out, there, here);
		for_terminal(io.why);
		if (ret == -EINTR)
			ret = fail("cp: stopped: %.1000s is as it was", out ? here : there);
		else if (ret)
			ret = fail("cp: %s%s", ret == -EREMOTEIO ? "in the domain: " : "",
				   io.why[0] ? io.why : "the other end speaks another language");
	}
	parvus_backend_close(c->b);
	if (id)
		parvus_device_remove(t->h, id);
	return ret ? ret : done(t, &io);
}

int cmd_cp(struct tool *t)
{
	struct copy c = { .seconds = 60 };
	uint64_t seconds, max = 4ull << 30 >> 12;
	struct parvus_control_info i;
	char *colon[2], *there, *here;
	bool out;
	int code;

	while ((code = tool_option(t)) > 0) {
		if (code == 'm' && !parse_frames(t->optarg, &max))
			return usage(t, "-m %s: a size is expected, such as 100 (MiB) or 2g",
				     t->optarg);
		if (code == 't') {
			if (!parvus_number_parse(t->optarg, 1, 86400, &seconds))
				return usage(t, "-t %s: seconds from 1 to 86400 are expected",
					     t->optarg);
			c.seconds = (unsigned int)seconds;
		}
	}
	if (code < 0)
		return 1;
	colon[0] = domain_of(t->args[0]);
	colon[1] = domain_of(t->args[1]);
	if (!colon[0] == !colon[1])
		return usage(t, "cp %s %s: DOMAIN:PATH is expected for one of the two%s",
			     t->args[0], t->args[1], colon[0] ? ", not for both" :
			     " (./a:b is a file of ours)");
	out = colon[0];
	there = out ? colon[0] : colon[1];
	*there++ = 0;
	here = t->args[out];
	if (!*there || strlen(there) >= TREE_PATH)
		return usage(t, "cp %s:%.40s: a path of the domain is expected, of at most %u "
			     "bytes", t->args[!out], there, TREE_PATH - 1);
	if (!*here)
		return usage(t, "cp %.40s:%.40s \"\": \"\" is no path", t->args[!out], there);
	if (!out && access(here, R_OK))
		return fail("cp: %s: %s", here, strerror(errno));
	if (tool_open(t) || tool_domain(t, t->args[!out], &i))
		return 1;
	if (i.flags & PARVUS_INFO_CONTROL)
		return fail("cp: domain %u is this one: cp of the system does that", i.domain);
	if (i.state != PARVUS_DOMAIN_RUNNING || i.flags & PARVUS_INFO_PAUSED)
		return fail("cp: domain %s %s", name_of(t, &i), i.state == PARVUS_DOMAIN_RUNNING ?
			    "is paused (unpause)" : "does not run");
	return copy(t, &c, &i, out, there, here, max << 12);
}
