// SPDX-License-Identifier: GPL-2.0-only
/* Configurations: the syntax, what keys mean, disks and interfaces, sets of CPUs; good and bad. */
#include "fake.h"
#include "keeper.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BASE "name=\"a\"\nkernel=\"/k\"\n"

static struct parvus_error e;

static struct parvus_config *parse(const char *text)
{
	struct parvus_config *c;
	int ret = parvus_config_parse(&e, "f", text, strlen(text), NULL, 0, &c);

	ck_assert_msg(!ret, "%s: %s", text, e.text);
	return c;
}

#define A32	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A256	A32 A32 A32 A32 A32 A32 A32 A32

/* Fails, and says so: @want is in the text. */
static void bad(const char *text, const char *want)
{
	struct parvus_config *c;
	int ret = parvus_config_parse(&e, "f", text, strlen(text), NULL, 0, &c);

	ck_assert_msg(ret == -EINVAL, "accepted: %s", text);
	ck_assert_ptr_null(c);
	ck_assert_msg(strstr(e.text, want) != NULL, "%s: says \"%s\", not \"%s\"", text,
		      e.text, want);
	ck_assert_ptr_null(strchr(e.text, '\n'));
}

START_TEST(defaults)
{
	struct parvus_config *c = parse(BASE);

	ck_assert_str_eq(c->name, "a");
	ck_assert_str_eq(c->kernel, "/k");
	ck_assert_ptr_null(c->ramdisk);
	ck_assert_ptr_null(c->cmdline);
	ck_assert_uint_eq(c->memory, 256);
	ck_assert_uint_eq(c->maxmem, 256);
	ck_assert_uint_eq(c->vcpus, 1);
	ck_assert_uint_eq(c->maxvcpus, 1);
	ck_assert_uint_eq(c->weight, 256);
	ck_assert_uint_eq(c->cap, 0);
	ck_assert_int_eq(c->on_poweroff, PARVUS_ACTION_DESTROY);
	ck_assert_int_eq(c->on_reboot, PARVUS_ACTION_RESTART);
	ck_assert_int_eq(c->on_crash, PARVUS_ACTION_DESTROY);
	ck_assert(!c->overcommit && !c->ndisks && !c->nvifs && !c->nwarnings);
	ck_assert_uint_eq(c->affinity[0].word[0], 0);
	parvus_config_free(c);
}
END_TEST

START_TEST(syntax)
{
	struct parvus_config *c =
		parse("# a comment\n\n  name = 'web-1.x' ; kernel=\"/k\" # more\r\n"
					"memory\t=\t0x100;;vcpus = 010;\n"
					"cmdline = \"a \\\"b\\\" \\\\ 'c' \\x41\\102\"\n"
					"cpus = [ # in a list\n '0-3,^1' ,\n\n \"2\", 3, ]\n"
					"disk = [ ]\nvif = []\n"
					"memory = 300\n;");

	ck_assert_str_eq(c->name, "web-1.x");
	ck_assert_uint_eq(c->memory, 300);
	ck_assert_uint_eq(c->vcpus, 8);
	ck_assert_str_eq(c->cmdline, "a \"b\" \\ 'c' AB");
	ck_assert_uint_eq(c->affinity[0].word[0], 0xd);
	ck_assert_uint_eq(c->affinity[1].word[0], 4);
	ck_assert_uint_eq(c->affinity[2].word[0], 8);
	ck_assert_uint_eq(c->affinity[3].word[0], 0);
	parvus_config_free(c);
	/* no newline at the end; the other number forms; a number in quotes */
	c = parse(BASE "memory = '512'; cap=0x10");
	ck_assert_uint_eq(c->memory, 512);
	ck_assert_uint_eq(c->cap, 16);
	parvus_config_free(c);
	c = parse(BASE "extra = \"one \"\nextra += \"two\"\nvif = ['']\nvif += [ 'bridge=b', ]");
	ck_assert_str_eq(c->cmdline, "one two");
	ck_assert_uint_eq(c->nvifs, 2);
	parvus_config_free(c);
}
END_TEST

