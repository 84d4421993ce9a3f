// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libparvus: the folder of a domain, RUN/domains/ID/, and in it the state file: all that its
 * monitor, or the next one, has to know. docs/monitor-state.md is its format. It is written
 * whole and renamed into place, so a reader finds the one before or the one after. A reader takes
 * it as it is written here or not at all: a file that is cut, edited or of another version is
 * refused by one line.
 */
#include "internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC		"parvus-state"
#define VERSION		1u
#define STATE_MAX	(2u << 20)	/* a configuration has 1 MiB at most */

static const char *const class_names[] = {
	[PARVUS_CLASS_BLOCK] = "block",
	[PARVUS_CLASS_NETWORK] = "network",
};

/* ---- text ------------------------------------------------------------------------------- */

int parvus_state_text(struct parvus_error *e, const struct parvus_state *s, char **text,
		      size_t *bytes)
{
	char *config;
	size_t i;
	FILE *f;
	int ret;

	*text = NULL;
	ret = parvus_config_text(e, s->config, &config);
	if (ret)
		return ret;
	f = open_memstream(text, bytes);
	if (!f) {
		free(config);
		return pv_fail(e, ENOMEM, "no memory");
	}
	fprintf(f, MAGIC " %u\ndomain %u\ncreated_ns %llu\nconsole_ref %u\nconsole_port %u\n",
		VERSION,
		s->domain, (unsigned long long)s->created_ns, s->console_ref, s->console_port);
	fprintf(f, "devices_made %d\nended %d\nquick_ends %u\n", s->devices_made, s->ended,
		s->quick_ends);
	fprintf(f, "devices %zu\n", s->ndevices);
	for (i = 0; i < s->ndevices; i++) {
		const struct parvus_state_device *d = &s->devices[i];

		if (d->device_class < sizeof(class_names) / sizeof(*class_names))
			fprintf(f, "%s %u id %u nbd ", class_names[d->device_class], d->index,
				d->id);
		else
			fprintf(f, "own %u %u id %u nbd ", d->device_class, d->index, d->id);
		fprintf(f, d->nbd < 0 ? "-\n" : "%d\n", d->nbd);
	}
	fprintf(f, "config %zu\n%send\n", strlen(config), config);
	free(config);
	if (!fclose(f))
		return 0;
	free(*text);
	*text = NULL;
	return pv_fail(e, ENOMEM, "no memory");
}

struct reader {
	struct parvus_error *error;
	const char *name, *at, *end;
	unsigned int line;
};

static int wrong(const struct reader *r, const char *expected)
{
	/* a line that does not end is the last of what is left of a file */
	if (!memchr(r->at, '\n', (size_t)(r->end - r->at)))
		return pv_fail(r->error, EINVAL, "%s: cut short", r->name);
	return pv_fail(r->error, EINVAL, "%s:%u: \"%s\" is expected", r->name, r->line, expected);
}

/* "WORD ", which is what a line goes on with. */
static bool word(struct reader *r, const char *text)
{
	size_t n = strlen(text);

	if ((size_t)(r->end - r->at) <= n || memcmp(r->at, text, n) || r->at[n] != ' ')
		return false;
	r->at += n + 1;
	return true;
}

/* A number without sign or zeroes before it, up to @max, and @after behind it. */
static bool number(struct reader *r, uint64_t max, char after, uint64_t *n)
{
	const char *p = r->at;

	*n = 0;
	while (p < r->end && *p >= '0' && *p <= '9') {
		uint64_t digit = (uint64_t)(*p++ - '0');

		if (*n > (UINT64_MAX - digit) / 10)
			return false;
		*n = *n * 10 + digit;
	}
	if (p == r->at || (*r->at == '0' && p > r->at + 1) || p == r->end || *p != after ||
	    *n > max)
		return false;
	r->at = p + 1;
	r->line += after == '\n';
	return true;
}

/* "KEY NUMBER", a line. */
static int line(struct reader *r, const char *key, uint64_t max, uint64_t *n)
{
	char expected[40];

	if (word(r, key) && number(r, max, '\n', n))
		return 0;
	snprintf(expected, sizeof(expected), "%s NUMBER", key);
	return wrong(r, expected);
}

