// SPDX-License-Identifier: GPL-2.0-only
/* options.c: words of the command line, what dom0_mem= and dom0_vcpus= make of them, warnings. */
#include "native.h"
#include <boot/boot.h>

#define ALL	GIB(16)

static void line(const char *s)
{
	snprintf(boot_info.cmdline, sizeof(boot_info.cmdline), "%s", s);
}

START_TEST(words)
{
	line("build/parvus.elf debug=1  loglevel=debug debug=calls smt= xsmt=on");
	ck_assert(boot_option_is("loglevel", "debug"));
	ck_assert(!boot_option_is("loglevel", "debu"));
	ck_assert(!boot_option_is("loglevel", "debugs"));
	ck_assert(!boot_option_is("level", "debug"));
	ck_assert(!boot_option_is("log", "debug"));
	/* the last one counts */
	ck_assert(boot_option_is("debug", "calls"));
	ck_assert(!boot_option_is("debug", "1"));
	ck_assert(boot_option_is("smt", ""));
	ck_assert(!boot_option_is("smt", "on"));
	line("");
	ck_assert(!boot_option_is("debug", "1"));
	line("   ");
	ck_assert(!boot_option_is("", ""));
}
END_TEST

static unsigned int warned;

/* Whether @s says something of which the log warns, with @part in it; NULL: it does not. */
static void check(const char *s, const char *part)
{
	line(s);
	boot_options_check();
	ck_assert_msg((native_warnings() > warned) == !!part, "%s: %s", s, native_warning);
	ck_assert_msg(!part || strstr(native_warning, part), "%s: %s", s, native_warning);
	warned = native_warnings();
}

START_TEST(unknown)
{
	check("", NULL);
	check("build/parvus.elf", NULL);
	check("build/parvus.elf debug=1 isolation=kernel loglevel=info reboot=no probe=0", NULL);
	check("debug=calls log=com1 mmu=exact smt=off dom0_mem=1G,max:2G dom0_vcpus=3", NULL);
	check("colour=red", "unknown option: colour=red");
	check("parvus.elf colour=red debug=1", "unknown option: colour=red");
	check("debug=1 parvus.elf", "unknown option: parvus.elf");
	check("debug=1 debug", "unknown option: debug");
	check("debug=2", "unknown option: debug=2");
	check("debug=call", "unknown option: debug=call");
	check("debug=0|1", "unknown option: debug=0|1");
	check("debug=", "unknown option: debug=");
	check("dom0_mem=", "unknown option: dom0_mem=");
	check("dom0_mem", NULL);	/* the image's name, for all we know */
	check("xdebug=1", "unknown option: xdebug=1");
	check("ebug=1", "unknown option: ebug=1");
	/* each by itself */
	line("x one=1 two=2");
	boot_options_check();
	ck_assert(native_logged("unknown option: one=1\n"));
	ck_assert(native_logged("unknown option: two=2\n"));
	ck_assert_uint_eq(native_warnings(), warned + 2);
}
END_TEST

static u64 mem(const char *value)
{
	char s[200];

	snprintf(s, sizeof(s), "parvus.elf debug=1 dom0_mem=%s smt=on", value);
	line(s);
	return boot_dom0_mem(MIB(256), ALL);
}

