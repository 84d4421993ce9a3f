// SPDX-License-Identifier: GPL-2.0-only
/*
 * What both ends of parvus cp do (tools/agent/tree.c), over a pair of sockets: trees that come out
 * as they went in, and an end that lies: of everything that it says nothing is made outside of the
 * place, and nothing stays of what is not whole.
 */
#include "../../tools/agent/tree.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/test_tree.XXXXXX";
static int ends[2];

static int get(void *arg, void *to, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t some = read(*(int *)arg, (char *)to + done, n - done);

		if (some <= 0)
			return -EPIPE;
		done += (size_t)some;
	}
	return 0;
}

static bool spoken(void *arg)
{
	struct pollfd p = { .fd = *(int *)arg, .events = POLLIN };

	return poll(&p, 1, 0) > 0 && p.revents & POLLIN;
}

static int put(void *arg, const void *from, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t some = send(*(int *)arg, (const char *)from + done, n - done,
				    MSG_NOSIGNAL | MSG_DONTWAIT);

		if (some < 0 && errno == EAGAIN) {
			if (spoken(arg))
				return -ECANCELED;
			usleep(1000);
			continue;
		}
		if (some <= 0)
			return -EPIPE;
		done += (size_t)some;
	}
	return 0;
}

static void setup(void)
{
	ck_assert(!chdir("/tmp"));
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert(!chdir(dir));
	ck_assert(!socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
}

static void teardown(void)
{
	char command[100];

	close(ends[0]);
	close(ends[1]);
	ck_assert(!chdir("/"));
	snprintf(command, sizeof(command), "chmod -R u+rwx %s; rm -rf %s", dir, dir);
	ck_assert(!system(command));
	memcpy(dir + strlen(dir) - 6, "XXXXXX", 6);
}

static struct tree_io end_of(int n)
{
	return (struct tree_io){ .get = get, .put = put, .spoken = spoken, .arg = &ends[n],
				 .max = 10 << 20 };
}

static struct sender {
	const char *path;
	struct tree_io io;
	int ret;
} sender;

static void *send_it(void *arg)
{
	(void)arg;
	sender.ret = tree_send(&sender.io, sender.path);
	return NULL;
}

/* @from to @to; what the receiver returns. */
static int copy(const char *from, const char *to, const char *name, uint64_t max, char *why)
{
	struct tree_io io = end_of(1);
	pthread_t thread;
	int ret;

	sender = (struct sender){ .path = from, .io = end_of(0) };
	io.max = max;
	ck_assert(!pthread_create(&thread, NULL, send_it, NULL));
	ret = tree_receive(&io, to, name);
	pthread_join(thread, NULL);
	strcpy(why, io.why);
	return ret;
}

static void sh(const char *command) { ck_assert_msg(!system(command), "%s", command); }

/* Names that begin with a point, of this folder: nothing of a part has stayed. */
static void nothing_left(void)
{
	sh("[ -z \"$(find . -name '.parvus-cp.*')\" ]");
}

START_TEST(trees)
{
	char why[512];

	sh("mkdir -p from/a/b from/empty; head -c 100000 /dev/urandom >from/a/b/f");
	sh("chmod 751 from/a; ln -s /etc/none from/link; printf x >from/.x");
	sh("chmod 400 from/.x; chmod 500 from/a/b");
	ck_assert_int_eq(copy("from", "to", "from", 1 << 20, why), 0);
	ck_assert_int_eq(sender.ret, 0);
	sh("diff -r --no-dereference from to && cd to && stat -c '%a %F' .x a a/b link >../modes &&"
	   " cd ../from && stat -c '%a %F' .x a a/b link | cmp - ../modes");
	/* into a folder; a file that is there is another one then */
	sh("mkdir in; echo old >in/f; ln in/f in/kept");
	ck_assert_int_eq(copy("from/a/b/f", "in", "f", 1 << 20, why), 0);
	sh("cmp in/f from/a/b/f && [ \"$(cat in/kept)\" = old ]");
	ck_assert_int_eq(copy("from", "in", "from", 1 << 20, why), 0);
	ck_assert_int_eq(copy("from", "in", "from", 1 << 20, why), -EEXIST);
	ck_assert_str_eq(why, "from: is there already, and is a folder");
	ck_assert_int_eq(sender.ret, -EREMOTEIO);
	nothing_left();
}
END_TEST

START_TEST(refused)
{
	static const struct {
		const char *from, *to;
		int ret, theirs;
	} t[] = {
		{ "none", "to", -EREMOTEIO, -ENOENT },
		{ "fifo", "to", -EREMOTEIO, -EINVAL },
		{ "with", "to", -EREMOTEIO, -EINVAL },	/* a FIFO in a folder */
		{ "large", "to", -EREMOTEIO, -EFBIG },
		{ "deep", "to", -EREMOTEIO, -ELOOP },
		{ "loop", "to", -EREMOTEIO, -ELOOP },
		{ "file", "none/to", -ENOENT, -EREMOTEIO },
		{ "file", "to/", -ENOENT, -EREMOTEIO },
		{ "file", "file/to", -ENOTDIR, -EREMOTEIO },
		{ "file", "..", -EINVAL, -EREMOTEIO },
		{ "file", "", -EINVAL, -EREMOTEIO },
	};
	char why[512];
	size_t i;

	sh("mkfifo fifo; mkdir with; mkfifo with/fifo; echo x >file; ln -s loop loop");
	sh("truncate -s 11M large; d=deep; for i in $(seq 66); do d=$d/d; done; mkdir -p $d");
	for (i = 0; i < sizeof(t) / sizeof(*t); i++) {
		int ret = copy(t[i].from, t[i].to, i == 9 ? ".." : "x", 10 << 20, why);

		ck_assert_msg(ret == t[i].ret && sender.ret == t[i].theirs, "%s: %d, %d: %s",
			      t[i].from, ret, sender.ret, why);
		ck_assert(why[0] && !strchr(why, '\n'));
		close(ends[0]);
		close(ends[1]);
		ck_assert(!socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	}
	/* the receiver's own bound, in the middle of much more than the sockets hold */
	sh("truncate -s 5M file");
	ck_assert_int_eq(copy("file", "to", "x", 1 << 20, why), -EFBIG);
	ck_assert_int_eq(sender.ret, -EREMOTEIO);
	ck_assert_ptr_nonnull(strstr(sender.io.why, "more than 1048576 bytes"));
	sh("[ ! -e to ]");
	nothing_left();
}
END_TEST

/* ---- an end that lies ---------------------------------------------------------------------- */

static void frame(uint32_t op, const void *data, uint32_t bytes)
{
	struct tree_frame f = { op, bytes };

	ck_assert_int_eq(put(&ends[0], &f, sizeof(f)), 0);
	if (bytes && bytes <= TREE_FRAME)
		ck_assert_int_eq(put(&ends[0], data, bytes), 0);
}

static void entry(uint32_t op, uint32_t mode, const char *path, const char *target)
{
	char data[TREE_FRAME];
	const struct tree_entry e = { .mode = mode };
	size_t n = strlen(path) + 1, more = target ? strlen(target) : 0;

	memcpy(data, &e, sizeof(e));
	memcpy(data + sizeof(e), path, n);
	memcpy(data + sizeof(e) + n, target ? target : "", more);
	frame(op, data, (uint32_t)(sizeof(e) + n + more));
}

static void folder(const char *path) { entry(TREE_ENTRY, S_IFDIR | 0755, path, NULL); }
static void file(const char *path)
{
	entry(TREE_ENTRY, S_IFREG | 0644, path, NULL);
	frame(TREE_DATA, "text", 4);
	frame(TREE_FILE_END, NULL, 0);
}

static void up(void) { folder(""); file("../out"); }
static void absolute(void) { folder(""); file("/tmp/test_tree_out"); }
static void up_inside(void) { folder(""); folder("d"); file("d/../../out"); }
static void point(void) { folder(""); file("./out"); }
static void empty_part(void) { folder(""); file("d//out"); }
static void by_link(void)
{
	folder("");
	entry(TREE_ENTRY, S_IFLNK | 0777, "l", "..");
	file("l/out");
}
static void onto_link(void)
{
	folder("");
	entry(TREE_ENTRY, S_IFLNK | 0777, "l", "../out");
	file("l");
}
static void mode_by_link(void)
{
	folder("");
	entry(TREE_ENTRY, S_IFLNK | 0777, "l", "../../victim");
	entry(TREE_FOLDER_END, S_IFDIR | 0777, "l", NULL);
}
static void mode_of_a_file(void)
{
	folder("");
	file("f");
	entry(TREE_FOLDER_END, S_IFDIR | 0777, "f", NULL);
}
static void first_has_a_name(void) { file("out"); }
static void first_twice(void) { folder(""); folder(""); }
static void first_is_a_link(void) { entry(TREE_ENTRY, S_IFLNK | 0777, "", "/etc"); }
static void twice(void) { folder(""); file("f"); file("f"); }
static void device(void) { folder(""); entry(TREE_ENTRY, S_IFCHR | 0666, "d", NULL); }
static void fifo(void) { entry(TREE_ENTRY, S_IFIFO | 0666, "", NULL); }
static void link_without_end(void) { folder(""); entry(TREE_ENTRY, S_IFLNK | 0777, "l", NULL); }
static void data_of_nothing(void) { frame(TREE_DATA, "x", 1); }
static void end_of_nothing(void) { folder(""); frame(TREE_FILE_END, NULL, 0); }
static void folder_end_first(void) { entry(TREE_FOLDER_END, S_IFDIR | 0777, "", NULL); }
static void file_in_file(void) { entry(TREE_ENTRY, S_IFREG | 0644, "", NULL); file("x"); }
static void done_first(void) { frame(TREE_DONE, NULL, 0); }
static void done_in_a_file(void)
{
	entry(TREE_ENTRY, S_IFREG | 0644, "", NULL);
	frame(TREE_DONE, NULL, 0);
}
static void large_frame(void) { frame(TREE_DATA, NULL, TREE_FRAME + 1); }
static void unknown_frame(void) { frame(99, "", 0); }
static void no_zero(void) { frame(TREE_ENTRY, "\0\0\0\0\0\0\0\0abc", 11); }
static void short_entry(void) { frame(TREE_ENTRY, "\0\0\0\0", 4); }
static void no_path(void) { frame(TREE_ENTRY, "\0\0\0\0\0\0\0\0", 8); }
static void reserved(void) { frame(TREE_ENTRY, "\0\100\0\0\1\0\0\0", 9); }
static void long_path(void)
{
	static char data[TREE_FRAME];

	memset(data, 0, sizeof(data));
	folder("");
	memset(data + 8, 'x', TREE_PATH);
	memcpy(data, "\0\100\0\0", 4);
	frame(TREE_ENTRY, data, TREE_PATH + 9);
}
static void gone(void) { folder(""); file("f"); }
static void gone_in_a_file(void) { entry(TREE_ENTRY, S_IFREG | 0644, "", NULL); }

static void (*const lies[])(void) = {
	up, absolute, up_inside, point, empty_part, by_link, onto_link, mode_by_link,
	mode_of_a_file, first_has_a_name, first_twice, first_is_a_link, twice, device, fifo,
	link_without_end, data_of_nothing, end_of_nothing, folder_end_first, file_in_file,
	done_first, done_in_a_file, large_frame, unknown_frame, no_zero, short_entry, no_path,
	reserved, long_path, gone, gone_in_a_file,
};

START_TEST(lying)
{
	struct tree_io io = end_of(1);
	int ret;

	sh("mkdir place victim; chmod 700 victim");
	lies[_i]();
	shutdown(ends[0], SHUT_WR);
	ret = tree_receive(&io, "place/to", "x");
	ck_assert_msg(ret < 0 && ret != -EREMOTEIO, "%d", ret);
	ck_assert(io.why[0] && !strchr(io.why, '\n'));
	sh("[ \"$(ls -A . place | tr '\\n' ' ')\" = '.: place victim  place: ' ] &&"
	   " [ ! -e /tmp/test_tree_out ] && [ \"$(stat -c %a victim)\" = 700 ]");
}
END_TEST

/* No more of a mode than the nine bits, and files not by the mode of an open one. */
START_TEST(modes)
{
	struct tree_io io = end_of(1);

	entry(TREE_ENTRY, S_IFREG | 06777, "", NULL);
	frame(TREE_FILE_END, NULL, 0);
	frame(TREE_DONE, NULL, 0);
	ck_assert_int_eq(tree_receive(&io, "to", "x"), 0);
	sh("[ \"$(stat -c %a to)\" = 777 ]");
}
END_TEST

START_TEST(names)
{
	char name[TREE_PATH];

	ck_assert(tree_name("a/b", name) && !strcmp(name, "b"));
	ck_assert(tree_name("a/b//", name) && !strcmp(name, "b"));
	ck_assert(tree_name("b", name) && !strcmp(name, "b"));
	ck_assert(!tree_name("/", name) && !tree_name("", name) && !tree_name("a/..", name) &&
		  !tree_name(".", name));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("tree");
	TCase *c = tcase_create("tree");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, trees);
	tcase_add_test(c, refused);
	tcase_add_loop_test(c, lying, 0, sizeof(lies) / sizeof(*lies));
	tcase_add_test(c, modes);
	tcase_add_test(c, names);
	tcase_set_timeout(c, 60);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
