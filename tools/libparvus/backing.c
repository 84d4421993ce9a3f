// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libparvus: the block device that a disk lies on. A block device is taken as it is. A raw
 * file gets a loop device that goes with its last user, so that nothing is left whatever dies;
 * somebody has to hold it until a back end has opened it, and while there is none (the
 * domain's monitor does). Other formats are served by qemu-nbd on an nbd device.
 */
#include "internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define LOOP_MAJOR	7u
#define NBD_DEVICES	16u	/* nbd.nbds_max without a parameter */

#define LOCK_MS		5000	/* for somebody else to let go of a file */

static const struct parvus_backing nothing = { .fd = -1, .lock = -1, .nbd = -1 };

void pv_nbd_mark(uint32_t domain, uint64_t created_ns, uint32_t index, char mark[PARVUS_NBD_MARK])
{
	snprintf(mark, PARVUS_NBD_MARK, "parvus-%u-%llu-%u", domain,
		 (unsigned long long)created_ns, index);
}

/* Is an argument of this program "--description=@mark"? */
static bool marked(const char *pid, const char *mark)
{
	char path[300], args[8192], wanted[PARVUS_NBD_MARK + 16];
	size_t n, at;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%u/cmdline", pv_sys.procfs(),
		 (unsigned int)strtoul(pid, NULL, 10));
	snprintf(wanted, sizeof(wanted), "--description=%s", mark);
	f = fopen(path, "re");
	if (!f)
		return false;
	n = fread(args, 1, sizeof(args) - 1, f);
	fclose(f);
	args[n] = 0;
	for (at = 0; at < n; at += strlen(args + at) + 1)
		if (!strcmp(args + at, wanted))
			return true;
	return false;
}

/* Numbers come back: is the program that serves this nbd device now the one we started? */
static bool nbd_ours(const struct parvus_backing *b)
{
	char path[300], pid[24] = "";
	FILE *f;

	if (!b->mark[0])
		return false;
	snprintf(path, sizeof(path), "%s/block/nbd%d/pid", pv_sys.sysfs(), b->nbd);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (!fgets(pid, sizeof(pid), f))
		pid[0] = 0;
	fclose(f);
	return pid[0] && marked(pid, b->mark);
}

/* Under the lock, so that nobody gets the number between the look and the word. */
static void nbd_stop(struct parvus *h, struct parvus_backing *b)
{
	char path[24], said[100], option[] = "--disconnect", *name = strdup(h->qemu_nbd);
	char *args[] = { name, option, path, NULL };

	snprintf(path, sizeof(path), "/dev/nbd%d", b->nbd);
	if (name && nbd_ours(b))
		parvus_program(args, NULL, said, sizeof(said));
	free(name);
}

/* Somebody else may take the same number between our look and qemu-nbd's. */
static int nbd_lock(struct parvus *h)
{
	char path[512];
	int fd;

	if ((mkdir(h->run_dir, 0755) && errno != EEXIST) ||
	    snprintf(path, sizeof(path), "%s/nbd.lock", h->run_dir) >= (int)sizeof(path))
		return -1;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	while (fd >= 0 && flock(fd, LOCK_EX) && errno == EINTR)
		;
	return fd;
}

static int nbd_start(struct parvus *h, const struct parvus_disk *d, uint32_t minor,
		     struct parvus_backing *b)
{
	char connect[40], format[40], path[24], said[300], mark[PARVUS_NBD_MARK + 16];
	char *args[12], *name = strdup(h->qemu_nbd), *target = strdup(d->target);
	uint32_t dev[2];
	int n = 0, status;