START_TEST(dom0_mem)
{
	u64 most = ALL / 16 * 15;

	ck_assert_uint_eq(mem("512M"), MIB(512));
	ck_assert_uint_eq(mem("2g"), GIB(2));
	/* Xen's: without a unit it is KiB */
	ck_assert_uint_eq(mem("524288"), MIB(512));
	ck_assert_uint_eq(mem("0x80000"), MIB(512));
	ck_assert_uint_eq(mem("25%"), (ALL / 100 * 25) & PAGE_MASK);
	ck_assert_uint_eq(mem("min:512M"), MIB(512));
	ck_assert_uint_eq(mem("min:128M"), MIB(256));
	ck_assert_uint_eq(mem("max:128M"), MIB(128));
	ck_assert_uint_eq(mem("max:512M"), MIB(256));
	ck_assert_uint_eq(mem("50%,max:1G"), GIB(1));
	ck_assert_uint_eq(mem("min:1G,5%,max:3G"), GIB(1));
	ck_assert_uint_eq(mem("max:25%,8G"), (ALL / 100 * 25) & PAGE_MASK);
	ck_assert_uint_eq(mem("min:3G,max:2G"), GIB(2));
	ck_assert_uint_eq(mem("1G,2G"), GIB(2));
	ck_assert_uint_eq(mem("524287"), MIB(512) - PAGE_SIZE);
	/* of what is there something is left to others */
	ck_assert_uint_eq(mem("100%"), most);
	ck_assert_uint_eq(mem("64G"), most);
	ck_assert_uint_eq(mem("min:64G,max:64G"), most);
	line("dom0_mem=64G");
	ck_assert_uint_eq(boot_dom0_mem(MIB(256), GIB(512)), GIB(64));
	ck_assert_uint_eq(native_warnings(), 0);
	line("");
	ck_assert_uint_eq(boot_dom0_mem(GIB(40), ALL), GIB(40));	/* as it is */
	/* where nothing says how much: a quarter, or 1 GiB, or nearly all */
	ck_assert_uint_eq(boot_dom0_mem(0, ALL), GIB(4));
	ck_assert_uint_eq(boot_dom0_mem(0, GIB(2)), GIB(1));
	ck_assert_uint_eq(boot_dom0_mem(0, MIB(512)), MIB(480));
	ck_assert_uint_eq(boot_dom0_mem(0, GIB(512)), GIB(128));
	line("dom0_mem=max:3G");
	ck_assert_uint_eq(boot_dom0_mem(0, ALL), GIB(3));
	line("dom0_mem=512M");
	ck_assert_uint_eq(boot_dom0_mem(0, ALL), MIB(512));
}
END_TEST

START_TEST(bad_dom0_mem)
{
	static const char *const bad[] = { "lots", "101%", "%", "25k%", "-1", "min:", "max:x",
					   "low:1G", "1.5G", "18446744073709551615", "99999999999G",
					   "max:18446744073709551616" };
	char warning[80];

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		ck_assert_uint_eq(mem(bad[i]), MIB(256));
		snprintf(warning, sizeof(warning), "dom0_mem=%s: not a size", bad[i]);
		ck_assert_msg(strstr(native_warning, warning), "%s: %s", bad[i], native_warning);
		ck_assert_uint_eq(native_warnings(), i + 1);
	}
	/* what is right beside it holds */
	ck_assert_uint_eq(mem("min:x,512M"), MIB(512));
}
END_TEST

START_TEST(numbers)
{
	line("dom0_vcpus=3");
	ck_assert_uint_eq(boot_option_number("dom0_vcpus", 1, 64, 2), 3);
	line("dom0_vcpus=3 dom0_vcpus=64");
	ck_assert_uint_eq(boot_option_number("dom0_vcpus", 1, 64, 2), 64);
	line("");
	ck_assert_uint_eq(boot_option_number("dom0_vcpus", 1, 64, 2), 2);
	ck_assert_uint_eq(native_warnings(), 0);
	line("dom0_vcpus=65");
	ck_assert_uint_eq(boot_option_number("dom0_vcpus", 1, 64, 2), 2);
	ck_assert(strstr(native_warning, "dom0_vcpus=65: not from 1 to 64"));
	line("dom0_vcpus=0");
	ck_assert_uint_eq(boot_option_number("dom0_vcpus", 1, 64, 2), 2);
	line("dom0_vcpus=two");
	ck_assert_uint_eq(boot_option_number("dom0_vcpus", 1, 64, 2), 2);
	ck_assert_uint_eq(native_warnings(), 3);
}
END_TEST

/* Any line, to the last byte of its room: no word of it is longer than it, and it ends. */
START_TEST(random_lines)
{
	static const char *const parts[] = { "dom0_mem", "debug", "=", " ", ",", "|", "%", ":",
					     "min:", "max", "1", "9999999999", "G", "calls", "\t" };
	char s[MAX_CMDLINE * 2];
	unsigned int n, i;

	random_seed(1);
	for (n = 0; n < 20000; n++) {
		s[0] = 0;
		for (i = below(n % 100 ? 16 : 700); i; i--)
			strcat(s, parts[below(ARRAY_SIZE(parts))]);
		line(s);
		boot_options_check();
		EXPECT(boot_dom0_mem(MIB(1), ALL) < ALL, "%s", s);
		boot_option_number("debug", 1, 64, 2);
		boot_option_is("debug", "calls");
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("options");
	TCase *t = tcase_create("options");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, words);
	tcase_add_test(t, unknown);
	tcase_add_test(t, dom0_mem);
	tcase_add_test(t, bad_dom0_mem);
	tcase_add_test(t, numbers);
	tcase_add_test(t, random_lines);
	suite_add_tcase(s, t);
	return native_main(s);
}
