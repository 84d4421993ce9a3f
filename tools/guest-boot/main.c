// SPDX-License-Identifier: GPL-2.0-only
/*
 * guest-boot [--entry=ENTRY] [--kernel=PATH] [--ramdisk=PATH] [--args=TEXT]: reads kernel, ramdisk
 * and kernel arguments out of a guest's own disk, which is descriptor 3, and writes them to
 * standard output: a line "kernel BYTES ramdisk BYTES args BYTES of TITLE" with the three behind
 * it, or one line "none REASON". libparvus starts it for bootloader = "pygrub" (guest_boot.c).
 *
 * The disk is the guest's, and hostile: nothing is mounted. libext2fs reads it in a process that
 * has given up everything but these two descriptors: another user, an empty root, no network,
 * bounds of memory and time, and the few system calls that are named below.
 */
#include "menu.h"

#include <errno.h>
#include <ext2fs/ext2fs.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DISK		3
#define NOBODY		65534
#define FILE_MAX	(512ull << 20)		/* PARVUS_IMAGE_MAX: libparvus takes no more */
#define MENU_MAX	(1u << 20)
#define PARTITIONS	128u

struct partition {
	uint64_t start, bytes;
};

/* ---- out */

static void put(const void *data, size_t bytes)
{
	const char *p = data;

	while (bytes) {
		ssize_t n = write(1, p, bytes);

		if (n <= 0)
			_exit(1);
		p += n;
		bytes -= (size_t)n;
	}
}

__attribute__((format(printf, 1, 2), noreturn))
static void none(const char *format, ...)
{
	char text[400] = "none ";
	va_list args;
	size_t n;

	va_start(args, format);
	vsnprintf(text + 5, sizeof(text) - 6, format, args);
	va_end(args);
	for (n = 0; text[n]; n++)
		if ((unsigned char)text[n] < ' ' || text[n] == 127)
			text[n] = '?';
	text[n++] = '\n';
	put(text, n);
	_exit(0);
}

/* ---- the sandbox */

#define ALLOW(call)	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, 0, 1), \
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static void filter_calls(void)
{
	static struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ALLOW(pread64),
		ALLOW(write),
		ALLOW(lseek),
		ALLOW(munmap),
		ALLOW(mremap),
		ALLOW(brk),
		ALLOW(clock_gettime),
		ALLOW(gettimeofday),
		ALLOW(time),
		ALLOW(getrandom),
		ALLOW(exit_group),
		/* memory, and none that is executed */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(*code), .filter = code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		none("no sandbox: seccomp: %s", strerror(errno));
}

static void bound(int what, rlim_t to)
{
	struct rlimit limit = { .rlim_cur = to, .rlim_max = to };

	if (setrlimit(what, &limit))
		none("no sandbox: a limit: %s", strerror(errno));
}

/* What cannot be given up is not used: the reason is said, and nothing read. */
static void confine(void)
{
	bound(RLIMIT_AS, 384ull << 20);
	bound(RLIMIT_CPU, 20);
	bound(RLIMIT_FSIZE, 0);
	bound(RLIMIT_CORE, 0);
	if (!geteuid()) {
		/* no network, no file system: /proc/self/fdinfo is a folder that goes */
		if (unshare(CLONE_NEWNET | CLONE_NEWNS) && errno != ENOSYS &&
		    errno != EPERM)
			none("no sandbox: unshare: %s", strerror(errno));
		if (chdir("/proc/self/fdinfo") || chroot(".") || chdir("/"))
			none("no sandbox: chroot: %s", strerror(errno));
		if (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
		    setresuid(NOBODY, NOBODY, NOBODY))
			none("no sandbox: another user: %s", strerror(errno));
	}
	bound(RLIMIT_NOFILE, 0);
	bound(RLIMIT_NPROC, 0);
	filter_calls();
}

/* ---- the disk, for libext2fs */

static uint64_t at_start, at_bytes;	/* of the partition that is looked at */