	if (!name || !target) {
		free(name);
		free(target);
		return pv_fail(h->error, ENOMEM, "no memory");
	}
	snprintf(path, sizeof(path), "/dev/nbd%u", minor);
	snprintf(connect, sizeof(connect), "--connect=%s", path);
	snprintf(format, sizeof(format), "--format=%s",
		 strcmp(d->format, "vhd") ? d->format : "vpc");
	args[n++] = name;
	args[n++] = connect;
	args[n++] = format;
	snprintf(mark, sizeof(mark), "--description=%s", b->mark);
	args[n++] = mark;
	args[n++] = (char *)"--fork";
	if (d->readonly)
		args[n++] = (char *)"--read-only";
	if (!d->no_discard)
		args[n++] = (char *)"--discard=unmap";
	args[n++] = (char *)"--";
	args[n++] = target;
	args[n] = NULL;
	status = parvus_program(args, NULL, said, sizeof(said));
	free(name);
	free(target);
	if (status == 127)
		return pv_fail(h->error, ENOENT,
			       "%s: format %s needs %s, which is not there (Debian: qemu-utils)",
			       d->target, d->format, h->qemu_nbd);
	if (status)
		return pv_fail(h->error, EIO, "%s: qemu-nbd: %s", d->target,
			       said[0] ? said : "it could not be started");
	b->nbd = (int)minor;
	/* it says that it serves a moment before the kernel knows the size */
	for (n = 0; n < 500 && !pv_sys.nbd_ready(minor); n++)
		usleep(10000);
	if (!pv_sys.nbd_ready(minor)) {
		nbd_stop(h, b);
		*b = nothing;
		return pv_fail(h->error, EIO, "%s: qemu-nbd does not serve it on %s", d->target,
			       path);
	}
	status = pv_sys.block(path, d->readonly, dev);
	if (status < 0) {
		nbd_stop(h, b);
		*b = nothing;
		return pv_fail(h->error, -status, "%s: %s", path, strerror(-status));
	}
	b->major = dev[0];
	b->minor = dev[1];
	return 0;
}

/* What a program opens: it may wait for a FIFO, and says nothing that helps. */
static int look_at(struct parvus *h, const struct parvus_disk *d)
{
	struct stat st;

	if (access(d->target, d->readonly ? R_OK : R_OK | W_OK) || stat(d->target, &st))
		return pv_fail(h->error, errno, "cannot open %s: %s", d->target, strerror(errno));
	if (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode))
		return 0;
	return pv_fail(h->error, EINVAL, "%s is %s: a block device or a regular file is expected",
		       d->target, pv_kind_text(st.st_mode));
}

static int open_nbd(struct parvus *h, const struct parvus_disk *d, struct parvus_backing *b)
{
	int lock, ret = look_at(h, d);
	uint32_t minor;

	if (ret)
		return ret;
	lock = nbd_lock(h);
	if (lock < 0)
		return pv_fail(h->error, EIO, "cannot write %s/nbd.lock: %s", h->run_dir,
			       strerror(errno));
	for (minor = 0; minor < NBD_DEVICES && pv_sys.nbd_used(minor); minor++)
		;
	if (minor == NBD_DEVICES)
		ret = pv_fail(h->error, EBUSY,
			      "%s: no /dev/nbdN is free (or none is there: modprobe nbd)",
			      d->target);
	else
		ret = nbd_start(h, d, minor, b);
	close(lock);
	return ret;
}

/* Of a process ("self", or its number): what it is called; "" = it is not told. */
static void process_name(const char *process, char name[32])
{
	char path[300];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s/comm", pv_sys.procfs(), process);
	f = fopen(path, "re");
	if (!f || !fgets(name, 32, f))
		name[0] = 0;
	name[strcspn(name, "\n")] = 0;
	if (f)
		fclose(f);
}

/* Which program of this machine has the file locked? True: it is none that will let go of it. */
static bool locked_by(int fd, char *who, size_t bytes)
{
	char path[300], line[200], pid[24], name[32], self[32];
	unsigned int major, minor, number;
	unsigned long long inode;
	struct stat st;
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "%s/locks", pv_sys.procfs());
	f = fstat(fd, &st) ? NULL : fopen(path, "re");
	while (f && !found && fgets(line, sizeof(line), f))
		found = sscanf(line, "%*u: FLOCK %*s %*s %u %x:%x:%llu", &number, &major, &minor,
			       &inode) == 4 && inode == st.st_ino &&
			makedev(major, minor) == st.st_dev;
	if (f)
		fclose(f);
	who[0] = 0;
	if (!found)
		return false;
	snprintf(pid, sizeof(pid), "%u", number);
	process_name(pid, name);
	process_name("self", self);
	snprintf(who, bytes, "%s (process %s)", name[0] ? name : "a program", pid);
	/* another monitor may be letting go of it: claim.c has looked at all that are not */
	return !self[0] || strcmp(name, self);
}

/*
 * claim.c knows the users on this machine; others see a lock, where the file system has it. Who
 * is no monitor is not waited for: @who says then, which is "" for another machine.
 */
