// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libparvus: who else uses what a disk lies on. One rule for every backing: of two users of the
 * same bytes neither may write. Users are the disks of all domains, of any format and however they
 * are served, and what this domain does itself: mounts, swap, and devices of dm and md.
 *
 * The same bytes have many names. A file or device is known by its numbers, a loop device is the
 * file behind it, a partition lies on its whole device, and a device of dm or md on its slaves.
 * Two things share bytes if one of them lies on the other: two partitions of a device do not, nor
 * two volumes of a group. The kernel's own claim on a block device (O_EXCL) is asked last, for what
 * /proc and /sys do not show, such as a mount in another name space.
 */
#include "internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define NODES		256u	/* that one disk lies on */
#define NBD_MAJOR	43u

/* A block device (by its own number), or a file (by that of its file system, and inode). */
struct node {
	bool block;
	uint64_t dev, inode;
};

/* What a thing lies on: all[0] is itself. */
struct ground {
	struct node all[NODES];
	size_t n;
	bool full;
};

struct claim {
	struct parvus *h;
	const struct parvus_disk *disk;
	const char *path;	/* of what is opened */
	uint32_t domain, back;	/* whose disk, and where its back end is */
	struct ground ground;
	struct node remote;	/* of another domain's device */
	bool leaving;		/* the user that was found is on its way out */
};

/* ---- what lies on what ----------------------------------------------------------------- */

static bool same(const struct node *a, const struct node *b)
{
	return a->block == b->block && a->dev == b->dev && a->inode == b->inode;
}

static struct node block_node(unsigned int major, unsigned int minor)
{
	return (struct node){ .block = true, .dev = makedev(major, minor) };
}

static bool path_node(const char *path, struct node *n)
{
	struct stat st;

	if (pv_sys.stat(path, &st))
		return false;
	*n = S_ISBLK(st.st_mode) ? (struct node){ .block = true, .dev = st.st_rdev } :
	     (struct node){ .dev = st.st_dev, .inode = st.st_ino };
	return true;
}

/* The first line of a file of sysfs. */
static bool sysfs_line(char *line, size_t bytes, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static bool sysfs_line(char *line, size_t bytes, const char *format, ...)
{
	char path[600];
	va_list args;
	bool ok;
	FILE *f;
	int n;

	n = snprintf(path, sizeof(path), "%s/", pv_sys.sysfs());
	va_start(args, format);
	vsnprintf(path + n, sizeof(path) - (size_t)n, format, args);
	va_end(args);
	f = fopen(path, "re");
	if (!f)
		return false;
	ok = fgets(line, (int)bytes, f);
	fclose(f);
	if (ok)
		line[strcspn(line, "\n")] = 0;
	return ok;
}

static bool number_node(const char *text, struct node *n)
{
	unsigned int major, minor;

	if (sscanf(text, "%u:%u", &major, &minor) != 2)
		return false;
	*n = block_node(major, minor);
	return true;
}

/* A loop device is its file. A stretch of a file counts as all of it. */
static struct node unlooped(struct node n)
{
	char path[4200];
	struct node file;
	int i;

	for (i = 0; i < 8 && n.block; i++) {
		if (!sysfs_line(path, sizeof(path), "dev/block/%u:%u/loop/backing_file",
				major(n.dev), minor(n.dev)) || !path_node(path, &file))
			break;
		n = file;
	}
	return n;
}

static bool lies_on(const struct ground *g, const struct node *n)
{
	size_t i;

	for (i = 0; i < g->n; i++)
		if (same(&g->all[i], n))
			return true;
	return false;
}

/* The device whose partition it is. */
static bool whole_of(const struct node *n, struct node *whole)
{
	char text[32];

	if (!n->block || !sysfs_line(text, sizeof(text), "dev/block/%u:%u/partition",
				     major(n->dev), minor(n->dev)) ||
	    !sysfs_line(text, sizeof(text), "dev/block/%u:%u/../dev", major(n->dev),
			minor(n->dev)) || !number_node(text, whole))
		return false;
	*whole = unlooped(*whole);
	return true;
}

/* The slaves of a device of dm or md; returns how many. */
static size_t slaves_of(const struct node *n, struct node *slaves, size_t max)
{
	char path[300], text[32];
	struct dirent *e;
	size_t count = 0;
	DIR *d;

	if (!n->block)
		return 0;
	snprintf(path, sizeof(path), "%s/dev/block/%u:%u/slaves", pv_sys.sysfs(), major(n->dev),
		 minor(n->dev));
	d = opendir(path);
	while (d && count < max && (e = readdir(d)))
		if (e->d_name[0] != '.' &&
		    sysfs_line(text, sizeof(text), "dev/block/%u:%u/slaves/%s/dev", major(n->dev),
			       minor(n->dev), e->d_name) && number_node(text, &slaves[count])) {
			slaves[count] = unlooped(slaves[count]);
			count++;
		}
	if (d)
		closedir(d);
	return count;
}

/* @n, and all that it lies on. */
static void ground_of(struct node n, struct ground *g)
{
	struct node below[NODES];
	size_t at, count, i;

	g->n = 1;
	g->full = false;
	g->all[0] = unlooped(n);
	for (at = 0; at < g->n; at++) {
		count = slaves_of(&g->all[at], below, NODES - 1);
		count += whole_of(&g->all[at], &below[count]);
		for (i = 0; i < count && !g->full; i++) {
			g->full = g->n == NODES;
			if (!g->full && !lies_on(g, &below[i]))
				g->all[g->n++] = below[i];
		}
	}
}

/* Has a thing bytes of the disk? One with more parts than are followed may have. */
static bool shares(const struct claim *c, struct node n)
{
	struct ground g;

	ground_of(n, &g);
	return g.full || lies_on(&c->ground, &g.all[0]) || lies_on(&g, &c->ground.all[0]);
}

/* ---- this domain itself ------------------------------------------------------------------ */

static int used(const struct claim *c, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int used(const struct claim *c, const char *format, ...)
{
	char text[400];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return pv_fail(c->h->error, EBUSY, "%s is in use %s (access=%s! shares it)",
		       c->disk->target, text, c->disk->readonly ? "ro" : "rw");
}

/* \040 and the like are how /proc writes blanks in names. */
static void unescape(char *text)
{
	char *to = text;

	for (; *text; text++)
		if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] >= '0' &&
		    text[2] <= '7' && text[3] >= '0' && text[3] <= '7') {
			*to++ = (char)((text[1] - '0') * 64 + (text[2] - '0') * 8 + text[3] - '0');
			text += 3;
		} else {
			*to++ = *text;
		}
	*to = 0;
}

