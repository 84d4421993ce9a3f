// SPDX-License-Identifier: GPL-2.0-only
/* parvus mem-set, mem-max: memory of a domain. */
#include "commands.h"

static int memory(struct tool *t, bool max)
{
	struct parvus_control_info i;
	struct json_object *o;
	uint64_t frames;
	int ret;

	if (tool_arguments(t))
		return 1;
	if (!parse_frames(t->args[1], &frames))
		return usage(t, "%s: a size such as 512, 512m or 2g is expected", t->args[1]);
	if (tool_open(t) || tool_domain(t, t->args[0], &i))
		return 1;
	if (i.flags & PARVUS_INFO_CONTROL)
		return fail("domain %u is the control domain: its memory stays %llu MiB", i.domain,
			    (unsigned long long)i.frames >> 8);
	if (!max && frames > i.max_frames)
		return fail("domain %u may have %llu MiB at most (mem-max)", i.domain,
			    (unsigned long long)i.max_frames >> 8);
	if (max && frames < i.frames)
		return fail("domain %u has %llu MiB now: mem-set first", i.domain,
			    (unsigned long long)i.frames >> 8);
	ret = max ? parvus_domain_memory(t->h, i.domain, PARVUS_MEMORY_SET_MAX, frames, 0)
		  : parvus_domain_memory(t->h, i.domain, PARVUS_MEMORY_SET_TARGET, 0, frames);
	if (ret == -ENOMEM)
		return fail("domain %u: %llu MiB are more than what is free and not promised",
			    i.domain, (unsigned long long)frames >> 8);
	if (ret)
		return fail_lib(t);
	if (!t->json)
		return 0;
	if (parvus_domain_info(t->h, i.domain, &i))
		return fail_lib(t);
	o = json_object_new_object();
	add_text(o, "name", name_of(t, &i));
	add_u64(o, "id", i.domain);
	add_u64(o, "memory_kib", i.frames * 4);
	add_u64(o, "target_memory_kib", i.target_frames * 4);
	add_u64(o, "max_memory_kib", i.max_frames * 4);
	return print_json(o);
}

int cmd_mem_set(struct tool *t)
{
	return memory(t, false);
}

int cmd_mem_max(struct tool *t)
{
	return memory(t, true);
}