static errcode_t disk_read(io_channel c, unsigned long long block, int count, void *data)
{
	uint64_t bytes = count < 0 ? (uint64_t)-(int64_t)count :
			 (uint64_t)count * (uint64_t)c->block_size;
	uint64_t from = block * (uint64_t)c->block_size;
	size_t have = 0;

	if (block > at_bytes / (uint64_t)c->block_size || bytes > at_bytes - from)
		return EXT2_ET_SHORT_READ;
	while (have < bytes) {
		ssize_t n = pread(DISK, (char *)data + have, bytes - have,
				  (off_t)(at_start + from + have));

		if (n <= 0)
			return EXT2_ET_SHORT_READ;
		have += (size_t)n;
	}
	return 0;
}

static errcode_t disk_read_32(io_channel c, unsigned long block, int count, void *data)
{
	return disk_read(c, block, count, data);
}

static errcode_t disk_block_size(io_channel c, int bytes)
{
	c->block_size = bytes;
	return 0;
}

static errcode_t disk_close(io_channel c)
{
	free(c);
	return 0;
}

static errcode_t disk_no(io_channel c)
{
	(void)c;
	return 0;
}

static errcode_t disk_no_write(io_channel c, unsigned long block, int count, const void *data)
{
	(void)c;
	(void)block;
	(void)count;
	(void)data;
	return EROFS;
}

static errcode_t disk_open(const char *name, int flags, io_channel *out);

static struct struct_io_manager disk = {
	.magic = EXT2_ET_MAGIC_IO_MANAGER,
	.name = "a guest's disk",
	.open = disk_open,
	.close = disk_close,
	.set_blksize = disk_block_size,
	.read_blk = disk_read_32,
	.read_blk64 = disk_read,
	.write_blk = disk_no_write,
	.flush = disk_no,
};

static errcode_t disk_open(const char *name, int flags, io_channel *out)
{
	static char title[] = "disk";
	io_channel c = calloc(1, sizeof(*c));

	(void)name;
	(void)flags;
	if (!c)
		return EXT2_ET_NO_MEMORY;
	c->magic = EXT2_ET_MAGIC_IO_CHANNEL;
	c->manager = &disk;
	c->name = title;
	c->block_size = 1024;
	c->refcount = 1;
	*out = c;
	return 0;
}

/* ---- files of the guest */

struct file {
	ext2_file_t f;
	uint64_t bytes;
};

/* Symbolic links are followed, as far as libext2fs goes. */
static bool file_open(ext2_filsys fs, const char *path, struct file *to)
{
	struct ext2_inode inode;
	ext2_ino_t ino;

	if (ext2fs_namei_follow(fs, EXT2_ROOT_INO, EXT2_ROOT_INO, path, &ino) ||
	    ext2fs_read_inode(fs, ino, &inode) || !LINUX_S_ISREG(inode.i_mode) ||
	    ext2fs_file_open(fs, ino, 0, &to->f))
		return false;
	to->bytes = EXT2_I_SIZE(&inode);
	return true;
}

/* With /boot a file system of its own, a path may have it in front, or lack it. */
static bool file_find(ext2_filsys fs, const char *path, struct file *to)
{
	char other[MENU_PATH + 8];

	if (!path[0] || file_open(fs, path, to))
		return path[0];
	if (!strncmp(path, "/boot/", 6))
		return file_open(fs, path + 5, to);
	snprintf(other, sizeof(other), "/boot%s%s", path[0] == '/' ? "" : "/", path);
	return file_open(fs, other, to);
}

/* A text of the guest, "" where there is none. */
static bool read_text(ext2_filsys fs, const char *path, char *text)
{
	unsigned int have = 0, n;
	struct file f;

	text[0] = 0;
	if (!file_open(fs, path, &f))
		return false;
	while (have < MENU_MAX && !ext2fs_file_read(f.f, text + have, MENU_MAX - have, &n) && n)
		have += n;
	text[have] = 0;
	ext2fs_file_close(f.f);
	return have;
}

static void copy(struct file *f)
{
	static char data[65536];
	uint64_t left = f->bytes;

	while (left) {
		unsigned int n = 0;

		/* who reads finds the rest missing */
		if (ext2fs_file_read(f->f, data, left < sizeof(data) ? (unsigned int)left :
				     (unsigned int)sizeof(data), &n) || !n)
			_exit(1);
		put(data, n);
		left -= n;
	}
	ext2fs_file_close(f->f);
}