START_TEST(syntax_bad)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "name", "f:1: a setting (key = value)" },
		{ "name =", "f:1: a value is missing" },
		{ "name = \n'a'", "f:1: a value is missing" },
		{ "\n\n= 5", "f:3: a setting" },
		{ "5 = 5", "a setting" },
		{ "name = web", "f:1: a value is a text in quotes" },
		{ "name = 'web", "f:1: a string that does not end" },
		{ "name = 'web\n'", "f:1: a string that does not end" },
		{ "name = 'we\\qb'", "unknown escape" },
		{ "name = 'we\\x4'", "unknown escape" },
		{ "name = 'we\\x00b'", "unknown escape" },
		{ "name = 'we\\777'", "unknown escape" },
		{ "name = 'web\\", "" },
		{ "name = 'a' 'b'", "f:1: more than one value" },
		{ "memory = 12x", "f:1: no number, though it begins as one" },
		{ "memory = 0x", "begins as one" },
		{ "memory = 09", "begins as one" },
		{ "memory = 99999999999999999999", "begins as one" },
		{ "memory = -", "begins as one" },
		{ "disk = [", "f:1: a list without its ]" },
		{ "disk = [ 'a'\n\n", "a list without its ]" },
		{ "disk = [ 'a' 'b' ]", "a comma or ]" },
		{ "disk = [ , ]", "a value is" },
		{ "disk = [[[[[[ 1 ]]]]]]", "more than 4 deep, at: [[ 1" },
		{ "disk = ] ", "a value is" },
		{ "name += 5\nname += 'x'", "f:2: +=" },
		{ "name + 'x'", "a setting" },
		{ "\x01\x02", "a setting" },
		{ "name = 'a' ]", "more than one value" },
	};
	struct parvus_config *c;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		bad(cases[i].text, cases[i].want);
	/* a zero byte is no end */
	ck_assert_int_eq(parvus_config_parse(&e, "f", "name='a\0b'", 10, NULL, 0, &c), -EINVAL);
	ck_assert_int_eq(parvus_config_parse(&e, "f", "\0", 1, NULL, 0, &c), -EINVAL);
}
END_TEST

START_TEST(values_bad)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "kernel='/k'", "f: no name is given" },
		{ "name='a'", "f: no kernel is given" },
		{ "name='a'\nkernel=''", "no kernel is given" },
		{ "name='5'\nkernel='/k'", "f: name:" },
		{ "name='-a'\nkernel='/k'", "f: name:" },
		{ "name='a/b'\nkernel='/k'", "f: name:" },
		{ "name='..'\nkernel='/k'", "f: name:" },
		{ "name='a b'\nkernel='/k'", "f: name:" },
		{ "name=''\nkernel='/k'", "f: name:" },
		{ "name='" A256 "'\nkernel='/k'", "f: name:" },
		{ "name=5", "f:1: name: a text in quotes is expected, not the number 5" },
		{ BASE "ramdisk=[]",
		  "f:3: ramdisk: a text in quotes is expected, not a list of 0" },
		{ BASE "memory=[]",
		  "f:3: memory: a number from 2 to 67108864 is expected, not a list of 0" },
		{ BASE "memory='much'",
		  "f:3: memory: a number from 2 to 67108864 is expected, not the text \"much\"" },
		{ BASE "memory=1", "f:3: memory: a number from 2 to" },
		{ BASE "memory=-5", "f:3: memory: a number from 2 to" },
		{ BASE "memory=0x7fffffffffffffff", "memory: a number from 2 to" },
		{ BASE "memory=64\nmaxmem=32", "maxmem (32) is less than memory (64)" },
		{ BASE "vcpus=0", "vcpus: a number from 1 to 64" },
		{ BASE "vcpus=65", "vcpus: a number from 1 to 64" },
		{ BASE "vcpus=4\nmaxvcpus=2", "maxvcpus (2) is less than vcpus (4)" },
		{ BASE "cpu_weight=0", "cpu_weight: a number from 1 to 65535" },
		{ BASE "cpu_weight=65536", "cpu_weight: a number from 1 to 65535" },
		{ BASE "cap=-1", "cap: a number from 0" },
		{ BASE "cpus='1-'", "f:3: cpus: 1-: not a set of CPUs" },
		{ BASE "cpus=''", "not a set of CPUs" },
		{ BASE "cpus='3-1'", "not a set of CPUs" },
		{ BASE "cpus='256'", "not a set of CPUs" },
		{ BASE "cpus='1,'", "not a set of CPUs" },
		{ BASE "cpus='node:1'", "not a set of CPUs" },
		{ BASE "cpus='1,^1'", "no CPU is left" },
		{ BASE "cpus=[['1']]", "cpus: a set of CPUs such as" },
		{ BASE "on_crash='explode'", "f:3: on_crash: \"destroy\", \"restart\"" },
		{ BASE "on_reboot=1", "f:3: on_reboot:" },
		{ BASE "overcommit=2", "overcommit: a number from 0 to 1" },
		{ BASE "type='hvm'", "f:3: type: \"pv\" is expected" },
		{ BASE "disk='/x,raw,xvda,w'",
		  "f:3: disk: a list of texts is expected, not the text" },
		{ BASE "disk=['/x,,xvda', 5]",
		  "f:3: disk: a list of texts is expected; entry 2 is the number 5" },
		{ BASE "vif=5", "f:3: vif: a list of texts is expected" },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		bad(cases[i].text, cases[i].want);
}
END_TEST

