// SPDX-License-Identifier: GPL-2.0-only
/*
 * The state of a monitor (docs/monitor-state.md): what is written is read again, all of it; a file
 * of another version, cut anywhere, edited or full of garbage is refused by one line that says what
 * was expected, and leaves nothing behind.
 */
#include "fake.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct parvus_error e;

/* The example of the document, word for word. */
static const char example[] =
	"parvus-state 1\n"
	"domain 3\n"
	"created_ns 81726354\n"
	"console_ref 8\n"
	"console_port 5\n"
	"devices_made 1\n"
	"ended 0\n"
	"quick_ends 2\n"
	"devices 3\n"
	"block 0 id 11 nbd -\n"
	"block 2 id 12 nbd 4\n"
	"network 0 id 13 nbd -\n"
	"config 318\n"
	"name = \"web\"\n"
	"kernel = \"/boot/vmlinuz\"\n"
	"memory = 256\n"
	"maxmem = 256\n"
	"vcpus = 1\n"
	"maxvcpus = 1\n"
	"cpu_weight = 256\n"
	"cap = 0\n"
	"overcommit = 0\n"
	"on_poweroff = \"destroy\"\n"
	"on_reboot = \"restart\"\n"
	"on_crash = \"destroy\"\n"
	"disk = [\n"
	"\t\"/srv/a.img,raw,xvda,rw\",\n"
	"\t\"/srv/c.qcow2,qcow2,xvdc,rw\",\n"
	"]\n"
	"vif = [\n"
	"\t\"bridge=br0,mac=00:16:3e:01:02:03,devid=0\",\n"
	"]\n"
	"end\n";

static int parse(const char *text, size_t n, struct parvus_state *s)
{
	/* a buffer of its own, so that the sanitizer sees every byte beyond */
	char *copy = malloc(n ? n : 1);
	int ret;

	memcpy(copy, text, n);
	e.text[0] = 0;
	ret = parvus_state_parse(&e, "state", copy, n, s);
	free(copy);
	return ret;
}

static void bad(const char *text, int code, const char *want)
{
	struct parvus_state s;

	ck_assert_msg(parse(text, strlen(text), &s) == -code, "accepted, or another error (%s): %s",
		      e.text, text);
	ck_assert_msg(strstr(e.text, want) != NULL, "says \"%s\", not \"%s\"", e.text, want);
	ck_assert_ptr_null(strchr(e.text, '\n'));
	ck_assert_ptr_null(s.config);
}

/* The example with @from replaced by @to. */
static const char *with(const char *from, const char *to)
{
	static char text[3000];
	const char *at = strstr(example, from);

	ck_assert_ptr_nonnull(at);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - example), example, to,
		 at + strlen(from));
	return text;
}

START_TEST(whole)
{
	struct parvus_state s;
	size_t bytes;
	char *text;

	ck_assert_msg(!parse(example, strlen(example), &s), "%s", e.text);
	ck_assert_uint_eq(s.domain, 3);
	ck_assert_uint_eq(s.created_ns, 81726354);
	ck_assert_uint_eq(s.console_ref, 8);
	ck_assert_uint_eq(s.console_port, 5);
	ck_assert(s.devices_made && !s.ended);
	ck_assert_uint_eq(s.quick_ends, 2);
	ck_assert_uint_eq(s.ndevices, 3);
	ck_assert_uint_eq(s.devices[0].device_class, PARVUS_CLASS_BLOCK);
	ck_assert_uint_eq(s.devices[1].index, 2);
	ck_assert_uint_eq(s.devices[1].id, 12);
	ck_assert_int_eq(s.devices[1].nbd, 4);
	ck_assert_uint_eq(s.devices[2].device_class, PARVUS_CLASS_NETWORK);
	ck_assert_int_eq(s.devices[2].nbd, -1);
	ck_assert_str_eq(s.config->name, "web");
	ck_assert_uint_eq(s.config->ndisks, 2);
	ck_assert_uint_eq(s.config->nvifs, 1);
	/* what is written is what was read, to the byte */
	ck_assert_int_eq(parvus_state_text(&e, &s, &text, &bytes), 0);
	ck_assert_uint_eq(bytes, strlen(text));
	ck_assert_str_eq(text, example);
	free(text);
	parvus_state_free(&s);
	ck_assert_ptr_null(s.config);
}
END_TEST

START_TEST(cut)
{
	struct parvus_state s;
	size_t n;

	for (n = 0; n < strlen(example); n++) {
		ck_assert_msg(parse(example, n, &s) < 0, "accepted with %zu bytes", n);
		ck_assert_ptr_null(s.config);
		ck_assert_ptr_null(strchr(e.text, '\n'));
	}
	bad("", EINVAL, "not the state of a monitor");
	bad("parvus-state 1\n", EINVAL, "cut short");
	bad("parvus-state 1\ndomain 3\n", EINVAL, "cut short");
}
END_TEST

