// SPDX-License-Identifier: GPL-2.0-only
/*
 * guest-boot: menus of GRUB 2 (grub.cfg) and of GRUB before it (menu.lst). grub.cfg is a program;
 * what grub-mkconfig writes into it is taken line by line: entries and submenus with their braces,
 * what they load, and the last word about the default that is none of a single start. All that is
 * read is hostile: what is too long or too much is left out.
 */
#include "menu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS	64u
#define DEPTH	32u

static struct menu_entry entries[MENU_ENTRIES];
static unsigned int used;

struct line {
	char *words[WORDS];
	unsigned int n;
	char text[4096];
};

static void put(char *to, size_t bytes, const char *from)
{
	snprintf(to, bytes, "%s", from);
}

static bool name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

/* "$x" and "${x}" are nothing: what a kernel's name needs is not in them. */
static const char *skip_variable(const char *p)
{
	if (*++p == '{') {
		while (*p && *p != '}' && *p != '\n')
			p++;
		return *p == '}' ? p + 1 : p;
	}
	while (name_char(*p))
		p++;
	return p;
}

/* A line into words, as a shell would. Returns where the next one begins. */
static const char *take_line(const char *p, struct line *l)
{
	char *to = l->text, *end = l->text + sizeof(l->text) - 2;
	bool word = false;
	char quote = 0;

	l->n = 0;
	while (*p && (quote || *p != '\n')) {
		char c = *p;

		if (!quote && c == '#' && !word) {
			while (*p && *p != '\n')
				p++;
			break;
		}
		if (!quote && (c == ' ' || c == '\t' || c == '\r' || c == ';')) {
			if (word && to < end)
				*to++ = 0;
			word = false;
			p++;
			continue;
		}
		if (!word) {
			if (l->n == WORDS || to >= end)
				break;
			l->words[l->n++] = to;
			word = true;
		}
		if (quote ? c == quote : c == '\'' || c == '"') {
			quote = quote ? 0 : c;
			p++;
			continue;
		}
		if (c == '$' && quote != '\'') {
			p = skip_variable(p);
			continue;
		}
		if (c == '\\' && quote != '\'' && p[1]) {
			p++;
			c = *p;
		}
		if (to < end)
			*to++ = c;
		p++;
	}
	*to = 0;
	while (*p && *p != '\n')
		p++;
	return *p ? p + 1 : p;
}

/* "(hd0,msdos1)/boot/x" is "/boot/x": there is one file system. */
static void put_path(char *to, const char *from)
{
	const char *close = *from == '(' ? strchr(from, ')') : NULL;

	put(to, MENU_PATH, close ? close + 1 : from);
}

static void put_args(char *to, const struct line *l, unsigned int first)
{
	size_t have = 0;
	unsigned int i;

	to[0] = 0;
	for (i = first; i < l->n && have < MENU_ARGS; i++)
		if (l->words[i][0])
			have += (size_t)snprintf(to + have, MENU_ARGS - have, "%s%s",
						 have ? " " : "", l->words[i]);
}

static bool begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

/* What an entry loads. Of Xen's entries the modules count: kernel, then ramdisk. */
static void load(struct menu_entry *e, const struct line *l)
{
	const char *what = l->words[0];
	unsigned int at = 1;

	while (at < l->n && l->words[at][0] == '-')
		at++;
	if (at >= l->n)
		return;
	if (begins(what, "module")) {
		if (!e->kernel[0]) {
			put_path(e->kernel, l->words[at++]);
			at += at < l->n && !strcmp(l->words[at], "placeholder");
			put_args(e->args, l, at);
		} else if (!e->ramdisk[0]) {
			put_path(e->ramdisk, l->words[at]);
		}
	} else if (begins(what, "initrd")) {
		/* microcode comes before it, and is of no use to a domain */
		put_path(e->ramdisk, l->words[l->n - 1]);
	} else if (begins(what, "linux") || !strcmp(what, "kernel")) {
		const char *name = strrchr(l->words[at], '/');

		if (begins(name ? name + 1 : l->words[at], "xen"))
			return;
		put_path(e->kernel, l->words[at]);
		put_args(e->args, l, at + 1);
	}
}

static int add(const struct line *l, int parent)
{
	struct menu_entry *e;
	unsigned int i;

	if (used == MENU_ENTRIES)
		return -1;
	e = &entries[used];
	memset(e, 0, sizeof(*e));
	e->parent = parent;
	put(e->title, sizeof(e->title), l->n > 1 ? l->words[1] : "");
	/* "$menuentry_id_option" has become an empty word */
	for (i = 2; i + 1 < l->n; i++)
		if (!strcmp(l->words[i], "--id") || !l->words[i][0])
			put(e->id, sizeof(e->id), l->words[i + 1]);
	return (int)used++;
}