static int read_device(struct reader *r, struct parvus_state *s)
{
	struct parvus_state_device d;
	uint64_t index, id, nbd = 0, own = 0;
	bool ok;
	size_t i;

	d.device_class = word(r, "block") ? PARVUS_CLASS_BLOCK : word(r, "network") ?
			 PARVUS_CLASS_NETWORK : 0;
	if (!d.device_class && word(r, "own") && number(r, UINT32_MAX, ' ', &own) &&
	    own >= PARVUS_CLASS_OWN)
		d.device_class = (uint32_t)own;
	ok = d.device_class && number(r, UINT32_MAX, ' ', &index) && word(r, "id") &&
	     number(r, UINT32_MAX, ' ', &id) && word(r, "nbd");
	d.nbd = -1;
	if (ok && r->end - r->at >= 2 && r->at[0] == '-' && r->at[1] == '\n') {
		r->at += 2;
		r->line++;
	} else if (ok && number(r, INT32_MAX, '\n', &nbd)) {
		d.nbd = (int)nbd;
	} else {
		return wrong(r, "block|network|own CLASS INDEX id NUMBER nbd NUMBER|-");
	}
	d.index = (uint32_t)index;
	d.id = (uint32_t)id;
	for (i = 0; i < s->ndevices; i++)
		if (s->devices[i].device_class == d.device_class && s->devices[i].index == d.index)
			return pv_fail(r->error, EINVAL, "%s:%u: the same device twice", r->name,
				       r->line - 1);
	s->devices[s->ndevices++] = d;
	return 0;
}

/* Its version, before anything else is believed. */
static int read_version(struct reader *r)
{
	uint64_t version;

	if (!word(r, MAGIC) || !number(r, UINT64_MAX, '\n', &version))
		return pv_fail(r->error, EINVAL, "%s: not the state of a monitor", r->name);
	if (version != VERSION)
		return pv_fail(r->error, ENOTSUP,
			       "%s: of version %llu, and version %u is known here",
			       r->name, (unsigned long long)version, VERSION);
	return 0;
}

static int read_all(struct reader *r, struct parvus_state *s)
{
	uint64_t domain, ref, port, made, ended, quick, devices, bytes;
	int ret;

	if ((ret = read_version(r)) || (ret = line(r, "domain", PARVUS_DOMAIN_SELF - 1, &domain)) ||
	    (ret = line(r, "created_ns", UINT64_MAX, &s->created_ns)) ||
	    (ret = line(r, "console_ref", UINT32_MAX, &ref)) ||
	    (ret = line(r, "console_port", UINT32_MAX, &port)) ||
	    (ret = line(r, "devices_made", 1, &made)) || (ret = line(r, "ended", 1, &ended)) ||
	    (ret = line(r, "quick_ends", UINT32_MAX, &quick)) ||
	    (ret = line(r, "devices", PARVUS_DEVICES_DOMAIN, &devices)))
		return ret;
	while (s->ndevices < devices) {
		ret = read_device(r, s);
		if (ret)
			return ret;
	}
	ret = line(r, "config", STATE_MAX, &bytes);
	if (ret)
		return ret;
	if (bytes > (uint64_t)(r->end - r->at))
		return pv_fail(r->error, EINVAL, "%s: cut short", r->name);
	ret = parvus_config_parse(r->error, r->name, r->at, bytes, NULL, 0, &s->config);
	if (ret)
		return ret;
	r->at += bytes;
	if (r->end - r->at != 4 || memcmp(r->at, "end\n", 4))
		return r->end - r->at < 4 ? pv_fail(r->error, EINVAL, "%s: cut short", r->name) :
		       pv_fail(r->error, EINVAL, "%s: \"end\" is expected behind the configuration",
			       r->name);
	s->domain = (uint32_t)domain;
	s->console_ref = (uint32_t)ref;
	s->console_port = (uint32_t)port;
	s->devices_made = made;
	s->ended = ended;
	s->quick_ends = (uint32_t)quick;
	return 0;
}

int parvus_state_parse(struct parvus_error *e, const char *name, const char *text, size_t bytes,
		       struct parvus_state *s)
{
	struct reader r = { .error = e, .name = name, .at = text, .end = text + bytes, .line = 1 };
	int ret;

