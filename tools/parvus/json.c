// SPDX-License-Identifier: GPL-2.0-only
/* parvus: answers as JSON. */
#include "tool.h"

int print_json(struct json_object *o)
{
	int ret = puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY |
						      JSON_C_TO_STRING_NOSLASHESCAPE));

	json_object_put(o);
	return ret < 0 && !written() ? 1 : 0;	/* main() says why */
}

void add_u64(struct json_object *o, const char *key, uint64_t v)
{
	json_object_object_add(o, key, json_object_new_uint64(v));
}

struct json_object *json_text(const char *v, size_t bytes)
{
	static const char replacement[] = "\xef\xbf\xbd";	/* U+FFFD */
	struct json_object *o;
	char *text = malloc(bytes * 3 + 1);
	size_t at, n, out = 0;

	if (!text)
		return NULL;
	for (at = 0; at < bytes; at += n) {
		n = utf8_character((const unsigned char *)v + at, bytes - at);
		memcpy(text + out, n ? v + at : replacement, n ? n : 3);
		out += n ? n : 3;
		n += !n;
	}
	o = json_object_new_string_len(text, (int)out);
	free(text);
	return o;
}

void add_text(struct json_object *o, const char *key, const char *v)
{
	json_object_object_add(o, key, json_text(v, strlen(v)));
}

void add_bool(struct json_object *o, const char *key, bool v)
{
	json_object_object_add(o, key, json_object_new_boolean(v));
}

struct json_object *domain_json(struct tool *t, const struct parvus_control_info *i,
				const struct parvus_control_machine *m)
{
	static const char *const states[] = { "building", "running", "shutdown", "dying" };
	struct json_object *o = json_object_new_object();
	char letters[7], id[40], name[PARVUS_NAME_BYTES];

	add_text(o, "name", parvus_name(t->h, i, name));
	add_u64(o, "id", i->domain);
	add_text(o, "state", i->state < 4 ? states[i->state] : "unknown");
	add_text(o, "state_letters", state_letters(i, letters));
	add_bool(o, "control", i->flags & PARVUS_INFO_CONTROL);
	add_bool(o, "paused", i->flags & PARVUS_INFO_PAUSED);
	add_bool(o, "running", i->flags & PARVUS_INFO_RUNNING);
	add_bool(o, "blocked", i->flags & PARVUS_INFO_BLOCKED);
	add_bool(o, "waits_for_memory", i->flags & PARVUS_INFO_NO_MEMORY);
	if (i->state == PARVUS_DOMAIN_SHUTDOWN) {
		add_text(o, "reason", parvus_reason_text(i->reason));
		add_u64(o, "status", i->status);
		add_text(o, "why", i->why);
	}
	add_u64(o, "vcpus", i->vcpus);
	add_u64(o, "vcpus_online", i->vcpus_online);
	add_u64(o, "weight", i->weight);
	add_u64(o, "cap", i->cap);
	add_u64(o, "memory_kib", i->frames * 4);
	add_u64(o, "touched_kib", i->touched * 4);
	add_u64(o, "max_memory_kib", i->max_frames * 4);
	add_u64(o, "target_memory_kib", i->target_frames * 4);
	add_u64(o, "overhead_kib", i->overhead_frames * 4);
	add_u64(o, "cpu_time_ns", i->run_ns);
	add_u64(o, "steal_time_ns", stolen_ns(t, i));
	add_u64(o, "created_ns", i->created_ns);
	add_u64(o, "uptime_ns", m->now_ns > i->created_ns ? m->now_ns - i->created_ns : 0);
	add_u64(o, "ports", i->ports);
	add_u64(o, "grants", i->grants);
	add_u64(o, "mappings", i->mappings);
	add_u64(o, "devices", i->devices);
	add_u64(o, "changes", i->changes);
	snprintf(id, sizeof(id), "%016llx%016llx", (unsigned long long)i->generation_id[0],
		 (unsigned long long)i->generation_id[1]);
	add_text(o, "generation_id", id);
	return o;
}