static void saved_entry(const char *env, char *to)
{
	const char *p = env;

	put(to, MENU_TITLE, "0");
	while (p && *p) {
		if (begins(p, "saved_entry=")) {
			size_t n = strcspn(p + 12, "\n");

			if (n && n < MENU_TITLE) {
				memcpy(to, p + 12, n);
				to[n] = 0;
			}
		}
		p = strchr(p, '\n');
		p = p ? p + 1 : NULL;
	}
}

/* The entries, and what is said of the default. */
static void read_grub(const char *text, const char *env, char *wanted)
{
	int stack[DEPTH], current = -1, parent = -1, made;
	unsigned int depth = 0;
	static struct line l;
	const char *p = text, *from;

	while (*p) {
		from = p;
		p = take_line(p, &l);
		if (!l.n)
			continue;
		if (!strcmp(l.words[0], "set") && l.n > 1 && begins(l.words[1], "default=")) {
			char raw[200];

			snprintf(raw, sizeof(raw), "%.*s", (int)strcspn(from, "\n"), from);
			if (strstr(raw, "saved_entry"))
				saved_entry(env, wanted);
			else if (l.words[1][8])
				put(wanted, MENU_TITLE, l.words[1] + 8);
			continue;
		}
		if (!strcmp(l.words[l.n - 1], "{")) {
			made = -1;
			if (!strcmp(l.words[0], "menuentry"))
				made = current = add(&l, parent);
			else if (!strcmp(l.words[0], "submenu"))
				made = parent = add(&l, parent);
			if (depth == DEPTH)
				return;
			/* what a brace ends: an entry, a submenu (below -1), or nothing of these */
			stack[depth++] = made < 0 ? -1 : made == current ? made : -2 - made;
		} else if (!strcmp(l.words[0], "}") && depth) {
			made = stack[--depth];
			if (made >= 0)
				current = -1;
			else if (made < -1)
				parent = entries[-2 - made].parent;
		} else if (current >= 0) {
			load(&entries[current], &l);
		}
	}
}

static void read_legacy(const char *text, char *wanted)
{
	struct menu_entry *e = NULL;
	static struct line l;
	const char *p = text;

	while (*p) {
		char *equals;

		p = take_line(p, &l);
		if (!l.n)
			continue;
		equals = strchr(l.words[0], '=');
		if (begins(l.words[0], "default")) {
			const char *value = equals ? equals + 1 : l.n > 1 ? l.words[1] : "";

			put(wanted, MENU_TITLE, *value >= '0' && *value <= '9' ? value : "0");
		} else if (!strcmp(l.words[0], "title")) {
			int n = add(&l, -1);

			e = n < 0 ? NULL : &entries[n];
			if (e) {
				put_args(e->args, &l, 1);
				memcpy(e->title, e->args, sizeof(e->title) - 1);
				e->args[0] = 0;
			}
		} else if (e) {
			load(e, &l);
		}
	}
}

/* Of those in @parent: by number, title or id. */
static int find(const char *name, size_t n, int parent)
{
	char text[MENU_TITLE], *end;
	unsigned long number;
	unsigned int i;

	if (!n || n >= sizeof(text))
		return -1;
	memcpy(text, name, n);
	text[n] = 0;
	number = strtoul(text, &end, 10);
	for (i = 0; i < used; i++) {
		if (entries[i].parent != parent)
			continue;
		if (*end ? !strcmp(entries[i].title, text) || !strcmp(entries[i].id, text) :
		    !number--)
			return (int)i;
	}
	return -1;
}

/* The first that loads a kernel, in @parent or anywhere (-2). */
static const struct menu_entry *first(int parent)
{
	unsigned int i;

	for (i = 0; i < used; i++)
		if (entries[i].kernel[0] && (parent == -2 || entries[i].parent == parent))
			return &entries[i];
	return NULL;
}

const struct menu_entry *menu_choose(const char *text, const char *env, const char *wanted,
				     bool legacy)
{
	const struct menu_entry *e;
	char chosen[MENU_TITLE] = "0";
	const char *p;
	int at = -1;

	used = 0;
	if (legacy)
		read_legacy(text, chosen);
	else
		read_grub(text, env, chosen);
	/* "1>2": in the submenu that is the second, the third */
	for (p = wanted ? wanted : chosen; *p; ) {
		size_t n = strcspn(p, ">");
		int next = find(p, n, at);

		if (next < 0)
			break;
		at = next;
		p += n + (p[n] == '>');
	}
	if (at >= 0 && entries[at].kernel[0])
		return &entries[at];
	e = at >= 0 ? first(at) : NULL;
	return e || wanted ? e : first(-2);
}