START_TEST(meaning)
{
	struct parvus_config *c = parse(BASE "type='pv'\nroot='/dev/xvda'\nextra='ro quiet'\n"
					"memory=64\nmaxmem=128\nvcpus=2\nmaxvcpus=4\ncpus='all'\n"
					"on_poweroff='preserve'\non_reboot='rename-restart'\n"
					"on_crash='coredump-restart'\novercommit=1\nramdisk='r'\n");
	char cwd[300];

	ck_assert_str_eq(c->cmdline, "root=/dev/xvda ro quiet");
	ck_assert_uint_eq(c->memory, 64);
	ck_assert_uint_eq(c->maxmem, 128);
	ck_assert_uint_eq(c->vcpus, 2);
	ck_assert_uint_eq(c->maxvcpus, 4);
	ck_assert_uint_eq(c->affinity[3].word[0], 0);
	ck_assert_int_eq(c->on_poweroff, PARVUS_ACTION_PRESERVE);
	ck_assert_int_eq(c->on_reboot, PARVUS_ACTION_RENAME_RESTART);
	ck_assert_int_eq(c->on_crash, PARVUS_ACTION_COREDUMP_RESTART);
	ck_assert(c->overcommit);
	ck_assert_ptr_nonnull(getcwd(cwd, sizeof(cwd)));
	ck_assert(c->ramdisk[0] == '/' && !strncmp(c->ramdisk, cwd, strlen(cwd)));
	parvus_config_free(c);
	c = parse(BASE "cmdline='x'\nextra='y'\nfoo=1\nvnc=1\non_watchdog='destroy'");
	ck_assert_str_eq(c->cmdline, "x");
	ck_assert_uint_eq(c->nwarnings, 4);
	ck_assert_str_eq(c->warnings[0], "f:5: foo: unknown key, ignored");
	ck_assert_str_eq(c->warnings[2], "f:7: on_watchdog: means nothing here, ignored");
	parvus_config_free(c);
	c = parse(BASE "maxmem=99\nmaxvcpus=3");
	ck_assert_uint_eq(c->memory, 99);
	ck_assert_uint_eq(c->vcpus, 3);
	parvus_config_free(c);
}
END_TEST

START_TEST(overrides)
{
	char *const good[] = { "name=web", "memory = 64", "vcpus=2;cpus='0-1'", "extra=a=b c",
			       "disk=['/x,raw,xvda,w']", "memory=0x80" };
	char *const wrong[] = { "memory=lots" }, *const broken[] = { "disk=['a'" },
		    *const none[] = { "web" };
	struct parvus_config *c;
	int ret = parvus_config_parse(&e, "f", BASE, strlen(BASE), good, 6, &c);

	ck_assert_msg(!ret, "%s", e.text);
	ck_assert_str_eq(c->name, "web");
	ck_assert_uint_eq(c->memory, 128);
	ck_assert_uint_eq(c->vcpus, 2);
	ck_assert_uint_eq(c->affinity[1].word[0], 3);
	ck_assert_str_eq(c->cmdline, "a=b c");
	ck_assert_uint_eq(c->ndisks, 1);
	parvus_config_free(c);
	ck_assert_int_eq(parvus_config_parse(&e, "f", BASE, strlen(BASE), wrong, 1, &c), -EINVAL);
	ck_assert_str_eq(e.text, "command line: memory: a number from 2 to 67108864 is expected, "
			 "not the text \"lots\"");
	ck_assert_int_eq(parvus_config_parse(&e, "f", BASE, strlen(BASE), broken, 1, &c), -EINVAL);
	ck_assert_int_eq(parvus_config_parse(&e, "f", BASE, strlen(BASE), none, 1, &c), -EINVAL);
}
END_TEST

START_TEST(text_again)
{
	struct parvus_config *c =
		parse(BASE "cmdline=\"a \\\"q\\\" \\\\ \\n x\"\nvcpus=2\ncpus=['0','1-2']\n"
			   "disk=['phy:/dev/x,xvda,w','/a,qcow2,xvdb,ro']\nvif=['bridge=b']\n"
			   "on_crash='preserve'\ncap=50");
	struct parvus_config *d;
	char *a, *b;

	ck_assert_int_eq(parvus_config_text(&e, c, &a), 0);
	d = parse(a);
	ck_assert_int_eq(parvus_config_text(&e, d, &b), 0);
	ck_assert_str_eq(a, b);
	ck_assert_str_eq(c->cmdline, d->cmdline);
	ck_assert_mem_eq(c->affinity, d->affinity, sizeof(c->affinity));
	ck_assert_uint_eq(d->ndisks, 2);
	ck_assert_str_eq(d->disks[1].vdev, "xvdb");
	ck_assert_int_eq(d->on_crash, PARVUS_ACTION_PRESERVE);
	free(a);
	free(b);
	parvus_config_free(c);
	parvus_config_free(d);
}
END_TEST