static FILE *procfs_open(const char *name)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/%s", pv_sys.procfs(), name);
	return fopen(path, "re");
}

/* One line of mountinfo. @quiet: somebody reads there, as the disk does. */
static int mounted(const struct claim *c, char *line, bool *quiet)
{
	char where[4096], source[4096], options[1024], *rest = strstr(line, " - ");
	unsigned int major, minor;
	struct node by_number, by_name;
	bool readonly, hit;

	if (!rest || sscanf(line, "%*u %*u %u:%u %*s %4095s", &major, &minor, where) != 3 ||
	    sscanf(rest, " - %*s %4095s %1023s", source, options) != 2)
		return 0;
	unescape(source);
	by_number = block_node(major, minor);
	hit = major && shares(c, by_number);
	/* btrfs shows a number of its own */
	if (!hit && source[0] == '/' && path_node(source, &by_name) && by_name.block)
		hit = shares(c, by_name);
	readonly = !strncmp(options, "ro", 2) && (options[2] == ',' || !options[2]);
	if (!hit)
		return 0;
	*quiet |= readonly && c->disk->readonly;
	return readonly && c->disk->readonly ? 0 :
	       used(c, "by domain 0: %s is mounted on %s", source, where);
}

static int look_mounts(const struct claim *c, bool *quiet)
{
	FILE *f = procfs_open("self/mountinfo");
	char *line = NULL;
	size_t bytes = 0;
	int ret = 0;

	while (f && !ret && getline(&line, &bytes, f) > 0)
		ret = mounted(c, line, quiet);
	free(line);
	if (f)
		fclose(f);
	return ret;
}

static int look_swaps(const struct claim *c)
{
	FILE *f = procfs_open("swaps");
	char *line = NULL;
	size_t bytes = 0;
	struct node n;
	int ret = 0;

	while (f && !ret && getline(&line, &bytes, f) > 0) {
		line[strcspn(line, " \t\n")] = 0;
		unescape(line);
		if (line[0] == '/' && path_node(line, &n) && shares(c, n))
			ret = used(c, "by domain 0: %s is swap", line);
	}
	free(line);
	if (f)
		fclose(f);
	return ret;
}

