// SPDX-License-Identifier: GPL-2.0-only
/*
 * The one rule of who may use what a disk lies on (tools/libparvus/claim.c), with a /sys and a
 * /proc that are made up: whole devices, partitions, loop devices, volumes, arrays, images; what
 * is mounted, swap or held in this domain, and disks in the registry. And which qemu-nbd is ours.
 */
#include "fake.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct parvus_error e;
static struct parvus *h;
static char dir[] = "/tmp/parvus-claim.XXXXXX";

/* A file below the folder, with those above it. */
static void put(const char *path, const char *text)
{
	char full[300], *p;
	FILE *f;

	snprintf(full, sizeof(full), "%s/%s", dir, path);
	for (p = strchr(full + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = 0;
		mkdir(full, 0755);
		*p = '/';
	}
	f = fopen(full, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static void to(const char *path, const char *target)
{
	char full[300];

	snprintf(full, sizeof(full), "%s/%s", dir, path);
	ck_assert_int_eq(symlink(target, full), 0);
}

/* A device: sys/block/NAME or a partition in that of its whole, and sys/dev/block/M:N. */
static void device(const char *place, const char *number)
{
	char text[200], target[200];

	snprintf(text, sizeof(text), "sys/block/%s/dev", place);
	put(text, number);
	if (strchr(place, '/')) {
		snprintf(text, sizeof(text), "sys/block/%s/partition", place);
		put(text, "1\n");
	}
	snprintf(text, sizeof(text), "sys/dev/block/%s", number);
	snprintf(target, sizeof(target), "../../block/%s", place);
	to(text, target);
}

static void slave(const char *of, const char *name, const char *number)
{
	char text[200];

	snprintf(text, sizeof(text), "sys/block/%s/slaves/%s/dev", of, name);
	put(text, number);
}

static void setup(void)
{
	char path[200];

	snprintf(path, sizeof(path), "rm -rf %s/*", dir);
	ck_assert_int_eq(system(path), 0);
	fake_attach(dir);
	put("sys/dev/block/none", "");
	device("sda", "8:0");
	device("sda/sda1", "8:1");
	device("sda/sda2", "8:2");
	device("sdb", "8:16");
	device("sdb/sdb1", "8:17");
	device("sdd", "8:5");
	device("sdd/sdd1", "8:6");
	device("sdc", "8:32");
	device("sdc/sdc1", "8:33");
	device("dm-0", "253:0");	/* two volumes of a group on sda2 */
	slave("dm-0", "sda2", "8:2");
	put("sys/block/dm-0/dm/name", "vg-root\n");
	device("dm-1", "253:1");
	slave("dm-1", "sda2", "8:2");
	device("dm-2", "253:2");	/* a snapshot of it */
	slave("dm-2", "dm-1", "253:1");
	device("md0", "9:0");
	slave("md0", "sdb1", "8:17");
	device("dm-5", "253:5");	/* many paths to a whole device */
	slave("dm-5", "sdc", "8:32");
	device("loop0", "7:0");
	snprintf(path, sizeof(path), "%s/a.img\n", dir);
	put("sys/block/loop0/loop/backing_file", path);
	device("loop0/loop0p1", "259:0");
	put("a.img", "a");
	put("b.img", "b");
	put("s w.img", "c");
	put("proc/swaps", "");
	put("proc/self/mountinfo", "");
	/* blk-N is 8:N, dev-M-N is M:N */
	for (int i = 0; i < 34; i++) {
		snprintf(path, sizeof(path), "blk-%d", i);
		put(path, "");
	}
	put("dev-7-0", "");
	put("dev-9-0", "");
	put("dev-43-3", "");
	put("dev-253-0", "");
	put("dev-253-1", "");
	put("dev-253-2", "");
	put("dev-259-0", "");
	ck_assert_int_eq(parvus_open(&h, &(struct parvus_options){ .run_dir = dir }, &e), 0);
}

static void teardown(void)
{
	char command[100];

	parvus_close(h);
	snprintf(command, sizeof(command), "rm -rf %s/*", dir);
	ck_assert_int_eq(system(command), 0);
}

/* Disk xvda of a domain 7. */
static int check(const char *target, const char *access)
{
	struct parvus_disk d = { .index = 0, .readonly = access[1] == 'o', .shared = access[2] };
	bool leaving;

	e.text[0] = 0;
	ck_assert_int_gt(asprintf(&d.target, "%s/%s", dir, target), 0);
	int ret = pv_claim_check(h, 7, 0, &d, NULL, &leaving);
	free(d.target);
	ck_assert(!leaving);
	return ret;
}

static void in_use(const char *target, const char *access, const char *text)
{
	char shared[8];

	ck_assert_msg(check(target, access) == -EBUSY, "%s may be used", target);
	ck_assert_msg(strstr(e.text, text), "%s: %s, not: %s", target, e.text, text);
	ck_assert_msg(strstr(e.text, target), "%s is not named: %s", target, e.text);
	ck_assert_ptr_null(strchr(e.text, '\n'));
	snprintf(shared, sizeof(shared), "%s!", access);
	ck_assert_int_eq(check(target, shared), 0);
}

static void is_free(const char *target, const char *access)
{
	ck_assert_msg(!check(target, access), "%s", e.text);
}

static void mounts(const char *number, const char *options)
{
	char text[200];

	snprintf(text, sizeof(text), "1 0 0:5 / /proc rw - proc proc rw\n"
		 "22 1 %s / /mnt/x rw,noatime shared:1 - ext4 /dev/x %s\n", number, options);
	put("proc/self/mountinfo", text);
}

START_TEST(mounted)
{
	mounts("8:1", "rw,errors=continue");
	in_use("blk-1", "rw", "by domain 0: /dev/x is mounted on /mnt/x (access=rw! shares it)");
	in_use("blk-0", "rw", "mounted on /mnt/x");	/* the whole of it */
	in_use("blk-1", "ro", "(access=ro! shares it)");
	is_free("blk-6", "rw");
	mounts("8:16", "rw");
	in_use("blk-17", "ro", "mounted on /mnt/x");	/* a part of it */
	is_free("blk-1", "rw");
	mounts("8:1", "ro");		/* two that read */
	is_free("blk-1", "ro");
	in_use("blk-1", "rw", "mounted on /mnt/x");
	put("held-1", "");
	is_free("blk-1", "ro");		/* which is how the kernel holds what is mounted so */
	mounts("7:0", "rw");		/* a file, by a loop device */
	in_use("a.img", "rw", "mounted on /mnt/x");
	in_use("dev-7-0", "rw", "mounted on /mnt/x");
	in_use("dev-259-0", "rw", "mounted on /mnt/x");
	is_free("b.img", "rw");
	mounts("259:0", "rw");		/* a partition in it */
	in_use("a.img", "rw", "mounted on /mnt/x");
	mounts("253:1", "rw");		/* a volume */
	in_use("dev-253-1", "rw", "mounted on /mnt/x");
	in_use("blk-2", "rw", "mounted on /mnt/x");
	in_use("blk-0", "rw", "mounted on /mnt/x");
	is_free("dev-253-0", "rw");
	/* btrfs: no number of a device, but its name */
	put("proc/self/mountinfo", "");
	char text[200];
	snprintf(text, sizeof(text), "1 0 0:40 / /srv rw - btrfs %s/blk-1 rw\n", dir);
	put("proc/self/mountinfo", text);
	in_use("blk-0", "rw", "is mounted on /srv");
	/* what is no mountinfo */
	put("proc/self/mountinfo", "x\n1 2\n - \n1 0 8:1 / /mnt rw - \n");
	unlink("held-1");
	is_free("blk-2", "rw!");
}
END_TEST

START_TEST(swap)
{
	char text[300];

	snprintf(text, sizeof(text), "Filename Type Size Used Priority\n%s/blk-2 partition 1 0 -2\n"
		 "%s/s\\040w.img file 1 0 -3\n", dir, dir);
	put("proc/swaps", text);
	in_use("blk-0", "rw", "blk-2 is swap");
	in_use("dev-253-1", "ro", "blk-2 is swap");
	in_use("s w.img", "ro", "s w.img is swap");
	is_free("blk-1", "rw");
	is_free("a.img", "rw");
}
END_TEST

START_TEST(held)
{
	in_use("blk-2", "rw", "by domain 0: dm-");
	in_use("blk-0", "ro", "holds it");
	in_use("blk-17", "rw", "by domain 0: md0 holds it");
	in_use("blk-16", "rw", "md0 holds it");
	in_use("blk-33", "rw", "dm-5 holds it");	/* whose whole is held */
	in_use("dev-253-1", "rw", "dm-2 holds it");
	is_free("blk-1", "rw");
	is_free("dev-253-0", "rw");	/* the volumes themselves */
	is_free("dev-253-2", "rw");
	is_free("dev-9-0", "rw");
	put("held-1", "");
	in_use("blk-1", "ro", "by domain 0, whose kernel does not say for what");
	put("held-loop0", "");
	in_use("a.img", "ro", "by domain 0, whose kernel does not say for what");
	is_free("b.img", "rw");
}
END_TEST

/* A disk in the registry: with block device @major:@minor, or served by a program from @file. */
static uint32_t other(uint32_t major, uint32_t minor, const char *file, uint32_t flags)
{
	struct parvus_block_config c = {
		.version = 1, .major = major, .minor = minor, .flags = flags
	};
	struct parvus_device d = { .device_class = PARVUS_CLASS_BLOCK, .index = 3 };

	if (file)
		snprintf(c.file, sizeof(c.file), "%s/%s", dir, file);
	memcpy(d.config, &c, sizeof(c));
	ck_assert_msg(!parvus_device_create(h, &d), "%s", e.text);
	return d.id;
}

START_TEST(disks)
{
	uint32_t id;

	id = other(8, 1, NULL, 0);
	in_use("blk-1", "rw", "by domain Domain-0 as xvdd");
	in_use("blk-1", "ro", "by domain Domain-0 as xvdd");
	in_use("blk-0", "rw", "by domain Domain-0 as xvdd");
	is_free("b.img", "rw");
	parvus_device_remove(h, id);
	id = other(8, 1, NULL, PARVUS_BLOCK_READONLY);
	is_free("blk-1", "ro");
	in_use("blk-1", "rw", "as xvdd");
	parvus_device_remove(h, id);
	id = other(7, 0, NULL, 0);	/* a raw file's loop device */
	in_use("a.img", "rw", "as xvdd");
	in_use("dev-7-0", "ro", "as xvdd");
	in_use("dev-259-0", "ro", "as xvdd");
	is_free("b.img", "rw");
	parvus_device_remove(h, id);
	id = other(0, 0, "a.img", PARVUS_BLOCK_PROGRAM);
	in_use("dev-7-0", "rw", "as xvdd");
	in_use("a.img", "rw", "as xvdd");
	parvus_device_remove(h, id);
	id = other(253, 1, NULL, 0);
	is_free("dev-253-0", "rw");
	in_use("blk-2", "rw", "as xvdd");
	parvus_device_remove(h, id);
	id = other(43, 3, NULL, 0);
	in_use("dev-43-3", "rw", "as xvdd");
	parvus_device_remove(h, id);
	id = other(0, 0, NULL, PARVUS_BLOCK_CDROM | PARVUS_BLOCK_READONLY);	/* no medium */
	is_free("a.img", "rw");
	parvus_device_remove(h, id);
}
END_TEST

/* A device of which another program has the number by now is left alone. */
START_TEST(nbd)
{
	struct parvus_backing b = { .fd = -1, .lock = -1, .nbd = 3 };
	char qemu[100], said[100];

	snprintf(qemu, sizeof(qemu), "%s/qemu-nbd", dir);
	snprintf(said, sizeof(said), "%s/said", dir);
	put("qemu-nbd", "#!/bin/sh\necho \"$*\" >>\"$(dirname \"$0\")/said\"\n"
	    "rm -r \"$(dirname \"$0\")/sys/block/nbd3\"\n");
	chmod(qemu, 0755);
	parvus_close(h);
	ck_assert_int_eq(parvus_open(&h, &(struct parvus_options){ .run_dir = dir,
						.qemu_nbd = qemu }, &e), 0);
	put("nbd-3", "");
	put("proc/77/cmdline", "");
	for (int i = 0; i < 5; i++) {
		FILE *f;
		char path[200];

		b = (struct parvus_backing){ .fd = -1, .lock = -1, .nbd = 3 };
		pv_nbd_mark(5, 1000, i == 0 ? 1 : 0, b.mark);
		if (i == 1)
			pv_nbd_mark(5, 1001, 0, b.mark);
		if (i == 2)
			b.mark[0] = 0;
		if (i != 3)
			put("sys/block/nbd3/pid", "77\n");
		snprintf(path, sizeof(path), "%s/proc/77/cmdline", dir);
		f = fopen(path, "w");
		fprintf(f, "qemu-nbd%c--description=parvus-5-1000-0%c--%c/x.qcow2%c", 0, 0, 0, 0);
		fclose(f);
		if (i == 3) {
			snprintf(path, sizeof(path), "rm -r %s/sys/block/nbd3", dir);
			ck_assert_int_eq(system(path), 0);
		}
		parvus_disk_close(h, &b);
		ck_assert_int_eq(b.nbd, -1);
		ck_assert_msg((access(said, F_OK) == 0) == (i == 4), "case %d", i);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("claim");
	TCase *t = tcase_create("claim");
	SRunner *r;
	int failed;

	if (!mkdtemp(dir))
		return 99;
	setenv("PARVUS_FAKE", dir, 1);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, mounted);
	tcase_add_test(t, swap);
	tcase_add_test(t, held);
	tcase_add_test(t, disks);
	tcase_add_test(t, nbd);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	rmdir(dir);
	return failed;
}
