/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A file, or a folder with all that is in it, over a stream: what both ends of parvus cp do.
 *
 * All goes in frames: an operation, a number of bytes, and these. Who copies says "get" or "put"
 * with the path that the other end is to read or to write. Then comes a tree: an entry for each
 * file, folder or symbolic link, a file's bytes and its end, a folder's end with its mode, and at
 * last "done"; of a put the other end says "done", too, when it has its name. Instead of any frame
 * an end may say that it failed, and why; the one that sends a tree looks for that.
 *
 * A tree is written beside its place, by a name of its own, and renamed when it is whole. Who
 * receives believes nothing: paths go down and not up, no link is followed, and there are bounds.
 */
#ifndef PARVUS_TREE_H
#define PARVUS_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TREE_FRAME	16384u	/* bytes of one, at most */
#define TREE_PATH	4096u	/* with its zero */
#define TREE_DEPTH	64u	/* folders in one another */
#define TREE_ENTRIES	1000000u

enum tree_op {
	TREE_GET = 1,		/* path */
	TREE_PUT,		/* path, zero, name where path is a folder, zero */
	TREE_ENTRY,		/* struct tree_entry, path below the first, zero; a link's target */
	TREE_DATA,		/* bytes of the file */
	TREE_FILE_END,
	TREE_FOLDER_END,	/* struct tree_entry, path, zero: all that is in it was sent */
	TREE_DONE,
	TREE_FAILED,		/* why, for a person */
};

struct tree_frame {
	uint32_t op, bytes;
};

struct tree_entry {
	uint32_t mode;		/* as stat() has it */
	uint32_t reserved;
};

struct tree_io {
	/*
	 * Move @n bytes, all of them. 0 or a negative errno. -EINTR: it is to be given up;
	 * -ECANCELED: the other end takes no more, and says why.
	 */
	int (*get)(void *arg, void *to, size_t n);
	int (*put)(void *arg, const void *from, size_t n);
	bool (*spoken)(void *arg);	/* has the other end said something? */
	void *arg;
	uint64_t max;		/* bytes of files, all together */
	uint64_t bytes;		/* so far */
	uint32_t entries;
	bool broken;		/* the stream itself is of no use any more */
	char why[512];		/* after a failure */
	char frame[TREE_FRAME + 1];
};

/* The next frame into io->frame, with a zero behind it. Its op, or a negative errno. */
int tree_frame(struct tree_io *io, uint32_t *bytes);
int tree_say(struct tree_io *io, enum tree_op op, const void *data, size_t bytes);
/* Send what is at @path, and "done". 0, or a negative errno with the reason in io->why. */
int tree_send(struct tree_io *io, const char *path);
/* Receive a tree to @to, or if that is a folder to @name in it. The same. */
int tree_receive(struct tree_io *io, const char *to, const char *name);
/* The last part of @path, which may be that of a folder; false: there is none. */
bool tree_name(const char *path, char name[TREE_PATH]);

#endif