/* Is the disk, or the device whose partition it is, a part of this device of dm or md? */
static bool held_by(const struct claim *c, const struct node *device)
{
	struct node slaves[NODES], whole;
	struct ground g;
	size_t n, i;

	ground_of(*device, &g);
	if (lies_on(&g, &c->ground.all[0]))
		return g.n > 1 && !same(&g.all[0], &c->ground.all[0]);
	n = slaves_of(device, slaves, NODES);
	for (i = 0; i < n; i++)
		if (whole_of(&c->ground.all[0], &whole) && same(&slaves[i], &whole))
			return true;
	return false;
}

static int look_holders(const struct claim *c)
{
	char path[300], text[32], name[200];
	struct node n, slave;
	struct dirent *e;
	int ret = 0;
	DIR *d;

	snprintf(path, sizeof(path), "%s/block", pv_sys.sysfs());
	d = opendir(path);
	while (d && !ret && (e = readdir(d))) {
		if (e->d_name[0] == '.' ||
		    !sysfs_line(text, sizeof(text), "block/%s/dev", e->d_name) ||
		    !number_node(text, &n) || !slaves_of(&n, &slave, 1) || !held_by(c, &n))
			continue;
		if (sysfs_line(name, sizeof(name), "block/%s/dm/name", e->d_name))
			ret = used(c, "by domain 0: %s (%s) holds it", e->d_name, name);
		else
			ret = used(c, "by domain 0: %s holds it", e->d_name);
	}
	if (d)
		closedir(d);
	return ret;
}

/* Does the kernel use the disk, or a loop device of it, whose mount we do not see? */
static bool kernel_has(const struct claim *c)
{
	char path[300], text[32];
	bool has = pv_sys.block_held(c->path);
	struct node n, file;
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "%s/block", pv_sys.sysfs());
	d = opendir(path);
	while (d && !has && (e = readdir(d))) {
		if (strncmp(e->d_name, "loop", 4) ||
		    !sysfs_line(text, sizeof(text), "block/%s/dev", e->d_name) ||
		    !number_node(text, &n))
			continue;
		file = unlooped(n);
		snprintf(path, sizeof(path), "/dev/%s", e->d_name);
		has = !same(&n, &file) && same(&file, &c->ground.all[0]) && pv_sys.block_held(path);
	}
	if (d)
		closedir(d);
	return has;
}

/* What the kernel of this domain does with it. */
static int look_here(const struct claim *c)
{
	bool quiet = false;
	int ret;

	ret = look_mounts(c, &quiet);
	if (!ret)
		ret = look_swaps(c);
	if (!ret)
		ret = look_holders(c);
	if (!ret && !quiet && kernel_has(c))
		ret = used(c, "by domain 0, whose kernel does not say for what");
	return ret;
}

/* ---- disks of domains --------------------------------------------------------------------- */

static int used_by(struct claim *c, uint32_t domain, uint32_t index, const char *name, bool leaving)
{
	struct parvus_control_info i;
	char disk[16], text[PARVUS_NAME_BYTES];

	if (!name) {
		if (parvus_domain_info(c->h, domain, &i) || !i.name[0])
			snprintf(text, sizeof(text), "%u", domain);
		else
			parvus_name(c->h, &i, text);
		name = text;
	}
	parvus_disk_name(index, disk);
	c->leaving = leaving;
	return used(c, "by domain %s as %s", name, disk);
}

/* Disks that a domain of this number has, or is about to get, as its monitor wrote it down. */
static int look_state(struct claim *c, uint32_t domain, const struct parvus_state *s)
{
	struct parvus_control_info info;
	bool served = pv_state_served(c->h, domain), live, there;
	struct parvus_device r;
	size_t i, k;
	int ret = 0;

	live = !parvus_domain_info(c->h, domain, &info) && info.created_ns == s->created_ns &&
	       info.state < PARVUS_DOMAIN_SHUTDOWN;
	for (i = 0; !ret && i < s->ndevices; i++) {
		const struct parvus_state_device *e = &s->devices[i];
		const struct parvus_disk *d = NULL;
		struct node n;
		bool hit;

		if (e->device_class != PARVUS_CLASS_BLOCK ||
		    (domain == c->domain && (int)e->index == c->disk->index))
			continue;
		for (k = 0; k < s->config->ndisks; k++)
			if (s->config->disks[k].index == (int)e->index)
				d = &s->config->disks[k];
		if (!d || !d->target || d->backend || (d->readonly && c->disk->readonly))
			continue;
		/* 0 = not made yet; one that is gone its monitor lets go of, if there is one */
		there = e->id && !parvus_device_read(c->h, e->id, &r);
		if (!served && (!live || !there))
			continue;
		hit = path_node(d->target, &n) && shares(c, n);
		if (e->nbd >= 0)
			hit |= shares(c, block_node(NBD_MAJOR, (unsigned int)e->nbd));
		if (hit)
			ret = used_by(c, domain, e->index, live ? NULL : s->config->name,
				      !live || (e->id && !there));
	}
	return ret;
}

