// SPDX-License-Identifier: GPL-2.0-only
/* See tree.h. */
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(struct tree_io *io, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static int fail(struct tree_io *io, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(io->why, sizeof(io->why), format, args);
	va_end(args);
	return -err;
}

/* ---- frames ---------------------------------------------------------------------------- */

static int lost(struct tree_io *io, int ret)
{
	io->broken = true;
	return fail(io, -ret, "%s", ret == -EPIPE ? "the other end has gone" :
		    ret == -ETIMEDOUT ? "the other end does not answer" :
		    ret == -EINTR ? "interrupted" : strerror(-ret));
}

int tree_say(struct tree_io *io, enum tree_op op, const void *data, size_t bytes)
{
	struct tree_frame f = { op, (uint32_t)bytes };
	int ret = io->put(io->arg, &f, sizeof(f));
	uint32_t n;

	if (!ret && bytes)
		ret = io->put(io->arg, data, bytes);
	if (ret != -ECANCELED)
		return ret ? lost(io, ret) : 0;
	ret = tree_frame(io, &n);
	io->broken = true;
	return ret < 0 ? ret : fail(io, EPROTO, "the other end speaks out of turn");
}

int tree_frame(struct tree_io *io, uint32_t *bytes)
{
	struct tree_frame f;
	int ret = io->get(io->arg, &f, sizeof(f));

	if (!ret && f.bytes > TREE_FRAME) {
		io->broken = true;
		return fail(io, EPROTO, "a frame of %u bytes came", f.bytes);
	}
	if (!ret && f.bytes)
		ret = io->get(io->arg, io->frame, f.bytes);
	if (ret)
		return lost(io, ret);
	io->frame[f.bytes] = 0;
	*bytes = f.bytes;
	if (f.op == TREE_FAILED) {
		io->broken = true;
		return fail(io, EREMOTEIO, "%.400s", io->frame);
	}
	return f.op > TREE_FAILED ? fail(io, EPROTO, "a frame of kind %u came", f.op) : (int)f.op;
}

/* ---- sending ---------------------------------------------------------------------------- */

struct sender {
	struct tree_io *io;
	char path[TREE_PATH];	/* below the first */
	size_t bytes;		/* of it */
	unsigned int depth;
};

/* A frame of the tree. The other end speaks only to say that it failed. */
static int send_frame(struct sender *s, enum tree_op op, const void *data, size_t bytes)
{
	uint32_t n;
	int ret;

	if (!s->io->spoken(s->io->arg))
		return tree_say(s->io, op, data, bytes);
	ret = tree_frame(s->io, &n);
	return ret < 0 ? ret : fail(s->io, EPROTO, "the other end speaks out of turn");
}

static int send_entry(struct sender *s, enum tree_op op, uint32_t mode, const char *target)
{
	char data[sizeof(struct tree_entry) + 2 * TREE_PATH];
	const struct tree_entry e = { .mode = mode };
	size_t n = sizeof(e), more = target ? strlen(target) : 0;

	memcpy(data, &e, n);
	memcpy(data + n, s->path, s->bytes + 1);
	n += s->bytes + 1;
	memcpy(data + n, target ? target : "", more);
	return send_frame(s, op, data, n + more);
}

static int send_file(struct sender *s, int fd, const char *shown)
{
	char data[TREE_FRAME];
	ssize_t n;
	int ret;

	while ((n = read(fd, data, sizeof(data))) > 0) {
		s->io->bytes += (uint64_t)n;
		if (s->io->bytes > s->io->max)
			return fail(s->io, EFBIG, "%s: more than %llu bytes, with what came before",
				    shown, (unsigned long long)s->io->max);
		ret = send_frame(s, TREE_DATA, data, (size_t)n);
		if (ret)
			return ret;
	}
	if (n < 0)
		return fail(s->io, errno, "%s: cannot read: %s", shown, strerror(errno));
	return send_frame(s, TREE_FILE_END, NULL, 0);
}

static int send_at(struct sender *s, int fd, const char *shown);

/* One name of a folder. */
static int send_name(struct sender *s, int dir, const char *name, const char *shown)
{
	char below[TREE_PATH + 300], target[TREE_PATH];
	size_t before = s->bytes, n = strlen(name);
	struct stat st;
	ssize_t got;
	int fd, ret;

	snprintf(below, sizeof(below), "%.*s/%s", (int)TREE_PATH, shown, name);
	if (before + n + 2 > TREE_PATH)
		return fail(s->io, ENAMETOOLONG, "%.400s: the path is too long", below);
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
		return fail(s->io, errno, "%.400s: %s", below, strerror(errno));
	memcpy(s->path + before, "/", 1);
	s->bytes += before ? 1 : 0;
	memcpy(s->path + s->bytes, name, n + 1);
	s->bytes += n;
	if (S_ISLNK(st.st_mode)) {
		got = readlinkat(dir, name, target, sizeof(target));
		if (got < 0 || got == (ssize_t)sizeof(target))
			return fail(s->io, got < 0 ? errno : ENAMETOOLONG,
				    "%.400s: cannot read the link", below);
		target[got] = 0;
		ret = send_entry(s, TREE_ENTRY, st.st_mode, target);
	} else if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
		ret = fail(s->io, EINVAL, "%.400s: is no file, no folder and no link", below);
	} else {
		fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
		ret = fd < 0 ? fail(s->io, errno, "%.400s: %s", below, strerror(errno)) :
		      send_at(s, fd, below);
	}
	s->bytes = before;
	s->path[before] = 0;
	return ret;
}

