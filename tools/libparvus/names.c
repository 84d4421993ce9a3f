// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libparvus: names of domains. The hypervisor keeps a label and compares it with nothing;
 * that no two domains have the same one is our business, under a lock file.
 */
#include "internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONTROL_NAME	"Domain-0"	/* as the tools of others expect it */

int pv_lock(struct parvus *h)
{
	char path[512];
	int fd, ret;

	/* the parent is there (/run); a test's folder too */
	if (mkdir(h->run_dir, 0755) && errno != EEXIST)
		return pv_fail(h->error, errno, "cannot make %s: %s", h->run_dir, strerror(errno));
	ret = snprintf(path, sizeof(path), "%s/lock", h->run_dir);
	if (ret < 0 || (size_t)ret >= sizeof(path))
		return pv_fail(h->error, ENAMETOOLONG, "%s: too long", h->run_dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return pv_fail(h->error, errno, "cannot open %s: %s", path, strerror(errno));
	do
		ret = flock(fd, LOCK_EX);
	while (ret < 0 && errno == EINTR);
	if (ret < 0) {
		ret = pv_fail(h->error, errno, "cannot lock %s: %s", path, strerror(errno));
		close(fd);
		return ret;
	}
	return fd;
}

void pv_unlock(int lock)
{
	close(lock);
}

static bool all_digits(const char *s)
{
	return *s && s[strspn(s, "0123456789")] == 0;
}

bool parvus_name_ok(const char *name)
{
	size_t n = strlen(name);

	/* a number would be taken for a domain's number, a dash for an option */
	return n && n < PARVUS_NAME_BYTES && !all_digits(name) && name[0] != '-' &&
	       name[0] != '.' &&
	       strspn(name,
		      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-") == n;
}

/* FNV-1a, folded. */
static uint32_t sum(const char *text)
{
	uint64_t hash = 0xcbf29ce484222325ull;

	while (*text)
		hash = (hash ^ (uint8_t)*text++) * 0x100000001b3ull;
	return (uint32_t)(hash ^ hash >> 32);
}

/* No name has a '~': a label that was made of one is nobody's name. */
const char *parvus_label(const char *name, char label[PARVUS_NAME_MAX])
{
	int n = snprintf(label, PARVUS_NAME_MAX, "%s", name);

	if (n >= (int)PARVUS_NAME_MAX)
		snprintf(label, PARVUS_NAME_MAX, "%.22s~%08x", name, sum(name));
	return label;
}

/*
 * The file has the name that is, or is about to be, and the one before it: whichever the label is
 * made of counts, and a file of an earlier domain with this number does not.
 */
const char *parvus_name(struct parvus *h, const struct parvus_control_info *i,
			char name[PARVUS_NAME_BYTES])
{
	struct parvus_error before = *h->error;
	char path[300], text[PARVUS_NAME_BYTES + 1], label[PARVUS_NAME_MAX];
	FILE *f = NULL;

	snprintf(name, PARVUS_NAME_BYTES, "%s", i->name);
	if (strchr(name, '~') && !parvus_run_path(h, i->domain, "name", path, sizeof(path)))
		f = fopen(path, "re");
	*h->error = before;
	while (f && fgets(text, sizeof(text), f)) {
		text[strcspn(text, "\n")] = 0;
		if (parvus_name_ok(text) && !strcmp(parvus_label(text, label), i->name)) {
			memcpy(name, text, strlen(text) + 1);
			break;
		}
	}
	if (f)
		fclose(f);
	return name;
}

int pv_name_write(struct parvus *h, uint32_t domain, const char *name)
{
	char path[300], new[310], was[PARVUS_NAME_BYTES];
	struct parvus_control_info i;
	int ret;
	FILE *f;

	if (strlen(name) < PARVUS_NAME_MAX)
		return 0;
	ret = parvus_domain_info(h, domain, &i);
	if (!ret)
		ret = parvus_run_path(h, domain, NULL, path, sizeof(path));
	if (ret)
		return ret;
	ret = parvus_folder(path);
	if (ret)
		return pv_fail(h->error, -ret, "cannot make %s: %s", path, strerror(-ret));
	parvus_name(h, &i, was);
	snprintf(new, sizeof(new), "%s/name.new", path);
	strcat(path, "/name");
	f = fopen(new, "we");
	if (f && (fprintf(f, "%s\n%s\n", name, was) < 0) | (fclose(f) != 0))
		f = NULL;
	if (!f || rename(new, path)) {
		ret = pv_fail(h->error, errno, "cannot write %s: %s", path, strerror(errno));
		unlink(new);
	}
	return ret;
}

/* -ENOENT without a text when there is none. A dying domain has lost its name. */
static int find_name(struct parvus *h, const char *name, uint32_t except,
		     struct parvus_control_info *i)
{
	char label[PARVUS_NAME_MAX];
	uint32_t at = 0;
	int ret;

	parvus_label(name, label);
	for (;;) {
		ret = parvus_domain_next(h, at, i);
		if (ret)
			return ret;
		if (i->domain != except && i->state != PARVUS_DOMAIN_DYING &&
		    !strcmp(i->name, label))
			return 0;
		if (i->domain < at || i->domain == UINT32_MAX)
			return -ENOENT;
		at = i->domain + 1;
	}
}

int pv_name_free(struct parvus *h, const char *name, uint32_t except)
{
	struct parvus_control_info i;
	int ret = find_name(h, name, except, &i);

	if (!ret)
		return pv_fail(h->error, EEXIST, "there is a domain named %s already (domain %u)",
			       name, i.domain);
	return ret == -ENOENT ? 0 : ret;
}

int parvus_find(struct parvus *h, const char *name, struct parvus_control_info *i)
{
	int ret;

	if (all_digits(name)) {
		unsigned long long n;

		errno = 0;
		n = strtoull(name, NULL, 10);
		if (errno || n >= PARVUS_DOMAIN_SELF)
			return pv_fail(h->error, ENOENT, "there is no domain %s", name);
		ret = parvus_domain_info(h, (uint32_t)n, i);
		return ret == -ENOENT ? pv_fail(h->error, ENOENT, "there is no domain %s",
						name) : ret;
	}
	ret = find_name(h, name, PARVUS_DOMAIN_SELF, i);
	if (ret == -ENOENT)
		return pv_fail(h->error, ENOENT, "there is no domain named %s", pv_shown(name));
	return ret;
}

int parvus_domain_rename(struct parvus *h, uint32_t domain, const char *name)
{
	struct parvus_control_name n = { .domain = domain };
	struct parvus_control_info i;
	int lock, ret;

	if (!parvus_name_ok(name))
		return pv_fail(h->error, EINVAL,
			       "%.260s: not a name: 1 to %u letters, digits, . _ + - and not a "
			       "number",
			       name, PARVUS_NAME_BYTES - 1);
	if (!strcmp(name, CONTROL_NAME))
		return pv_fail(h->error, EINVAL, "%s is the name of domain 0 alone", name);
	ret = parvus_domain_info(h, domain, &i);
	if (ret)
		return ret;
	if (i.flags & PARVUS_INFO_CONTROL)
		return pv_fail(h->error, EPERM,
			       "domain %u is the control domain: its name stays %s", domain,
				i.name);
	parvus_label(name, n.name);
	lock = pv_lock(h);
	if (lock < 0)
		return lock;
	ret = pv_name_free(h, name, domain);
	if (!ret)
		ret = pv_name_write(h, domain, name);
	if (!ret) {
		ret = pv_call(h, PARVUS_CONTROL_RENAME, &n, sizeof(n));
		if (ret < 0)
			pv_fail(h->error, -ret, "rename domain %u: %s", domain, strerror(-ret));
	}
	pv_unlock(lock);
	return ret;
}

int parvus_list(struct parvus *h, struct parvus_control_info **list, size_t *n)
{
	struct parvus_control_info *all = NULL, i;
	size_t count = 0, room = 0;
	uint32_t at = 0;
	int ret;

	for (;;) {
		ret = parvus_domain_next(h, at, &i);
		if (ret == -ENOENT)
			break;
		if (ret) {
			free(all);
			return ret;
		}
		if (count == room) {
			struct parvus_control_info *more;

			room = room ? room * 2 : 16;
			more = realloc(all, room * sizeof(*all));
			if (!more) {
				free(all);
				return pv_fail(h->error, ENOMEM, "no memory");
			}
			all = more;
		}
		all[count++] = i;
		if (i.domain < at || i.domain == UINT32_MAX)
			break;
		at = i.domain + 1;
	}
	*list = all;
	*n = count;
	return 0;
}

const char *parvus_reason_text(uint32_t reason)
{
	switch (reason) {
	case PARVUS_SHUTDOWN_POWEROFF:
		return "poweroff";
	case PARVUS_SHUTDOWN_REBOOT:
		return "reboot";
	case PARVUS_SHUTDOWN_SUSPEND:
		return "suspend";
	case PARVUS_SHUTDOWN_CRASH:
		return "crash";
	case PARVUS_SHUTDOWN_KILLED:
		return "killed";
	default:
		return "unknown";
	}
}

int parvus_run_path(struct parvus *h, uint32_t domain, const char *file, char *path, size_t bytes)
{
	int n = snprintf(path, bytes, "%s/domains/%u%s%s", h->run_dir, domain, file ? "/" : "",
			 file ? file : "");

	if (n < 0 || (size_t)n >= bytes)
		return pv_fail(h->error, ENAMETOOLONG, "%s: too long", h->run_dir);
	return 0;
}