static struct parvus_disk disk(const char *spec)
{
	struct parvus_disk d = { 0 };
	int ret = pv_disk_parse(&e, "disk", spec, &d);

	ck_assert_msg(!ret, "%s: %s", spec, e.text);
	return d;
}

/* as "target format vdev r|w" */
static void disk_is(const char *spec, const char *want)
{
	struct parvus_disk d = disk(spec);
	char is[200];

	snprintf(is, sizeof(is), "%s %s %s %s%s", d.target ? d.target : "-", d.format, d.vdev,
		 d.readonly ? "r" : "w", d.cdrom ? " cdrom" : "");
	ck_assert_str_eq(is, want);
	pv_disk_free(&d);
}

START_TEST(disks)
{
	static const char *const wrong[] = {
		"", ",", "/x", "/x,raw", "/x,zip,xvda,w", "/x,raw,yvda,w",
		"/x,raw,xvda,x", "/x,raw,xvda,ww", "/x,raw,xvda,rx!", "/x,raw,xvda,w,more",
		"/x,raw,xvd,w", "/x,raw,xvda1234,w", ",raw,xvda,w", "format=raw,vdev=xvda",
		"/x,foo=bar,vdev=xvda", "/x,raw,xvda,w,vdev=xvdb", "vdev=xvda,target=", "/x,vdev=",
		"/x,raw,d,w", "/x,raw,d0p,w", "/x,raw,d99999999999,w", "phy:/x",
		"devtype=tape,vdev=xvda,target=/x", "/x,,,", "target=/x,vdev=xvda" };
	struct parvus_disk d;
	size_t i;

	disk_is("/dev/vg/x,raw,xvda,rw", "/dev/vg/x raw xvda w");
	disk_is("/x,,xvda", "/x raw xvda w");
	disk_is(" /x , qcow2 , xvda1 , ro ", "/x qcow2 xvda1 r");
	disk_is("phy:/dev/x,xvda,w", "/dev/x raw xvda w");
	disk_is("file:/x,hda:cdrom,r", "/x raw hda r cdrom");
	disk_is("vdev=sda,format=vhd,access=r,target=/a,b=c", "/a,b=c vhd sda r");
	disk_is("/x=y.img,raw,xvdb,w", "/x=y.img raw xvdb w");
	disk_is(",,hdc,,cdrom", "- raw hdc r cdrom");
	disk_is("/x,raw,d0p1,!", "/x raw d0p1 w");
	d = disk("backend=disks,script=block-x,backendtype=phy,discard,vdev=xvda,target=/x");
	ck_assert_str_eq(d.backend, "disks");
	ck_assert_str_eq(d.script, "block-x");
	ck_assert(d.discard);
	pv_disk_free(&d);
	for (i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		memset(&d, 0, sizeof(d));
		ck_assert_msg(pv_disk_parse(&e, "disk", wrong[i], &d) == -EINVAL, "accepted: %s",
			      wrong[i]);
		pv_disk_free(&d);
	}
}
END_TEST

START_TEST(vifs)
{
	static const char *const wrong[] = { "bridge", "colour=red", "mac=00:11:22:33:44",
		"mac=00:11:22:33:44:55:66", "mac=00:11:22:33:44:5g", "mac=01:11:22:33:44:55",
		"mac=", "mac=00-11-22-33-44-55", "rate=fast", "rate=10", "rate=10Mb",
		"rate=10Mb/s@", "rate=Mb/s", "rate=99999999999Mb/s", "type=ioemu",
		"bridge=a,bridge=b", "macfilter=2", "macfilter=yes", "macfilter=", "macfilter" };
	static const uint8_t mac[6] = { 0, 0x16, 0x3e, 0xaB, 0xcd, 0xef };
	struct parvus_vif v = { 0 };
	size_t i;

	ck_assert_int_eq(pv_vif_parse(&e, "vif", "mac=00:16:3E:ab:CD:ef, bridge = br0,ip=10.0.0.1,"
				      "vifname=web0,rate=10Mb/s@20ms,type=vif", &v), 0);
	ck_assert(v.has_mac);
	ck_assert_mem_eq(v.mac, mac, 6);
	ck_assert_str_eq(v.bridge, "br0");
	ck_assert_str_eq(v.ip, "10.0.0.1");
	ck_assert_str_eq(v.ifname, "web0");
	pv_vif_free(&v);
	memset(&v, 0, sizeof(v));
	ck_assert_int_eq(pv_vif_parse(&e, "vif", "", &v), 0);
	ck_assert(!v.has_mac && !v.bridge);
	pv_vif_free(&v);
	for (i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		memset(&v, 0, sizeof(v));
		ck_assert_msg(pv_vif_parse(&e, "vif", wrong[i], &v) == -EINVAL, "accepted: %s",
			      wrong[i]);
		pv_vif_free(&v);
	}
}
END_TEST