static int look_states(struct claim *c)
{
	struct parvus_state s;
	struct dirent *e;
	char path[300];
	uint64_t n;
	int ret = 0;
	DIR *d;

	if (parvus_run_path(c->h, 0, NULL, path, sizeof(path)))
		return 0;
	*strrchr(path, '/') = 0;
	d = opendir(path);
	while (d && !ret && (e = readdir(d)))
		if (parvus_number_parse(e->d_name, 0, PARVUS_DOMAIN_SELF - 1, &n) &&
		    !parvus_state_load(c->h, (uint32_t)n, &s)) {
			ret = look_state(c, (uint32_t)n, &s);
			parvus_state_free(&s);
		}
	if (d)
		closedir(d);
	return ret;
}

/* Disks in the registry, whoever made them. */
static int look_registry(struct claim *c)
{
	struct parvus_block_config b;
	struct parvus_device r;
	uint32_t at = 0;
	int ret = 0;

	while (!ret && !parvus_device_next(c->h, at, &r)) {
		struct node n;
		bool hit;

		at = r.id;
		memcpy(&b, r.config, sizeof(b));
		if (r.device_class != PARVUS_CLASS_BLOCK || r.back_domain != c->back ||
		    (r.front_domain == c->domain && (int)r.index == c->disk->index) ||
		    (b.flags & PARVUS_BLOCK_READONLY && c->disk->readonly))
			continue;
		b.file[sizeof(b.file) - 1] = 0;
		n = block_node(b.major, b.minor);
		if (c->back)
			hit = b.major && same(&n, &c->remote);
		else if (b.flags & PARVUS_BLOCK_PROGRAM)
			hit = path_node(b.file, &n) && shares(c, n);
		else
			hit = b.major && shares(c, n);
		if (hit)
			ret = used_by(c, r.front_domain, r.index, NULL, false);
	}
	return ret;
}

/* ---- the rule ------------------------------------------------------------------------------- */

int pv_claim_lock(struct parvus *h)
{
	char path[512];
	int fd;

	if ((mkdir(h->run_dir, 0755) && errno != EEXIST) ||
	    snprintf(path, sizeof(path), "%s/disks.lock", h->run_dir) >= (int)sizeof(path))
		return pv_fail(h->error, EIO, "cannot make %s", h->run_dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return pv_fail(h->error, errno, "cannot write %s: %s", path, strerror(errno));
	while (flock(fd, LOCK_EX) && errno == EINTR)
		;
	return fd;
}

int pv_claim_check(struct parvus *h, uint32_t domain, uint32_t back,
		   const struct parvus_disk *d, const uint32_t *device, bool *leaving)
{
	struct claim c = { .h = h, .disk = d, .path = d->target, .domain = domain, .back = back };
	char made[48];
	struct node n;
	int ret;

	*leaving = false;
	if (d->shared || !d->target || (pv_disk_scripted(d) && !device))
		return 0;
	if (back)	/* a number there, of which nothing is known here */
		return number_node(d->target, &c.remote) ? look_registry(&c) : 0;
	if (device) {
		n = block_node(device[0], device[1]);
		snprintf(made, sizeof(made), "/dev/block/%u:%u", device[0], device[1]);
		c.path = made;
	} else if (!path_node(d->target, &n)) {
		return 0;	/* who opens it finds out, and says why */
	}
	ground_of(n, &c.ground);
	if (c.ground.full)
		return used(&c, "in more devices than are looked at");
	ret = look_states(&c);
	if (!ret)
		ret = look_registry(&c);
	if (!ret)
		ret = look_here(&c);
	*leaving = c.leaving;
	return ret;
}
