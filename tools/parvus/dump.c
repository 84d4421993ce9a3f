// SPDX-License-Identifier: GPL-2.0-only
/* parvus dump-core: a core file, whole or not at all. A running domain is paused meanwhile. */
#include "commands.h"
#include "wait.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

const struct option_text dump_options[] = {
	{ 0 },
};

int cmd_dump_core(struct tool *t)
{
	struct bar bar = { .what = "dump-core", .last = -1 };
	struct parvus_control_info i;
	struct json_object *o;
	bool paused = false;
	struct stat st;
	char *new;
	int fd, ret;

	if (tool_arguments(t) || tool_open(t) || tool_domain(t, t->args[0], &i))
		return 1;
	if (i.flags & PARVUS_INFO_CONTROL)
		return fail("domain %u is the control domain, which cannot dump itself", i.domain);
	if (!stat(t->args[1], &st) && !S_ISREG(st.st_mode))
		return fail("%s: a regular file is expected", t->args[1]);
	if (asprintf(&new, "%s.new-%d", t->args[1], (int)getpid()) < 0)
		return fail("no memory");
	fd = open(new, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		ret = fail("cannot write %s: %s", new, strerror(errno));
		free(new);
		return ret;
	}
	catch_signals();
	ret = 0;
	if (i.state == PARVUS_DOMAIN_RUNNING && !(i.flags & PARVUS_INFO_PAUSED)) {
		ret = parvus_domain_pause(t->h, i.domain) ? fail_lib(t) : 0;
		paused = !ret;
	}
	if (!ret && parvus_core_write(t->h, i.domain, fd, bar_progress, &bar)) {
		bar_end(&bar);
		ret = fail_lib(t);
	}
	bar_end(&bar);
	if (paused && parvus_domain_unpause(t->h, i.domain))
		ret = fail_lib(t);
	if (!ret && (fsync(fd) || rename(new, t->args[1])))
		ret = fail("cannot write %s: %s", t->args[1], strerror(errno));
	if (!ret && fstat(fd, &st))
		ret = fail("%s: %s", t->args[1], strerror(errno));
	if (ret)
		unlink(new);
	close(fd);
	free(new);
	if (ret || !t->json)
		return ret;
	o = json_object_new_object();
	add_text(o, "name", name_of(t, &i));
	add_u64(o, "id", i.domain);
	add_text(o, "file", t->args[1]);
	add_u64(o, "bytes", (uint64_t)st.st_size);
	add_u64(o, "bytes_on_disk", (uint64_t)st.st_blocks * 512);
	return print_json(o);
}