START_TEST(disk_names)
{
	static const struct {
		const char *vdev;
		int index;
		const char *name;
	} cases[] = {
		{ "xvda", 0, "xvda" }, { "sdb", 1, "xvdb" }, { "hdz", 25, "xvdz" },
		{ "vdaa", 26, "xvdaa" }, { "xvdzz", 701, "xvdzz" }, { "xvdaaa", 702, "xvdaaa" },
		{ "xvdzzz", 18277, "xvdzzz" }, { "d0", 0, "xvda" }, { "d27", 27, "xvdab" },
		{ "xvda1", 1 << 16, "xvda1" }, { "sdb12", 12 << 16 | 1, "xvdb12" },
		{ "d0p2", 2 << 16, "xvda2" }, { "xvdzzz999", 999 << 16 | 18277, "xvdzzz999" },
	};
	static const char *const none[] = {
		"", "x", "xvd", "xvda0", "sd", "d", "d0p", "d0p0", "d0p1000", "d99999", "d1k",
		"xvda01", "xvda1000", "d0q1", "dp1", "xvda-1", "xvda1p1",
		"xvdaaaa", "yvda", "sdA", "hda " };
	char name[16];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		ck_assert_int_eq(parvus_disk_index(cases[i].vdev), cases[i].index);
		parvus_disk_name((uint32_t)cases[i].index, name);
		ck_assert_str_eq(name, cases[i].name);
	}
	for (i = 0; i < sizeof(none) / sizeof(*none); i++)
		ck_assert_int_eq(parvus_disk_index(none[i]), -1);
}
END_TEST

START_TEST(filters)
{
	static const char *const specs[] = { "", "macfilter=0", "macfilter=1" };
	struct parvus_network_config n;
	struct parvus_device d;
	struct parvus_vif v;

	ck_assert_msg(!parvus_vif_parse(&e, "a", specs[_i], 3, &v), "%s", e.text);
	memset(&d, 0xff, sizeof(d));
	parvus_vif_device(&v, &d);
	memcpy(&n, d.config, sizeof(n));
	ck_assert_uint_eq(n.flags, _i == 2 ? PARVUS_NETWORK_MACFILTER : 0);
	/* it is asked to let go, and not: the filter stays */
	pv_detaching(PARVUS_CLASS_NETWORK, d.config, true);
	pv_detaching(PARVUS_CLASS_NETWORK, d.config, false);
	ck_assert_mem_eq(&n, d.config, sizeof(n));
	parvus_vif_free(&v);
}
END_TEST

START_TEST(rates)
{
	static const struct {
		const char *rate;
		uint64_t bytes;
		uint32_t us;
	} cases[] = {
		{ "8Mb/s", 1000000, 0 },
		{ "250KB/s@20ms", 250000, 20000 },
		{ "1GB/s@1s", 1000000000, 1000000 },
		{ "9b/s", 2, 0 },
		{ "1B/s@500us", 1, 500 },
		{ "999999999GB/s", 999999999000000000ull, 0 },
		{ "1Kb/s@10s", 125, 10000000 },
	};
	struct parvus_network_config n;
	struct parvus_device d;
	struct parvus_vif v;
	char spec[64];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(spec, sizeof(spec), "rate=%s", cases[i].rate);
		ck_assert_msg(!parvus_vif_parse(&e, "a", spec, 3, &v), "%s", e.text);
		memset(&d, 0xff, sizeof(d));
		parvus_vif_device(&v, &d);
		memcpy(&n, d.config, sizeof(n));
		ck_assert_uint_eq(n.bytes_per_second, cases[i].bytes);
		ck_assert_uint_eq(n.interval_us, cases[i].us);
		ck_assert_uint_eq(n.version, 1);
		ck_assert_uint_eq(d.index, 3);
		ck_assert_uint_eq(d.config[sizeof(n)], 0);
		parvus_vif_free(&v);
	}
}
END_TEST