	memset(s, 0, sizeof(*s));
	ret = read_all(&r, s);
	if (ret)
		parvus_state_free(s);
	return ret;
}

void parvus_state_free(struct parvus_state *s)
{
	parvus_config_free(s->config);
	memset(s, 0, sizeof(*s));
}

/* ---- the file ---------------------------------------------------------------------------- */

int parvus_state_load(struct parvus *h, uint32_t domain, struct parvus_state *s)
{
	char path[300];
	void *text;
	size_t bytes;
	int ret;

	memset(s, 0, sizeof(*s));
	ret = parvus_run_path(h, domain, "state", path, sizeof(path));
	if (ret)
		return ret;
	if (access(path, F_OK) && errno == ENOENT)
		return pv_fail(h->error, ENOENT, "there is no record of domain %u (%s)", domain,
			       path);
	ret = pv_read_file(h->error, path, STATE_MAX, &text, &bytes);
	if (ret)
		return ret;
	ret = parvus_state_parse(h->error, path, text, bytes, s);
	free(text);
	if (!ret && s->domain != domain) {
		parvus_state_free(s);
		ret = pv_fail(h->error, EINVAL, "%s: of another domain", path);
	}
	return ret;
}

int parvus_state_save(struct parvus *h, const struct parvus_state *s)
{
	char path[300], new[310], *text;
	ssize_t done;
	size_t bytes;
	int fd, ret;

	ret = parvus_run_path(h, s->domain, "state", path, sizeof(path));
	if (!ret)
		ret = parvus_state_text(h->error, s, &text, &bytes);
	if (ret)
		return ret;
	snprintf(new, sizeof(new), "%s.new", path);
	fd = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0) {
		free(text);
		return pv_fail(h->error, errno, "cannot write %s: %s", new, strerror(errno));
	}
	errno = ENOSPC;	/* of a write that is short */
	done = write(fd, text, bytes);
	free(text);
	if (done == (ssize_t)bytes && !rename(new, path)) {
		close(fd);
		return 0;
	}
	ret = pv_fail(h->error, errno, "cannot write %s: %s", path, strerror(errno));
	close(fd);
	unlink(new);
	return ret;
}

/* ---- the folder ------------------------------------------------------------------------- */

int parvus_folder(const char *path)
{
	char part[400], *p;

	if (!*path || snprintf(part, sizeof(part), "%s", path) >= (int)sizeof(part))
		return -ENAMETOOLONG;
	for (p = strchr(part + 1, '/'); ; p = strchr(p + 1, '/')) {
		if (p)
			*p = 0;
		/* those above are everybody's; the folder itself is root's */
		if (mkdir(part, p ? 0755 : 0700) && errno != EEXIST)
			return -errno;
		if (!p)
			return 0;
		*p = '/';
	}
}

void parvus_state_remove(struct parvus *h, uint32_t domain)
{
	static const char *const files[] = { "state", "state.new", "pid", "console.sock",
					     "control.sock", "restart", "name", "name.new",
					     "config-new", PV_DEVICES_FILE,
					     PARVUS_HISTORY_FILE, PARVUS_HISTORY_FILE ".new",
					     PARVUS_HELD_FILE, NULL };
	char path[300];
	size_t i;

	for (i = 0; ; i++) {
		if (parvus_run_path(h, domain, files[i], path, sizeof(path)))
			return;
		if (!files[i])
			break;
		unlink(path);
	}
	rmdir(path);
}

void parvus_restart_failed(struct parvus *h, uint32_t domain, const char *why)
{
	char path[300];
	FILE *f;

	f = parvus_run_path(h, domain, "restart", path, sizeof(path)) ? NULL : fopen(path, "we");
	if (!f)
		return;
	fprintf(f, "%s\n", why);
	fclose(f);
}

bool parvus_restart_why(struct parvus *h, uint32_t domain, char *why, size_t bytes)
{
	char path[300];
	bool ok;
	FILE *f;

	f = parvus_run_path(h, domain, "restart", path, sizeof(path)) ? NULL : fopen(path, "re");
	if (!f)
		return false;
	ok = fgets(why, (int)bytes, f);
	fclose(f);
	if (ok)
		why[strcspn(why, "\n")] = 0;
	return ok;
}

