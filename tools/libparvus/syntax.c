// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libparvus: the syntax of configuration files, that of xl.cfg (a subset of Python's):
 *
 *	settings = { [ KEY ("=" | "+=") value ] (newline | ";") }
 *	value    = STRING | NUMBER | "[" [ value { "," value } [ "," ] ] "]"
 *
 * Strings stand in ' or " and know \-escapes, numbers are decimal, octal (0...) or hex, "#"
 * begins a comment, newlines in a list mean nothing. A key that is set again has its last value.
 */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SETTINGS	1024u
#define MAX_ITEMS	1024u
#define MAX_DEPTH	4u
#define MAX_TEXT	(1u << 20)

struct parser {
	struct parvus_error *error;
	const char *file, *at, *end;
	unsigned int line;
	bool loose;
};

#define SHOWN	40	/* bytes of a line, in a message */

/* @what is wrong, at @from: what stands there is shown, to the end of the line. */
static int wrong_at(struct parser *p, const char *from, const char *what)
{
	size_t left = from < p->end ? (size_t)(p->end - from) : 0, n = 0;
	char place[300], there[SHOWN + 1];

	while (n < left && n < SHOWN && from[n] && from[n] != '\n')
		n++;
	memcpy(there, from, n);
	there[n] = 0;
	if (p->line)
		snprintf(place, sizeof(place), "%s:%u", p->file, p->line);
	else
		snprintf(place, sizeof(place), "%s", p->file);
	return pv_fail(p->error, EINVAL, n ? "%s: %s, at: %s" : "%s: %s, at the end of the line%s",
		       place, what, there);
}

static int wrong(struct parser *p, const char *what)
{
	return wrong_at(p, p->at, what);
}

static int no_memory(struct parser *p)
{
	return pv_fail(p->error, ENOMEM, "%s: no memory", p->file);
}

static int peek(const struct parser *p)
{
	return p->at < p->end ? (unsigned char)*p->at : -1;
}

/* Blanks and comments; newlines too if @lines. */
static void skip(struct parser *p, bool lines)
{
	for (; p->at < p->end; p->at++) {
		if (*p->at == '#') {
			while (p->at < p->end && *p->at != '\n')
				p->at++;
			if (p->at == p->end)
				return;
		}
		if (*p->at == '\n') {
			if (!lines)
				return;
			if (p->line)
				p->line++;
		} else if (*p->at != ' ' && *p->at != '\t' && *p->at != '\r') {
			return;
		}
	}
}

static bool word(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-' || c == '.';
}

static void value_free(struct cfg_value *v)
{
	size_t i;

	for (i = 0; i < v->n; i++)
		value_free(&v->items[i]);
	free(v->items);
	free(v->text);
}

void cfg_free(struct cfg *cfg)
{
	size_t i;

	for (i = 0; i < cfg->n; i++) {
		free(cfg->settings[i].key);
		value_free(&cfg->settings[i].value);
	}
	free(cfg->settings);
	memset(cfg, 0, sizeof(*cfg));
}