/* One that is chosen: the same for the same name and number, another one for others. */
START_TEST(macs)
{
	struct parvus_config *c = parse(BASE "vif=['', 'devid=0', 'mac=02:00:00:00:00:09']"),
			     *again;
	struct parvus_vif v;
	char *text;

	ck_assert_int_eq(c->vifs[0].index, 1);
	ck_assert_int_eq(c->vifs[1].index, 0);
	ck_assert_int_eq(c->vifs[2].index, 2);
	ck_assert_uint_eq(c->vifs[2].mac[5], 9);
	ck_assert_mem_eq(c->vifs[0].mac, "\0\x16\x3e", 3);
	ck_assert(memcmp(c->vifs[0].mac, c->vifs[1].mac, 6) != 0);
	/* a restart under another name keeps it */
	ck_assert_int_eq(parvus_config_text(&e, c, &text), 0);
	*strstr(text, "name = \"a\"") = '#';
	ck_assert_int_eq(parvus_config_parse(&e, "f", text, strlen(text),
					     (char *const[]){ (char *)"name=other" }, 1, &again),
			 0);
	ck_assert_mem_eq(again->vifs[0].mac, c->vifs[0].mac, 6);
	ck_assert_int_eq(again->vifs[0].index, 1);
	free(text);
	ck_assert_int_eq(parvus_vif_parse(&e, "a", "bridge=b", 1, &v), 0);
	ck_assert_mem_eq(v.mac, c->vifs[0].mac, 6);
	parvus_vif_free(&v);
	ck_assert_int_eq(parvus_vif_parse(&e, "b", "bridge=b", 1, &v), 0);
	ck_assert(memcmp(v.mac, c->vifs[0].mac, 6) != 0);
	parvus_vif_free(&v);
	parvus_config_free(c);
	parvus_config_free(again);
}
END_TEST

/* What a disk is in the registry, and that its text is one that gives it again. */
START_TEST(disk_device)
{
	static const char spec[] =
		"vdev=sdc,access=ro!,devtype=cdrom,backendtype=program,no-discard,"
		"queues=4,iops=7,bps=3k,target=/a,b=c";
	struct parvus_backing b = { .fd = -1, .major = 8, .minor = 17, .lock = -1, .nbd = -1 };
	struct parvus_disk d, again;
	struct parvus_block_config c;
	struct parvus_device device;

	ck_assert_msg(!parvus_disk_parse(&e, spec, &d), "%s", e.text);
	memset(&device, 0xff, sizeof(device));
	parvus_disk_device(&d, &b, &device);
	memcpy(&c, device.config, sizeof(c));
	ck_assert_uint_eq(device.device_class, PARVUS_CLASS_BLOCK);
	ck_assert_uint_eq(device.index, 2);
	ck_assert_uint_eq(c.version, 1);
	ck_assert_uint_eq(c.flags, PARVUS_BLOCK_READONLY | PARVUS_BLOCK_CDROM |
					   PARVUS_BLOCK_PROGRAM | PARVUS_BLOCK_NO_DISCARD);
	ck_assert_uint_eq(c.major, 8);
	ck_assert_uint_eq(c.minor, 17);
	ck_assert_uint_eq(c.queues, 4);
	ck_assert_uint_eq(c.iops, 7);
	ck_assert_uint_eq(c.bytes_per_second, 3072);
	ck_assert_str_eq(c.name, "xvdc");
	ck_assert_str_eq(c.file, "/a,b=c");
	ck_assert_uint_eq(c.reserved[0] | c.reserved[1], 0);
	ck_assert_uint_eq(device.config[sizeof(c)], 0);
	ck_assert_int_eq(parvus_disk_text(&e, &d), 0);
	ck_assert_msg(!parvus_disk_parse(&e, d.spec, &again), "%s", e.text);
	ck_assert_int_eq(parvus_disk_text(&e, &again), 0);
	ck_assert_str_eq(d.spec, again.spec);
	ck_assert_str_eq(again.target, "/a,b=c");
	ck_assert(again.shared && again.cdrom && again.readonly && again.program &&
		  again.no_discard);
	ck_assert_uint_eq(again.bps, 3072);
	parvus_disk_free(&d);
	parvus_disk_free(&again);
}
END_TEST