static int lock_file(const struct parvus_disk *d, int fd, unsigned int ms, char *who, size_t bytes)
{
	unsigned int waited;

	for (waited = 0; flock(fd, (d->readonly ? LOCK_SH : LOCK_EX) | LOCK_NB); waited += 20) {
		if (errno != EWOULDBLOCK || waited >= ms || locked_by(fd, who, bytes))
			return -EWOULDBLOCK;
		usleep(20000);
	}
	return 0;
}

static int open_loop(struct parvus *h, const struct parvus_disk *d, struct parvus_backing *b)
{
	struct stat st;
	uint32_t dev[2];
	char who[80];
	int fd, loop;

	fd = open(d->target, (d->readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st)) {
		int code = errno;

		if (fd >= 0)
			close(fd);
		return pv_fail(h->error, code, "cannot open %s: %s", d->target, strerror(code));
	}
	if (!S_ISREG(st.st_mode) || st.st_size < 512) {
		close(fd);
		return pv_fail(h->error, EINVAL, S_ISREG(st.st_mode) ?
			       "%s is smaller than a sector (512 bytes)" :
			       "%s is %s: a block device or a regular file is expected", d->target,
			       pv_kind_text(st.st_mode));
	}
	if (!d->shared && lock_file(d, fd, LOCK_MS, who, sizeof(who))) {
		close(fd);
		return pv_fail(h->error, EBUSY,
			       "%s is locked by %s (access=%s! shares it)", d->target,
			       who[0] ? who : "another machine", d->readonly ? "ro" : "rw");
	}
	loop = pv_sys.loop(fd, d->target, d->readonly, dev);
	if (loop < 0)
		close(fd);
	else
		b->lock = fd;
	if (loop < 0)
		return pv_fail(h->error, -loop, "cannot make a loop device for %s: %s", d->target,
			       strerror(-loop));
	b->fd = loop;
	b->major = dev[0];
	b->minor = dev[1];
	return 0;
}

int parvus_disk_open(struct parvus *h, const struct parvus_disk *d, const char *mark,
		     struct parvus_backing *b)
{
	uint32_t dev[2];
	int ret;

	*b = nothing;
	snprintf(b->mark, sizeof(b->mark), "%s", mark);
	if (!d->target)
		return 0;
	if (d->program)
		return look_at(h, d);
	if (strcmp(d->format, "raw"))
		return open_nbd(h, d, b);
	ret = pv_sys.block(d->target, d->readonly, dev);
	if (ret == -ENOTBLK)
		return open_loop(h, d, b);
	if (ret < 0)
		return pv_fail(h->error, -ret, "cannot open %s: %s", d->target, strerror(-ret));
	b->major = dev[0];
	b->minor = dev[1];
	return 0;
}

void parvus_disk_adopt(const struct parvus_device *device, const struct parvus_disk *d,
		       struct parvus_backing *b)
{
	struct parvus_block_config c;
	char who[80];

	*b = nothing;
	memcpy(&c, device->config, sizeof(c));
	b->major = c.major;
	b->minor = c.minor;
	if (d && pv_disk_scripted(d))
		return;
	if (c.major == LOOP_MAJOR)
		b->fd = pv_sys.loop_hold(c.minor);
	if (c.major != LOOP_MAJOR || !d || !d->target || d->shared)
		return;
	b->lock = open(d->target, (d->readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
	if (b->lock >= 0)
		lock_file(d, b->lock, 0, who, sizeof(who));
}

int parvus_disk_resized(struct parvus_error *e, const struct parvus_backing *b)
{
	int ret = b->fd >= 0 ? pv_sys.loop_resize(b->fd) : 0;

	if (b->nbd >= 0)
		return pv_fail(e, EOPNOTSUPP,
			       "nbd%d: qemu-nbd follows no new size: detach and attach the disk",
			       b->nbd);
	return ret < 0 ? pv_fail(e, -ret, "resize the loop device: %s", strerror(-ret)) : 0;
}

void parvus_disk_close(struct parvus *h, struct parvus_backing *b)
{
	if (b->fd >= 0)
		close(b->fd);
	if (b->lock >= 0)
		close(b->lock);
	if (b->nbd >= 0) {
		int lock = nbd_lock(h);
		unsigned int i;

		nbd_stop(h, b);
		if (lock >= 0)
			close(lock);
		/* the process writes out what it has before it lets the image go */
		for (i = 0; i < 500 && nbd_ours(b); i++)
			usleep(10000);
	}
	*b = nothing;
}