static int hex(int c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 :
	       c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Behind a backslash. The character, or -1. */
static int escape(struct parser *p)
{
	int c = peek(p), n, i;

	p->at++;
	switch (c) {
	case '\\': case '\'': case '"':
		return c;
	case 'n':
		return '\n';
	case 't':
		return '\t';
	case 'r':
		return '\r';
	case 'a':
		return '\a';
	case 'b':
		return '\b';
	case 'f':
		return '\f';
	case 'v':
		return '\v';
	case 'x':
		for (i = n = 0; i < 2; i++, p->at++) {
			if (hex(peek(p)) < 0)
				return -1;
			n = n * 16 + hex(peek(p));
		}
		return n;
	case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7':
		for (n = c - '0', i = 0; i < 2 && peek(p) >= '0' && peek(p) <= '7'; i++)
			n = n * 8 + (*p->at++ - '0');
		return n < 256 ? n : -1;
	default:
		return -1;
	}
}

static int string(struct parser *p, struct cfg_value *v)
{
	int quote = *p->at++, c;
	const char *from = p->at - 1, *close = p->at;
	size_t n = 0;

	/* no longer than what is there up to the end of the line */
	while (close < p->end && *close != '\n')
		close++;
	v->kind = CFG_STRING;
	v->text = malloc((size_t)(close - p->at) + 1);
	if (!v->text)
		return no_memory(p);
	for (;;) {
		c = peek(p);
		if (c < 0 || c == '\n')
			return wrong_at(p, from, "a string that does not end on its line");
		p->at++;
		if (c == quote)
			break;
		if (c == '\\') {
			c = escape(p);
			if (c <= 0)
				return wrong_at(p, from, "an unknown escape (\\...) in a string");
		}
		if (!c)
			return wrong_at(p, from, "a zero byte in a string");
		v->text[n++] = (char)c;
	}
	v->text[n] = 0;
	return 0;
}

static int number(struct parser *p, struct cfg_value *v)
{
	const char *from = p->at;
	char *end;
	size_t n;

	if (*p->at == '-' || *p->at == '+')
		p->at++;
	while (word(peek(p)) && *p->at != '-')
		p->at++;
	n = (size_t)(p->at - from);
	v->kind = CFG_NUMBER;
	v->text = strndup(from, n);
	if (!v->text)
		return no_memory(p);
	errno = 0;
	v->number = strtoll(v->text, &end, 0);
	if (errno || *end || end == v->text)
		return wrong_at(p, from,
				"no number, though it begins as one (a text needs quotes)");
	return 0;
}

static int value(struct parser *p, struct cfg_value *v, unsigned int depth)
{
	int c, ret;

	skip(p, false);
	c = peek(p);
	v->line = p->line;
	if (c == '"' || c == '\'')
		return string(p, v);
	if ((c >= '0' && c <= '9') || c == '-' || c == '+')
		return number(p, v);
	if (c != '[')
		return wrong(p, c < 0 || c == '\n' || c == ';' ? "a value is missing" :
			     "a value is a text in quotes, a number, or a list in [ ]");
	if (depth == MAX_DEPTH)
		return wrong(p, "lists in lists, more than 4 deep");
	v->kind = CFG_LIST;
	p->at++;
	for (;;) {
		struct cfg_value *more;

		skip(p, true);
		c = peek(p);
		if (c == ']')
			break;
		if (c < 0)
			return wrong(p, "a list without its ]");
		if (v->n == MAX_ITEMS)
			return wrong(p, "a list of more than 1024 values");
		more = realloc(v->items, (v->n + 1) * sizeof(*more));
		if (!more)
			return no_memory(p);
		v->items = more;
		memset(&v->items[v->n], 0, sizeof(*more));
		ret = value(p, &v->items[v->n++], depth + 1);
		if (ret)
			return ret;
		skip(p, true);
		c = peek(p);
		if (c == ',')
			p->at++;
		else if (c != ']')
			return wrong(p, c < 0 ? "a list without its ]" :
				     "a comma or ] is missing in a list");
	}
	p->at++;
	return 0;
}

/* name=web: the shell took the quotes. Up to the next ";"; a number if it is one. */
static int unquoted(struct parser *p, struct cfg_value *v)
{
	const char *from = p->at;
	size_t n;
	char *end;

	while (p->at < p->end && *p->at != ';' && *p->at != '\n')
		p->at++;
	for (n = (size_t)(p->at - from); n && (from[n - 1] == ' ' || from[n - 1] == '\t'); n--)
		;
	v->text = strndup(from, n);
	if (!v->text)
		return no_memory(p);
	errno = 0;
	v->number = strtoll(v->text, &end, 0);
	v->kind = n && !errno && !*end ? CFG_NUMBER : CFG_STRING;
	return 0;
}

static struct cfg_setting *setting(struct cfg *cfg, const char *key)
{
	size_t i;

	for (i = 0; i < cfg->n; i++)
		if (!strcmp(cfg->settings[i].key, key))
			return &cfg->settings[i];
	return NULL;
}

/* old += more: texts and lists only. Takes more's contents. */
static int append(struct parser *p, struct cfg_value *old, struct cfg_value *more)
{
	if (old->kind == CFG_STRING && more->kind == CFG_STRING) {
		size_t a = strlen(old->text), b = strlen(more->text);
		char *text = realloc(old->text, a + b + 1);

		if (!text)
			return no_memory(p);
		memcpy(text + a, more->text, b + 1);
		old->text = text;
		return 0;
	}
	if (old->kind == CFG_LIST && more->kind == CFG_LIST) {
		struct cfg_value *items;

		if (old->n + more->n > MAX_ITEMS)
			return wrong(p, "a list of more than 1024 values");
		if (!more->n)
			return 0;
		items = realloc(old->items, (old->n + more->n) * sizeof(*items));
		if (!items)
			return no_memory(p);
		memcpy(items + old->n, more->items, more->n * sizeof(*items));
		old->items = items;
		old->n += more->n;
		more->n = 0;
		return 0;
	}
	return wrong(p, "+= joins two texts or two lists, and here are others");
}

static int assignment(struct parser *p, struct cfg *cfg)
{
	const char *from = p->at;
	struct cfg_value v = { .kind = CFG_STRING };
	struct cfg_setting *s;
	bool more = false;
	char *key;
	int ret;

	while (word(peek(p)))
		p->at++;
	if (p->at == from || (*from >= '0' && *from <= '9'))
		return wrong_at(p, from, "a setting (key = value) is expected");
	key = strndup(from, (size_t)(p->at - from));
	if (!key)
		return no_memory(p);
	skip(p, false);
	if (peek(p) == '+') {
		more = true;
		p->at++;
	}
	if (peek(p) != '=') {
		ret = wrong_at(p, from, "a setting (key = value) is expected");
		goto out;
	}
	p->at++;
	skip(p, false);
	if (p->loose && (peek(p) < 0 || !strchr("\"'[", peek(p)))) {
		ret = unquoted(p, &v);
	} else {
		ret = value(p, &v, 0);
	}
	if (ret)
		goto out;
	s = setting(cfg, key);
	if (s && more) {
		ret = append(p, &s->value, &v);
		goto out;
	}
	if (!s) {
		struct cfg_setting *all;

		if (cfg->n == MAX_SETTINGS) {
			ret = wrong(p, "more than 1024 settings");
			goto out;
		}
		all = realloc(cfg->settings, (cfg->n + 1) * sizeof(*all));
		if (!all) {
			ret = no_memory(p);
			goto out;
		}
		cfg->settings = all;
		s = &all[cfg->n++];
		*s = (struct cfg_setting){ .key = key };
		key = NULL;
	} else {
		s->again = !strcmp(s->file, p->file);
		value_free(&s->value);
	}
	s->value = v;
	s->file = p->file;
	free(key);
	return 0;
out:
	value_free(&v);
	free(key);
	return ret;
}

int cfg_parse(struct parvus_error *e, struct cfg *cfg, const char *file, const char *text,
	      size_t bytes, bool loose)
{
	struct parser p = {
		.error = e,
		.file = file,
		.at = text,
		.end = text + bytes,
		.line = loose ? 0 : 1,
		.loose = loose,
	};
	int ret;

	/* the mark that some editors put before UTF-8 */
	if (!loose && bytes >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
		p.at += 3;
	if (bytes > MAX_TEXT)
		return pv_fail(e, EFBIG, "%s: larger than 1 MiB: not a configuration", file);
	for (;;) {
		skip(&p, true);
		while (peek(&p) == ';') {
			p.at++;
			skip(&p, true);
		}
		if (p.at == p.end)
			return 0;
		ret = assignment(&p, cfg);
		if (ret)
			return ret;
		skip(&p, false);
		if (peek(&p) >= 0 && *p.at != '\n' && *p.at != ';')
			return wrong(&p, "more than one value, or something behind it");
	}
}
