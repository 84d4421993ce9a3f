// SPDX-License-Identifier: GPL-2.0-only
/* parvus device-*: devices of classes of one's own; disks and interfaces have other commands. */
#include "ask.h"
#include "commands.h"
#include "show.h"

static int number(struct tool *t, const char *text, uint32_t min, uint32_t *to)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 0);
	*to = (uint32_t)n;
	if (text[0] >= '0' && text[0] <= '9' && !*end && !errno && n >= min && n <= UINT32_MAX)
		return 0;
	return usage(t, "%s: a number from %#x on is expected", text, min);
}

static struct json_object *own_json(const struct parvus_device *d)
{
	struct json_object *o = json_object_new_object();
	char name[PARVUS_CLASS_NAME];

	parvus_class_name(d->device_class, name);
	add_u64(o, "device", d->id);
	add_u64(o, "class", d->device_class);
	add_text(o, "class_name", name);
	add_u64(o, "devid", d->index);
	add_u64(o, "domain", d->front_domain);
	add_u64(o, "backend_domain", d->back_domain);
	add_text(o, "front_state", parvus_device_state_text(d->front_state));
	add_text(o, "back_state", parvus_device_state_text(d->back_state));
	return o;
}

/* Those of one domain, or of all. */
static int collect(struct tool *t, const uint32_t *domain, struct json_object *all)
{
	struct parvus_device d;
	uint32_t at = 0;
	int ret;

	while (!(ret = parvus_device_next(t->h, at, &d))) {
		at = d.id;
		if (d.device_class < PARVUS_CLASS_OWN || (domain && d.front_domain != *domain))
			continue;
		if (t->json)
			json_object_array_add(all, own_json(&d));
		else
			printf("%6u %#10x %5u %6u %-12s %4u %s\n", d.id, d.device_class, d.index,
			       d.front_domain, parvus_device_state_text(d.front_state),
			       d.back_domain, parvus_device_state_text(d.back_state));
	}
	return ret == -ENOENT ? 0 : fail_lib(t);
}

int cmd_device_list(struct tool *t)
{
	struct parvus_control_info i;
	struct json_object *all;
	unsigned int n;
	int ret = 0;

	if (tool_arguments(t) || tool_open(t))
		return 1;
	for (n = 0; n < t->nargs; n++)
		if (tool_domain(t, t->args[n], &i))
			return 1;
	all = json_object_new_array();
	if (!t->json)
		printf("%6s %10s %5s %6s %-12s %4s %s\n", "ID", "Class", "Index", "Domain", "Front",
		       "Back", "State");
	if (!t->nargs)
		ret = collect(t, NULL, all);
	for (n = 0; !ret && n < t->nargs; n++)
		ret = tool_domain(t, t->args[n], &i) ? 1 : collect(t, &i.domain, all);
	if (!ret && t->json)
		return print_json(all);
	json_object_put(all);
	return ret;
}

int cmd_device_attach(struct tool *t)
{
	struct parvus_control_info i;
	struct parvus_device d;
	struct parvus_own own;
	char spec[3000];
	int ret;

	if (tool_arguments(t) || tool_joined(t, spec, sizeof(spec)) || tool_open(t))
		return 1;
	/* here, so that a path is what it is to the caller */
	ret = parvus_own_parse(&t->error, spec, &own) ? fail_lib(t) :
	      tool_domain(t, t->args[0], &i);
	if (!ret)
		ret = monitor_ask(t, &i, "device-attach", own.spec, NULL);
	if (!ret && t->json)
		ret = parvus_device_find(t->h, i.domain, own.device_class, own.index, &d) ?
		      fail_lib(t) : print_json(own_json(&d));
	parvus_own_free(&own);
	return ret;
}

int cmd_device_detach(struct tool *t)
{
	struct parvus_control_info i;
	char class_text[16], index_text[16];
	uint32_t device_class, index = 0;
	struct parvus_device d;
	bool force = false;
	int c, ret;

	while ((c = tool_option(t)) > 0)
		force |= c == 'f';
	if (c < 0 || (t->nargs > 2 && number(t, t->args[2], 0, &index)))
		return 1;
	if (parvus_class_number(&t->error, t->args[1], &device_class))
		return usage(t, "%s", t->error.text);
	if (tool_open(t) || tool_domain(t, t->args[0], &i))
		return 1;
	ret = parvus_device_find(t->h, i.domain, device_class, index, &d);
	if (ret == -ENOENT)
		return fail("domain %u has no device of class %#x with index %u", i.domain,
			    device_class, index);
	if (ret)
		return fail_lib(t);
	snprintf(class_text, sizeof(class_text), "%u", device_class);
	snprintf(index_text, sizeof(index_text), "%u", index);
	if (monitor_ask(t, &i, "device-detach", class_text, index_text,
			force ? "force" : "politely", NULL))
		return 1;
	return t->json ? print_json(own_json(&d)) : 0;
}