static int send_folder(struct sender *s, int fd, uint32_t mode, const char *shown)
{
	struct dirent *e;
	DIR *d;
	int ret = 0;

	if (s->depth == TREE_DEPTH) {
		close(fd);
		return fail(s->io, ELOOP, "%.400s: more than %u folders in one another", shown,
			    TREE_DEPTH);
	}
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return fail(s->io, errno, "%.400s: %s", shown, strerror(errno));
	}
	s->depth++;
	errno = 0;
	while (!ret && (e = readdir(d))) {
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			ret = send_name(s, dirfd(d), e->d_name, shown);
		errno = 0;
	}
	if (!ret && errno)
		ret = fail(s->io, errno, "%.400s: cannot read: %s", shown, strerror(errno));
	s->depth--;
	closedir(d);
	return ret ? ret : send_entry(s, TREE_FOLDER_END, mode, NULL);
}

/* What is open as @fd, which goes. */
static int send_at(struct sender *s, int fd, const char *shown)
{
	struct stat st;
	int ret;

	if (fstat(fd, &st)) {
		ret = fail(s->io, errno, "%.400s: %s", shown, strerror(errno));
	} else if (++s->io->entries > TREE_ENTRIES) {
		ret = fail(s->io, EFBIG, "%.400s: more than %u files and folders", shown,
			   TREE_ENTRIES);
	} else if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
		ret = fail(s->io, EINVAL, "%.400s: is no file and no folder", shown);
	} else {
		ret = send_entry(s, TREE_ENTRY, st.st_mode, NULL);
		if (!ret && S_ISDIR(st.st_mode))
			return send_folder(s, fd, st.st_mode, shown);
		if (!ret)
			ret = send_file(s, fd, shown);
	}
	close(fd);
	return ret;
}

/* What went wrong here, said to the other end, if it can still hear. */
static int tell(struct tree_io *io, int ret)
{
	char why[sizeof(io->why)];

	if (!ret || io->broken)
		return ret;
	memcpy(why, io->why, sizeof(why));
	tree_say(io, TREE_FAILED, why, strlen(why));
	memcpy(io->why, why, sizeof(why));
	return ret;
}

int tree_send(struct tree_io *io, const char *path)
{
	struct sender s = { .io = io };
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), ret;

	ret = fd < 0 ? fail(io, errno, "%.400s: %s", path, strerror(errno)) : send_at(&s, fd, path);
	return tell(io, ret ? ret : send_frame(&s, TREE_DONE, NULL, 0));
}

/* ---- receiving -------------------------------------------------------------------------- */

bool tree_name(const char *path, char name[TREE_PATH])
{
	size_t n = strlen(path), from;

	while (n && path[n - 1] == '/')
		n--;
	for (from = n; from && path[from - 1] != '/'; from--)
		;
	if (n == from || n - from >= TREE_PATH)
		return false;
	memcpy(name, path + from, n - from);
	name[n - from] = 0;
	return strcmp(name, ".") && strcmp(name, "..");
}