START_TEST(cpus)
{
	static const struct {
		struct parvus_cpus set;
		uint32_t cpus;
		const char *text;
	} cases[] = {
		{ { { 3 } }, 2, "all" }, { { { ~0ull } }, 2, "all" }, { { { 1 } }, 2, "0" },
		{ { { 0xd } }, 8, "0,2-3" }, { { { 1ull << 63 } }, 64, "63" },
		{ { { ~0ull } }, 64, "all" }, { { { 0xf0 } }, 8, "4-7" },
		{ { { 3ull << 62 } }, 64, "62-63" }, { { { ~0ull } }, 65, "0-63" },
		{ { { 1ull << 63, 1 } }, 255, "63-64" },
		{ { { 0, 0, 0, 1ull << 62 } }, 255, "254" },
		{ { { ~0ull, ~0ull, ~0ull, ~0ull >> 1 } }, 255, "all" },
	};
	struct parvus_cpus odd = { { 0x5555555555555555ull, 0x5555555555555555ull,
				     0x5555555555555555ull, 0x5555555555555555ull } }, set;
	char text[600], tiny[4];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		parvus_cpus_text(&cases[i].set, cases[i].cpus, text, sizeof(text));
		ck_assert_str_eq(text, cases[i].text);
		ck_assert_int_eq(parvus_cpus_parse(&e, text, &set), 0);
		if (strcmp(text, "all"))
			ck_assert_mem_eq(&set, &cases[i].set, sizeof(set));
	}
	/* the longest there is fits, and too small a buffer is not overrun */
	parvus_cpus_text(&odd, 256, text, sizeof(text));
	ck_assert_int_eq(parvus_cpus_parse(&e, text, &set), 0);
	ck_assert_mem_eq(&set, &odd, sizeof(set));
	parvus_cpus_text(&odd, 256, tiny, sizeof(tiny));
	ck_assert_uint_lt(strlen(tiny), sizeof(tiny));
	ck_assert_int_ne(parvus_cpus_parse(&e, "256", &set), 0);
	/* those that a machine has */
	ck_assert(parvus_cpus_keep(&odd, 65) && odd.word[1] == 1 && !odd.word[2]);
	odd.word[0] = 0;
	ck_assert(!parvus_cpus_keep(&odd, 64));
	ck_assert_uint_eq(odd.word[1], 0);
}
END_TEST

/* Any text at all: no crash, no leak, an answer. The sanitizers are the judges. */
/* Channels are devices of ours, also when a configuration is read again. */
START_TEST(channels)
{
	static const struct { const char *list, *says; } bad[] = {
		{ "['name=x']", "channel x: it is of the class stream, and has a name" },
		{ "['name=x,connection=pty']", "channel x: it is of the class stream, and has" },
		{ "['connection=pty,path=/x']", "channel \"\": it is of the class stream" },
		{ "['name=,connection=pty,path=/x']", "channel: 1 to 64 letters" },
		{ "['name=../x,connection=pty,path=/x']", "channel: 1 to 64 letters" },
		{ "['name=-x,connection=pty,path=/x']", "channel: 1 to 64 letters" },
		{ "['name=x,connection=tcp,path=/x']", "connection: socket or pty is expected" },
		{ "['name=x,connection=pty,path=']", "path= needs the path of a file" },
		{ "['name=x,backend=y']", "path= are expected, not \"backend=y\"" },
		{ "['x']", "path= are expected, not \"x\"" },
		{ "[7]", "a list of texts is expected" },
		{ "'name=x'", "a list of texts is expected" },
		{ "['name=x,connection=pty,path=/a','name=x,connection=pty,path=/b']",
		  "x is given twice" },
		{ "['name=x,connection=pty,path=/"
		  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa']",
		  "a socket has a path of 107 bytes at most" },
	};
	char text[600], *again;
	struct parvus_config *c;
	struct parvus_device d;
	size_t i;
	int n;

	setenv("PARVUS_LIB_DIR", "/lib", 1);
	n = snprintf(text, sizeof(text), "name='x'\nkernel='/k'\ndevice=['class=0x101']\nchannel="
		     "['name=a.b, connection=socket,path=/run/a b','connection=pty,path=/p,name=c']");
	ck_assert_int_eq(parvus_config_parse(&e, "f", text, (size_t)n, NULL, 0, &c), 0);
	for (i = 0; i < 2; i++) {
		ck_assert_uint_eq(c->nown, 3);
		ck_assert_str_eq(c->own[1].spec, "class=0x5354524d,index=2147483648,channel=a.b,"
				 "connection=socket,path=/run/a b,program=/lib/channel-server");
		ck_assert_uint_eq(c->own[2].index, 0x80000001);
		ck_assert_int_eq(parvus_own_device(&e, &c->own[1], &d), 0);
		ck_assert(!memcmp(d.config, "channel a.b\0socket\0/run/a b\0", 29));
		ck_assert_int_eq(parvus_config_text(&e, c, &again), 0);
		parvus_config_free(c);
		ck_assert_int_eq(parvus_config_parse(&e, "f", again, strlen(again), NULL, 0, &c),
				 0);
		free(again);
	}
	parvus_config_free(c);
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		n = snprintf(text, sizeof(text), "name='x'\nkernel='/k'\nchannel=%s\n",
			     bad[i].list);
		ck_assert(parvus_config_parse(&e, "f", text, (size_t)n, NULL, 0, &c) < 0);
		ck_assert_msg(strstr(e.text, bad[i].says) && !strncmp(e.text, "f:3: ", 5), "%s: %s",
			      bad[i].list, e.text);
	}
}
END_TEST

