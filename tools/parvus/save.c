// SPDX-License-Identifier: GPL-2.0-only
/* parvus image-info: what the file of a saved domain holds, and whether it is whole. */
#include "commands.h"
#include "wait.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static void sum_text(const uint8_t sum[32], char text[65])
{
	int i;

	for (i = 0; i < 32; i++)
		snprintf(text + 2 * i, 3, "%02x", sum[i]);
}

/* Its configuration is another machine's: shown, never followed. NULL = it is none. */
static struct parvus_config *config_of(struct tool *t, const struct parvus_stream_info *i)
{
	struct parvus_config *c = NULL;

	if (parvus_config_parse(&t->error, "CONFIG", i->config, i->config_bytes, NULL, 0, &c))
		warning("%s", t->error.text);
	return c;
}

static int show_json(const char *file, const struct parvus_stream_info *i,
		     const struct parvus_config *c)
{
	struct json_object *o = json_object_new_object();
	char sum[65];

	sum_text(i->sha256, sum);
	add_text(o, "file", file);
	add_text(o, "name", c ? c->name : "");
	add_u64(o, "version", i->version);
	add_u64(o, "abi", i->abi);
	add_u64(o, "vcpus", i->vcpus);
	add_u64(o, "gfns", i->gfns);
	add_u64(o, "ram_frames", i->ram_frames);
	add_u64(o, "max_frames", i->max_frames);
	add_u64(o, "target_frames", i->target_frames);
	add_u64(o, "frames", i->frames);
	add_u64(o, "demand_frames", i->demand);
	add_u64(o, "pages", i->pages);
	add_u64(o, "page_bytes", i->page_bytes);
	add_u64(o, "console_bytes", i->console_bytes);
	add_u64(o, "contexts", i->contexts);
	add_u64(o, "passed_over", i->passed_over);
	add_u64(o, "records", i->records);
	add_u64(o, "bytes", i->bytes);
	add_text(o, "sha256", sum);
	json_object_object_add(o, "config", json_text(i->config, i->config_bytes));
	return print_json(o);
}

static int show_text(const char *file, const struct parvus_stream_info *i,
		     const struct parvus_config *c)
{
	char sum[65];

	sum_text(i->sha256, sum);
	printf("file           %s\n", file);
	printf("name           %s\n", c ? c->name : "-");
	printf("format         version %u, ABI %u\n", i->version, i->abi);
	printf("vcpus          %u\n", i->vcpus);
	printf("memory         %llu MiB of %llu at most\n",
	       (unsigned long long)i->target_frames >> 8, (unsigned long long)i->max_frames >> 8);
	printf("frames         %llu, and %llu not touched\n", (unsigned long long)i->frames,
	       (unsigned long long)i->demand);
	printf("pages          %llu in %llu bytes\n", (unsigned long long)i->pages,
	       (unsigned long long)i->page_bytes);
	printf("console        %u bytes\n", i->console_bytes);
	printf("records        %llu in %llu bytes\n", (unsigned long long)i->records,
	       (unsigned long long)i->bytes);
	printf("whole          yes, %s\n", sum);
	return 0;
}

int cmd_image_info(struct tool *t)
{
	struct bar bar = { .what = "image-info", .last = -1 };
	struct parvus_stream_info i;
	struct parvus_config *c;
	const char *name;
	bool in;
	struct stat st;
	int fd, ret;

	if (tool_arguments(t))
		return 1;
	in = !strcmp(t->args[0], "-");
	name = in ? "standard input" : t->args[0];
	fd = in ? 0 : open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return fail("cannot open %s: %s", name[0] ? name : "\"\"", strerror(errno));
	if (fstat(fd, &st))
		ret = fail("%s: %s", name, strerror(errno));
	else if (S_ISDIR(st.st_mode))
		ret = fail("%s is a directory: the file of a saved domain is expected", name);
	else
		ret = 0;
	if (ret) {
		if (!in)
			close(fd);
		return ret;
	}
	bar.quiet = !S_ISREG(st.st_mode);
	catch_signals();
	ret = parvus_stream_check(&t->error, name, fd, bar_progress, &bar, &i) ? 1 : 0;
	bar_end(&bar);
	if (!in)
		close(fd);
	if (ret)
		return fail_lib(t);
	c = config_of(t, &i);
	ret = t->json ? show_json(name, &i, c) : show_text(name, &i, c);
	parvus_config_free(c);
	parvus_stream_free(&i);
	return ret;
}