static void hand_over(ext2_filsys fs, const struct menu_entry *e)
{
	struct file kernel, ramdisk = { .bytes = 0 };
	char head[300], title[MENU_TITLE];
	size_t i;

	if (!file_find(fs, e->kernel, &kernel))
		none("%s: there is no such file, which its menu names", e->kernel);
	if (e->ramdisk[0] && !file_find(fs, e->ramdisk, &ramdisk))
		none("%s: there is no such file, which its menu names", e->ramdisk);
	if (kernel.bytes > FILE_MAX || ramdisk.bytes > FILE_MAX)
		none("%s: larger than %llu MiB", kernel.bytes > FILE_MAX ? e->kernel : e->ramdisk,
		     FILE_MAX >> 20);
	snprintf(title, sizeof(title), "%.127s", e->title[0] ? e->title : e->kernel);
	for (i = 0; title[i]; i++)
		if ((unsigned char)title[i] < ' ' || title[i] == 127)
			title[i] = '?';
	snprintf(head, sizeof(head), "kernel %llu ramdisk %llu args %zu of %s\n",
		 (unsigned long long)kernel.bytes, (unsigned long long)ramdisk.bytes,
		 strlen(e->args), title);
	put(head, strlen(head));
	copy(&kernel);
	if (ramdisk.bytes)
		copy(&ramdisk);
	put(e->args, strlen(e->args));
	_exit(0);
}

static const struct {
	const char *menu, *env;
} menus[] = {
	{ "/boot/grub/grub.cfg", "/boot/grub/grubenv" },
	{ "/grub/grub.cfg", "/grub/grubenv" },
	{ "/boot/grub2/grub.cfg", "/boot/grub2/grubenv" },
	{ "/grub2/grub.cfg", "/grub2/grubenv" },
	{ "/boot/grub/menu.lst", NULL },
	{ "/grub/menu.lst", NULL },
	{ "/boot/grub/grub.conf", NULL },
	{ "/grub/grub.conf", NULL },
};
/* What distributions leave where no boot loader is installed. */
static const struct menu_entry links[] = {
	{ .title = "/vmlinuz", .kernel = "/vmlinuz", .ramdisk = "/initrd.img" },
	{ .title = "/boot/vmlinuz", .kernel = "/boot/vmlinuz", .ramdisk = "/boot/initrd.img" },
};

/* Does not come back when there is something to start. */
static void look(ext2_filsys fs, const char *entry, const struct menu_entry *given, char **seen)
{
	static char text[MENU_MAX + 1], env[MENU_MAX + 1];
	const struct menu_entry *e;
	struct menu_entry mine;
	struct file f;
	size_t i;

	if (given->kernel[0]) {
		if (!file_find(fs, given->kernel, &f))
			return;
		hand_over(fs, given);
	}
	for (i = 0; i < sizeof(menus) / sizeof(*menus); i++) {
		if (!read_text(fs, menus[i].menu, text))
			continue;
		if (menus[i].env)
			read_text(fs, menus[i].env, env);
		e = menu_choose(text, menus[i].env ? env : NULL, entry, !menus[i].env);
		*seen = (char *)menus[i].menu;
		if (!e)
			continue;
		mine = *e;
		if (given->ramdisk[0])
			strcpy(mine.ramdisk, given->ramdisk);
		if (given->args[0])
			strcpy(mine.args, given->args);
		hand_over(fs, &mine);
	}
	for (i = 0; !*seen && i < sizeof(links) / sizeof(*links); i++) {
		mine = links[i];
		if (!file_open(fs, mine.kernel, &f))
			continue;
		ext2fs_file_close(f.f);
		if (file_open(fs, mine.ramdisk, &f))
			ext2fs_file_close(f.f);
		else
			mine.ramdisk[0] = 0;
		if (given->args[0])
			strcpy(mine.args, given->args);
		hand_over(fs, &mine);
	}
}

/* ---- partitions */