START_TEST(versions)
{
	bad(with("parvus-state 1\n", "parvus-state 2\n"), ENOTSUP,
	    "state: of version 2, and version 1 is known here");
	bad(with("parvus-state 1\n", "parvus-state 0\n"), ENOTSUP, "of version 0");
	/* what follows need not be of a form that is known here */
	bad("parvus-state 7\n{ \"domain\": 3 }\n", ENOTSUP, "of version 7");
	bad(with("parvus-state 1\n", ""), EINVAL, "not the state of a monitor");
	bad(with("parvus-state 1\n", "parvus-state 01\n"), EINVAL, "not the state of a monitor");
	bad(with("parvus-state 1\n", "parvus-state one\n"), EINVAL, "not the state of a monitor");
	/* the files of monitors before there were versions */
	bad("created_ns=5000\nconsole_ref=8\nconsole_port=5\n", EINVAL,
	    "not the state of a monitor");
}
END_TEST

START_TEST(garbage)
{
	static const struct {
		const char *from, *to, *want;
	} cases[] = {
		{ "domain 3\n", "", "state:2: \"domain NUMBER\" is expected" },
		{ "domain 3", "domain -3", "state:2: \"domain NUMBER\"" },
		{ "domain 3", "domain 3 ", "state:2: \"domain NUMBER\"" },
		{ "domain 3", "domain 03", "state:2: \"domain NUMBER\"" },
		{ "domain 3", "domain 4294967295", "state:2: \"domain NUMBER\"" },
		{ "domain 3", "domain  3", "state:2: \"domain NUMBER\"" },
		{ "created_ns 81726354", "created_ns 99999999999999999999",
		  "state:3: \"created_ns" },
		{ "console_port 5", "console_port ", "state:5: \"console_port" },
		{ "devices_made 1", "devices_made 2", "state:6: \"devices_made" },
		{ "devices_made 1\nended 0\n", "ended 0\ndevices_made 1\n",
		  "state:6: \"devices_made" },
		{ "ended 0", "ended yes", "state:7: \"ended" },
		{ "devices 3", "devices 257", "state:9: \"devices" },
		{ "devices 3", "devices 2", "state:12: \"config NUMBER\" is expected" },
		{ "devices 3", "devices 4", "state:13: \"block|network|own CLASS INDEX" },
		{ "block 2 id", "tape 2 id", "state:11: \"block|network|own CLASS INDEX" },
		{ "block 2 id 12 nbd 4", "block 2 id 12",
		  "state:11: \"block|network|own CLASS INDEX" },
		{ "block 2 id 12 nbd 4", "block 2 id 12 nbd 4 5",
		  "state:11: \"block|network|own CLASS INDEX" },
		{ "block 2 id", "block 0 id", "state:11: the same device twice" },
		{ "config 318", "config 3180", "cut short" },
		{ "config 318", "config 319", "state" },
		{ "config 318", "config 317", "state" },
		{ "end\n", "fin\n", "\"end\" is expected" },
		{ "end\n", "end\nend\n", "\"end\" is expected" },
		{ "memory = 256", "memory = x56", "state:3: " },
	};
	uint32_t random = 7;
	struct parvus_state s;
	char noise[sizeof(example)];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		bad(with(cases[i].from, cases[i].to), EINVAL, cases[i].want);
	/* any byte may be another: refused or not, but nothing else happens */
	for (i = 0; i < 3000; i++) {
		memcpy(noise, example, sizeof(noise));
		random = random * 1103515245 + 12345;
		noise[(random >> 8) % strlen(example)] = (char)(random >> 24);
		if (!parse(noise, strlen(example), &s))
			parvus_state_free(&s);
	}
	memset(noise, 0xff, sizeof(noise));
	ck_assert_int_eq(parse(noise, sizeof(noise), &s), -EINVAL);
	memset(noise, 0, sizeof(noise));
	ck_assert_int_eq(parse(noise, sizeof(noise), &s), -EINVAL);
}
END_TEST

/* The document shows what the library writes. */
START_TEST(document)
{
	char *text = calloc(1, 32768), *line, *next, *copy = strdup(example);
	FILE *f = fopen("docs/monitor-state.md", "re");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_gt(fread(text, 1, 32767, f), 1000);
	fclose(f);
	for (line = copy; *line; line = next) {
		char indented[100];

		next = strchr(line, '\n') + 1;
		snprintf(indented, sizeof(indented), "\n    %.*s\n", (int)(next - line - 1), line);
		ck_assert_msg(strstr(text, indented) != NULL, "not in docs/monitor-state.md:%s",
			      indented);
	}
	free(copy);
	free(text);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("state");
	TCase *t = tcase_create("state");
	SRunner *r;
	int failed;

	/* no hypervisor is asked for anything here: there is none */
	unsetenv("PARVUS_FAKE");
	tcase_set_timeout(t, 60);
	tcase_add_test(t, whole);
	tcase_add_test(t, cut);
	tcase_add_test(t, versions);
	tcase_add_test(t, garbage);
	tcase_add_test(t, document);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed;
}