START_TEST(mutations)
{
	static const char seed[] =
		BASE "memory = 64 ; vcpus=2 # c\ncpus=['0-3,^1', \"2\"]\n"
		     "disk = [ 'phy:/dev/x,xvda,w', 'vdev=sda,format=vhd,target=/a', ]\n"
		     "vif=['mac=00:16:3e:00:00:01,rate=10Mb/s']\nextra += "
		     "\"\\x41\\n\"\non_crash='restart'\n";
	static const char bytes[] = "\"'[]=,;#\\\n \t09axX+-^:\0\xff";
	uint32_t random = 12345;
	unsigned int round, n;
	char text[sizeof(seed)];

	for (round = 0; round < 20000; round++) {
		struct parvus_config *c;
		size_t size = sizeof(seed) - 1;

		memcpy(text, seed, sizeof(seed));
		for (n = 0; n <= round % 5; n++) {
			random = random * 1103515245 + 12345;
			text[(random >> 8) % size] = bytes[(random >> 24) % (sizeof(bytes) - 1)];
		}
		if (round % 3 == 0)
			size = (random >> 4) % size;
		if (!parvus_config_parse(&e, "f", text, size, NULL, 0, &c))
			parvus_config_free(c);
	}
}
END_TEST

/* From a file to devices' configurations and back to text: no handle, no hypervisor. */
START_TEST(no_hypervisor)
{
	char path[] = "/tmp/parvus-unit.XXXXXX", *more[] = { "memory=64" }, *text;
	static const char all[] = BASE "disk=['/d,raw,xvda,w']\nvif=['']\ncpus='0-1'\n";
	const struct parvus_backing backing = { .fd = -1, .lock = -1, .nbd = -1, .major = 8 };
	struct parvus_device device = { 0 };
	struct parvus_config *c;
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, all, sizeof(all) - 1), sizeof(all) - 1);
	close(fd);
	ck_assert_msg(!parvus_config_load(&e, path, more, 1, &c), "%s", e.text);
	ck_assert_uint_eq(c->memory, 64);
	parvus_disk_device(&c->disks[0], &backing, &device);
	ck_assert_uint_eq(device.device_class, PARVUS_CLASS_BLOCK);
	parvus_vif_device(&c->vifs[0], &device);
	ck_assert_int_eq(parvus_config_text(&e, c, &text), 0);
	free(text);
	parvus_config_free(c);
	unlink(path);
	/* nobody wants the text: a failure is a failure all the same */
	ck_assert_int_eq(parvus_config_load(NULL, path, NULL, 0, &c), -ENOENT);
	ck_assert_int_eq(parvus_config_parse(NULL, "f", "=", 1, NULL, 0, &c), -EINVAL);
	ck_assert_int_eq(parvus_config_parse(NULL, "f", BASE "cpus='x'", sizeof(BASE) + 7, NULL, 0,
					     &c),
			 -EINVAL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config");
	TCase *t = tcase_create("config");
	SRunner *r;
	int failed;

	/* nothing here asks a hypervisor: with nowhere to be, one that is a file ends the test */
	setenv("PARVUS_FAKE", "/none/none", 1);
	tcase_set_timeout(t, 100);
	tcase_add_test(t, channels);
	tcase_add_test(t, no_hypervisor);
	tcase_add_test(t, defaults);
	tcase_add_test(t, syntax);
	tcase_add_test(t, syntax_bad);
	tcase_add_test(t, values_bad);
	tcase_add_test(t, meaning);
	tcase_add_test(t, overrides);
	tcase_add_test(t, text_again);
	tcase_add_test(t, disks);
	tcase_add_test(t, vifs);
	tcase_add_test(t, disk_names);
	tcase_add_test(t, rates);
	tcase_add_loop_test(t, filters, 0, 3);
	tcase_add_test(t, macs);
	tcase_add_test(t, disk_device);
	tcase_add_test(t, cpus);
	tcase_add_test(t, mutations);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed;
}