static uint64_t get(const uint8_t *p, unsigned int bytes)
{
	uint64_t v = 0;

	while (bytes--)
		v = v << 8 | p[bytes];
	return v;
}

static void add(struct partition *p, unsigned int *n, uint64_t sectors, uint64_t count,
		uint64_t size)
{
	if (*n == PARTITIONS || !count || sectors >= size / 512 || count > size / 512 - sectors)
		return;
	p[*n].start = sectors * 512;
	p[*n].bytes = count * 512;
	++*n;
}

/* The whole disk, and what a GPT or the four places of an MBR name. */
static unsigned int partitions(struct partition *p, uint64_t size)
{
	uint8_t data[512], entry[128];
	uint64_t at, count, bytes, i;
	unsigned int n = 1;

	p[0].start = 0;
	p[0].bytes = size;
	if (pread(DISK, data, 512, 512) == 512 && !memcmp(data, "EFI PART", 8)) {
		at = get(data + 72, 8);
		count = get(data + 80, 4);
		bytes = get(data + 84, 4);
		for (i = 0; i < count && i < PARTITIONS && bytes >= 128 && bytes <= 4096; i++)
			if (at < size / 512 &&
			    pread(DISK, entry, 128, (off_t)(at * 512 + i * bytes)) == 128 &&
			    get(entry + 40, 8) >= get(entry + 32, 8))
				add(p, &n, get(entry + 32, 8), get(entry + 40, 8) -
				    get(entry + 32, 8) + 1, size);
	} else if (pread(DISK, data, 512, 0) == 512 && data[510] == 0x55 && data[511] == 0xaa) {
		for (i = 0; i < 4; i++)
			add(p, &n, get(data + 446 + 16 * i + 8, 4),
			    get(data + 446 + 16 * i + 12, 4), size);
	}
	return n;
}

/* Is @arg "NAME=" and more? To @to, or said to be too long. */
static bool option(const char *arg, const char *name, char *to, size_t bytes)
{
	size_t n = strlen(name);

	if (strncmp(arg, name, n))
		return false;
	if (strlen(arg + n) >= bytes)
		none("%.40s...: at most %zu bytes are expected", arg, bytes - 1);
	strcpy(to, arg + n);
	return true;
}

int main(int argc, char **argv)
{
	static struct partition p[PARTITIONS];
	static struct menu_entry given;
	char entry[MENU_TITLE] = "", *seen = NULL;
	unsigned int i, n, systems = 0;
	off_t size;

	confine();
	for (i = 1; i < (unsigned int)argc; i++)
		if (!option(argv[i], "--entry=", entry, sizeof(entry)) &&
		    !option(argv[i], "--kernel=", given.kernel, sizeof(given.kernel)) &&
		    !option(argv[i], "--ramdisk=", given.ramdisk, sizeof(given.ramdisk)) &&
		    !option(argv[i], "--args=", given.args, sizeof(given.args)))
			none("bootloader_args: %s: --entry=, --kernel=, --ramdisk= or --args= is "
			     "expected", argv[i]);
	size = lseek(DISK, 0, SEEK_END);
	if (size < 0)
		none("the disk cannot be read: %s", strerror(errno));
	n = partitions(p, (uint64_t)size);
	for (i = 0; i < n; i++) {
		ext2_filsys fs;

		at_start = p[i].start;
		at_bytes = p[i].bytes;
		if (ext2fs_open("disk", EXT2_FLAG_64BITS | EXT2_FLAG_SOFTSUPP_FEATURES, 0, 0,
				&disk, &fs))
			continue;
		systems++;
		look(fs, entry[0] ? entry : NULL, &given, &seen);
		ext2fs_close(fs);
	}
	if (!systems)
		none("no ext2, ext3 or ext4 is on it");
	if (given.kernel[0])
		none("%s: there is no such file on it", given.kernel);
	if (seen && entry[0])
		none("%s has no entry %s that starts a Linux", seen, entry);
	if (seen)
		none("%s has no entry that starts a Linux", seen);
	none("no grub.cfg, menu.lst or /vmlinuz is on it");
}