struct receiver {
	struct tree_io *io;
	int dir;		/* where it comes to lie */
	char name[TREE_PATH];	/* there */
	char part[32];		/* until it is whole */
	bool made;		/* there is something by that name */
	int file;		/* the one that is written; -1 = none */
	char shown[TREE_PATH];	/* where that is, for a person */
};

/*
 * The folder that @path, which came over the stream, lies in, and its name there. Only folders of
 * the part are gone through, each by its own name and none by a link.
 */
static int below(struct receiver *r, const char *path, const char **name)
{
	unsigned int depth = 0;
	char one[256];
	int fd, next;

	if (!*path) {
		*name = r->part;
		fd = dup(r->dir);
		return fd < 0 ? fail(r->io, errno, "%s", strerror(errno)) : fd;
	}
	fd = openat(r->dir, r->part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	for (;;) {
		size_t n = strcspn(path, "/");

		if (fd < 0)
			return fail(r->io, errno, "%.300s: %s", path, strerror(errno));
		memcpy(one, path, n < sizeof(one) ? n : 0);
		one[n < sizeof(one) ? n : 0] = 0;
		if (!one[0] || !strcmp(one, ".") || !strcmp(one, "..") || ++depth > TREE_DEPTH) {
			close(fd);
			return fail(r->io, EPROTO, "%.300s: a path that cannot be came", path);
		}
		if (!path[n]) {
			*name = path;
			return fd;
		}
		next = openat(fd, one, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		close(fd);
		fd = next;
		path += n + 1;
	}
}

/* The path of an entry in io->frame, and what follows it; false: there is no whole one. */
static bool entry_of(struct tree_io *io, uint32_t bytes, struct tree_entry *e, const char **path,
		     const char **rest)
{
	size_t n;

	if (bytes <= sizeof(*e))
		return false;
	memcpy(e, io->frame, sizeof(*e));
	*path = io->frame + sizeof(*e);
	n = strnlen(*path, bytes - sizeof(*e));
	*rest = *path + n + 1;
	return n < bytes - sizeof(*e) && n < TREE_PATH;
}

static int make_entry(struct receiver *r, uint32_t bytes)
{
	const char *path, *rest, *name;
	struct tree_entry e;
	int dir, ret = 0;

	if (!entry_of(r->io, bytes, &e, &path, &rest) || e.reserved || r->file >= 0 ||
	    !*path == r->made || ++r->io->entries > TREE_ENTRIES)
		return fail(r->io, EPROTO, "an entry that cannot be came");
	dir = below(r, path, &name);
	if (dir < 0)
		return dir;
	snprintf(r->shown, sizeof(r->shown), "%.2000s%s%.2000s", r->name, *path ? "/" : "", path);
	if (S_ISREG(e.mode)) {
		r->file = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC |
				 O_NOCTTY, 0600);
		ret = r->file < 0 || fchmod(r->file, e.mode & 0777) ? errno : 0;
	} else if (S_ISDIR(e.mode)) {
		ret = mkdirat(dir, name, 0700) ? errno : 0;
	} else if (S_ISLNK(e.mode) && *path && *rest) {
		ret = symlinkat(rest, dir, name) ? errno : 0;
	} else {
		ret = EPROTO;
	}
	close(dir);
	r->made |= !ret || r->file >= 0;
	return ret ? fail(r->io, ret, "%.400s: cannot be made: %s", r->shown, strerror(ret)) : 0;
}

static int write_data(struct receiver *r, uint32_t bytes)
{
	uint32_t done = 0;
	ssize_t n;

	if (r->file < 0)
		return fail(r->io, EPROTO, "bytes of no file came");
	r->io->bytes += bytes;
	if (r->io->bytes > r->io->max)
		return fail(r->io, EFBIG, "%.400s: more than %llu bytes, with what came before",
			    r->shown, (unsigned long long)r->io->max);
	while (done < bytes) {
		n = write(r->file, r->io->frame + done, bytes - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(r->io, errno, "%.400s: cannot write: %s", r->shown,
				    strerror(errno));
		done += (uint32_t)n;
	}
	return 0;
}

static int end_file(struct receiver *r)
{
	int ret;

	if (r->file < 0)
		return fail(r->io, EPROTO, "the end of no file came");
	ret = close(r->file) ? errno : 0;
	r->file = -1;
	return ret ? fail(r->io, ret, "%.400s: cannot write: %s", r->shown, strerror(ret)) : 0;
}

/* All of it is there: its mode, which may forbid to write to it. */
static int end_folder(struct receiver *r, uint32_t bytes)
{
	const char *path, *rest, *name;
	struct tree_entry e;
	int dir, fd, ret = 0;

	if (!entry_of(r->io, bytes, &e, &path, &rest) || e.reserved || r->file >= 0 || !r->made)
		return fail(r->io, EPROTO, "the end of a folder that cannot be came");
	dir = below(r, path, &name);
	if (dir < 0)
		return dir;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fchmod(fd, e.mode & 0777))
		ret = fail(r->io, errno, "%.300s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	close(dir);
	return ret;
}

/* Where it is to lie: in a folder that there is, or by that name. */
static int place(struct receiver *r, const char *to, const char *name)
{
	char parent[TREE_PATH];
	struct stat st;
	size_t n;

	if (strlen(to) >= TREE_PATH || strlen(name) >= TREE_PATH)
		return fail(r->io, ENAMETOOLONG, "%.300s: the path is too long", to);
	if (!*to)
		return fail(r->io, EINVAL, "\"\" is no path");
	if (!stat(to, &st) && S_ISDIR(st.st_mode)) {
		snprintf(parent, sizeof(parent), "%s", to);
		snprintf(r->name, sizeof(r->name), "%s", name);
		if (!*name || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
			return fail(r->io, EINVAL, "%.300s is a folder, and what is copied has no "
				    "name to go by there", to);
	} else {
		n = strlen(to);
		if (to[n - 1] == '/' || !tree_name(to, r->name))
			return fail(r->io, ENOENT, "%.300s: there is no such folder", to);
		n -= strlen(r->name);
		snprintf(parent, sizeof(parent), "%.*s", n ? (int)n : 1, n ? to : ".");
	}
	r->dir = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r->dir < 0)
		return fail(r->io, errno, "%.300s: %s", parent, strerror(errno));
	if (!fstatat(r->dir, r->name, &st, AT_SYMLINK_NOFOLLOW) && S_ISDIR(st.st_mode))
		return fail(r->io, EEXIST, "%.400s: is there already, and is a folder", r->name);
	return 0;
}

/* Of a part, all; of no link's other end. */
static void remove_at(int dir, const char *name, unsigned int depth)
{
	struct dirent *e;
	DIR *d;
	int fd;

	if (!unlinkat(dir, name, 0) || depth > TREE_DEPTH + 1)
		return;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return;
	fchmod(fd, 0700);
	d = fdopendir(fd);
	while (d && (e = readdir(d)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			remove_at(dirfd(d), e->d_name, depth + 1);
	if (d)
		closedir(d);
	unlinkat(dir, name, AT_REMOVEDIR);
}

static int frames(struct receiver *r)
{
	uint32_t bytes;
	int op, ret = 0;

	while (!ret) {
		op = tree_frame(r->io, &bytes);
		switch (op) {
		case TREE_ENTRY:
			ret = make_entry(r, bytes);
			break;
		case TREE_DATA:
			ret = write_data(r, bytes);
			break;
		case TREE_FILE_END:
			ret = end_file(r);
			break;
		case TREE_FOLDER_END:
			ret = end_folder(r, bytes);
			break;
		case TREE_DONE:
			if (!r->made || r->file >= 0)
				return fail(r->io, EPROTO, "the end came too early");
			if (renameat(r->dir, r->part, r->dir, r->name))
				return fail(r->io, errno, "%.400s: cannot be made: %s", r->name,
					    strerror(errno));
			r->made = false;
			return 0;
		default:
			ret = op < 0 ? op : fail(r->io, EPROTO, "a frame out of turn came");
		}
	}
	return ret;
}

int tree_receive(struct tree_io *io, const char *to, const char *name)
{
	struct receiver r = { .io = io, .dir = -1, .file = -1 };
	uint64_t number = 0;
	int ret = place(&r, to, name);

	if (getrandom(&number, sizeof(number), GRND_NONBLOCK) < 0)
		number = (uint64_t)getpid();
	snprintf(r.part, sizeof(r.part), ".parvus-cp.%016llx", (unsigned long long)number);
	if (!ret)
		ret = frames(&r);
	if (r.file >= 0)
		close(r.file);
	if (r.made)
		remove_at(r.dir, r.part, 0);
	if (r.dir >= 0)
		close(r.dir);
	return tell(io, ret);
}