int pv_state_lock(struct parvus *h, uint32_t domain)
{
	char path[300], text[24] = "";
	int fd, ret;

	ret = parvus_run_path(h, domain, "pid", path, sizeof(path));
	if (ret)
		return ret;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return pv_fail(h->error, errno, "cannot write %s: %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		ret = pread(fd, text, sizeof(text) - 1, 0) > 0 ? atoi(text) : 0;
		close(fd);
		return pv_fail(h->error, EBUSY,
			       "another monitor serves domain %u (process %d)", domain, ret);
	}
	snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (!ftruncate(fd, 0) && pwrite(fd, text, strlen(text), 0) > 0)
		return fd;
	ret = pv_fail(h->error, errno, "cannot write %s: %s", path, strerror(errno));
	close(fd);
	return ret;
}

/* Does a monitor work on it, still? */
bool pv_state_served(struct parvus *h, uint32_t domain)
{
	char path[300];
	bool locked;
	int fd;

	if (parvus_run_path(h, domain, "pid", path, sizeof(path)))
		return false;
	fd = open(path, O_RDWR | O_CLOEXEC);
	locked = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB);
	if (fd >= 0)
		close(fd);
	return locked;
}

int parvus_state_served(struct parvus *h, uint32_t domain)
{
	char path[300];

	if (parvus_run_path(h, domain, "state", path, sizeof(path)) || access(path, F_OK))
		return -ENOENT;
	return pv_state_served(h, domain);
}

/* What a monitor that is no more has left and goes with nobody: nbd devices, and its folder. */
static void sweep_one(struct parvus *h, uint32_t domain)
{
	struct parvus_state s;
	size_t i;

	if (!parvus_state_load(h, domain, &s)) {
		for (i = 0; i < s.ndevices; i++) {
			struct parvus_backing b = { .fd = -1, .lock = -1, .nbd = s.devices[i].nbd };

			pv_nbd_mark(domain, s.created_ns, s.devices[i].index, b.mark);
			parvus_disk_close(h, &b);
		}
		pv_block_sweep(h, &s);
		parvus_state_free(&s);
	}
	parvus_state_remove(h, domain);
}

/* Folders of domains that are gone: their maker or monitor was killed. */
static void sweep(struct parvus *h)
{
	struct parvus_error before = *h->error;
	struct parvus_control_info i;
	struct dirent *entry;
	char path[300];
	DIR *d;

	if (parvus_run_path(h, 0, NULL, path, sizeof(path)))
		return;
	*strrchr(path, '/') = 0;
	d = opendir(path);
	while (d && (entry = readdir(d))) {
		char *end;
		unsigned long n = strtoul(entry->d_name, &end, 10);

		if (entry->d_name[0] < '0' || entry->d_name[0] > '9' || *end ||
		    n >= PARVUS_DOMAIN_SELF)
			continue;
		if (parvus_domain_info(h, (uint32_t)n, &i) == -ENOENT &&
		    !pv_state_served(h, (uint32_t)n))
			sweep_one(h, (uint32_t)n);
	}
	if (d)
		closedir(d);
	*h->error = before;
}

int parvus_state_start(struct parvus *h, const struct parvus_config *c,
		       const struct parvus_build *b)
{
	/* it is written, never changed */
	struct parvus_state s = {
		.domain = b->domain,
		.console_ref = b->console_ref,
		.console_port = b->console_port,
		.config = (struct parvus_config *)c,
	};
	struct parvus_control_info i;
	char path[300];
	int ret;

	ret = parvus_domain_info(h, b->domain, &i);
	if (ret)
		return ret;
	s.created_ns = i.created_ns;
	sweep(h);
	parvus_state_remove(h, b->domain);	/* of an earlier domain with this number */
	ret = parvus_run_path(h, b->domain, NULL, path, sizeof(path));
	if (ret)
		return ret;
	ret = parvus_folder(path);
	if (ret)
		return pv_fail(h->error, -ret, "cannot make %s: %s", path, strerror(-ret));
	ret = parvus_state_save(h, &s);
	if (!ret)
		ret = pv_name_write(h, b->domain, c->name);
	if (ret)
		parvus_state_remove(h, b->domain);
	return ret;
}
