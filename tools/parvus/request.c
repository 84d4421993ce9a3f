// SPDX-License-Identifier: GPL-2.0-only
/* What parvus block-attach and the like ask of a monitor, and its part of the monitor's loop. */
#include "devices.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LOOK_MS		50	/* between two looks while something is waited for */

static void reply(int fd, const char *error)
{
	struct slot s = { .client = fd };

	slot_answer(&s, error);
}

/* The slot of a request's INDEX; NULL: said to the client. */
static struct slot *wanted(struct devices *d, int fd, uint32_t device_class, const char *index)
{
	struct slot *s;
	uint64_t n;

	if (!parse_number(index, 0, UINT32_MAX, &n)) {
		reply(fd, "a number is expected");
		return NULL;
	}
	s = devices_find(d, device_class, (uint32_t)n);
	if (!s)
		reply(fd, "the domain has no such device");
	else if (s->wait != WAIT_NONE)
		reply(fd, "the device is being attached or detached");
	return s && s->wait == WAIT_NONE ? s : NULL;
}

static void attach(struct devices *d, int fd, uint32_t device_class, uint32_t index,
		   const char *error)
{
	struct slot *s = devices_find(d, device_class, index);

	if (error) {
		struct slot gone = { .device_class = device_class, .index = index };
		char kept[sizeof(d->error)];

		snprintf(kept, sizeof(kept), "%s", error);
		slot_forget(d, &gone);
		reply(fd, kept);
		return;
	}
	s->client = fd;
	state_config(d->h, d->domain, d->config);
	devices_save(d);
}

static void request_disk(struct devices *d, int fd, const char *spec)
{
	struct parvus_config *c = d->config;
	struct parvus_disk disk, *more;

	if (parvus_disk_parse(d->errors, spec, &disk)) {
		reply(fd, d->errors->text);
		parvus_disk_free(&disk);
		return;
	}
	if (devices_find(d, PARVUS_CLASS_BLOCK, (uint32_t)disk.index)) {
		reply(fd, "the domain has this disk already");
		parvus_disk_free(&disk);
		return;
	}
	more = realloc(c->disks, (c->ndisks + 1) * sizeof(*more));
	if (!more) {
		reply(fd, "no memory");
		parvus_disk_free(&disk);
		return;
	}
	c->disks = more;
	c->disks[c->ndisks++] = disk;
	attach(d, fd, PARVUS_CLASS_BLOCK, (uint32_t)disk.index,
	       devices_make_disk(d, &c->disks[c->ndisks - 1]));
}

static void request_vif(struct devices *d, int fd, const char *spec)
{
	struct parvus_config *c = d->config;
	struct parvus_vif v, *more;
	int index = 0;

	while (devices_find(d, PARVUS_CLASS_NETWORK, (uint32_t)index))
		index++;
	if (parvus_vif_parse(d->errors, c->name, spec, index, &v)) {
		reply(fd, d->errors->text);
		parvus_vif_free(&v);
		return;
	}
	if (devices_find(d, PARVUS_CLASS_NETWORK, (uint32_t)v.index)) {
		reply(fd, "the domain has an interface of this devid already");
		parvus_vif_free(&v);
		return;
	}
	more = realloc(c->vifs, (c->nvifs + 1) * sizeof(*more));
	if (!more) {
		reply(fd, "no memory");
		parvus_vif_free(&v);
		return;
	}
	c->vifs = more;
	c->vifs[c->nvifs++] = v;
	attach(d, fd, PARVUS_CLASS_NETWORK, (uint32_t)v.index,
	       devices_make_vif(d, &c->vifs[c->nvifs - 1]));
}

static void request_detach(struct devices *d, int fd, const char *class_text, const char *index,
			   bool force)
{
	uint32_t device_class = !strcmp(class_text, "disk") ? PARVUS_CLASS_BLOCK :
				PARVUS_CLASS_NETWORK;
	struct slot *s = wanted(d, fd, device_class, index);
	struct parvus_device r;

	if (!s)
		return;
	if (!force && parvus_device_read(d->h, s->id, &r)) {
		reply(fd, d->errors->text);
		return;
	}
	if (force) {
		/* that it is gone already is no failure */
		parvus_device_remove(d->h, s->id);
		slot_let_go(d, s);
		slot_forget(d, s);
		reply(fd, NULL);
		return;
	}
	devices_detaching(device_class, r.config, true);
	if (parvus_device_configure(d->h, s->id, r.config, sizeof(r.config))) {
		reply(fd, d->errors->text);
		return;
	}
	s->wait = WAIT_CLOSED;
	s->until_ms = now_ms() + CLOSE_MS;
	s->client = fd;
}

/* Change what a disk is configured with; the back end is told, also if nothing changed. */
static const char *reconfigure(struct devices *d, struct slot *s)
{
	struct parvus_disk *disk = devices_disk(d, s);
	struct parvus_device r = { 0 };

	parvus_disk_device(disk, &s->backing, &r);
	if (parvus_device_configure(d->h, s->id, r.config, sizeof(r.config)) ||
	    parvus_disk_text(d->errors, disk))
		return d->errors->text;
	state_config(d->h, d->domain, d->config);
	return NULL;
}

static void request_set(struct devices *d, int fd, const char *index, const char *iops,
			const char *bps)
{
	struct slot *s = wanted(d, fd, PARVUS_CLASS_BLOCK, index);
	struct parvus_disk *disk = s ? devices_disk(d, s) : NULL, before;
	const char *error;
	uint64_t n;

	if (!s)
		return;
	if (!disk) {
		reply(fd, "the disk is not in the domain's configuration");
		return;
	}
	before = *disk;
	if (strcmp(iops, "-") && parse_number(iops, 0, UINT32_MAX, &n))
		disk->iops = (uint32_t)n;
	if (strcmp(bps, "-") && parse_number(bps, 0, UINT64_MAX, &n))
		disk->bps = n;
	error = reconfigure(d, s);
	if (error) {
		disk->iops = before.iops;
		disk->bps = before.bps;
	}
	reply(fd, error);
}

static void request_resize(struct devices *d, int fd, const char *index)
{
	struct slot *s = wanted(d, fd, PARVUS_CLASS_BLOCK, index);

	if (!s)
		return;
	if (!devices_disk(d, s))
		reply(fd, "the disk is not in the domain's configuration");
	else if (parvus_disk_resized(d->h, &s->backing))
		reply(fd, d->errors->text);
	else
		reply(fd, reconfigure(d, s));
}

/* Another medium, or none. */
static void request_cd(struct devices *d, int fd, const char *index, const char *target)
{
	struct slot *s = wanted(d, fd, PARVUS_CLASS_BLOCK, index);
	struct parvus_disk *disk = s ? devices_disk(d, s) : NULL;
	struct parvus_backing b, old;
	char *before, *text = *target ? strdup(target) : NULL;
	const char *error;

	if (!s)
		goto out;
	if (!disk || !disk->cdrom || s->remote || disk->program || strcmp(disk->format, "raw")) {
		reply(fd, "the disk is no CD drive whose medium can be changed");
		goto out;
	}
	before = disk->target;
	disk->target = text;
	if (parvus_disk_open(d->h, disk, &b)) {
		disk->target = before;
		reply(fd, d->errors->text);
		goto out;
	}
	old = s->backing;
	s->backing = b;
	error = reconfigure(d, s);
	if (error) {
		s->backing = old;
		disk->target = before;
		parvus_disk_close(&b);
		reply(fd, error);
		goto out;
	}
	parvus_disk_close(&old);
	free(before);
	reply(fd, NULL);
	return;
out:
	free(text);
}

static void request(struct devices *d, int fd, char *line)
{
	char *words[5] = { NULL };
	size_t n;

	for (n = 0; n < 5 && line; n++) {
		words[n] = line;
		line = strchr(line, PARVUS_WORD);
		if (line)
			*line++ = 0;
	}
	if (n == 2 && !strcmp(words[0], "disk-attach"))
		request_disk(d, fd, words[1]);
	else if (n == 2 && !strcmp(words[0], "vif-attach"))
		request_vif(d, fd, words[1]);
	else if (n == 4 && !strcmp(words[0], "detach"))
		request_detach(d, fd, words[1], words[2], !strcmp(words[3], "force"));
	else if (n == 4 && !strcmp(words[0], "disk-set"))
		request_set(d, fd, words[1], words[2], words[3]);
	else if (n == 2 && !strcmp(words[0], "disk-resize"))
		request_resize(d, fd, words[1]);
	else if (n == 3 && !strcmp(words[0], "cd"))
		request_cd(d, fd, words[1], words[2]);
	else
		reply(fd, "not a request that this monitor knows");
}

const char *devices_listen(struct devices *d)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	if (parvus_run_path(d->h, d->domain, "control.sock", a.sun_path, sizeof(a.sun_path)))
		return d->errors->text;
	d->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	unlink(a.sun_path);
	if (d->listener < 0 || bind(d->listener, (struct sockaddr *)&a, sizeof(a)) ||
	    chmod(a.sun_path, 0600) || listen(d->listener, 4))
		return devices_why(d, "cannot make %s: %s", a.sun_path, strerror(errno));
	d->net = parvus_net_watch();
	d->news = true;
	return NULL;
}

static void client_new(struct devices *d)
{
	int fd = accept4(d->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	size_t i;

	if (fd < 0)
		return;
	for (i = 0; i < sizeof(d->clients) / sizeof(*d->clients); i++)
		if (d->clients[i].fd < 0) {
			d->clients[i].fd = fd;
			d->clients[i].n = 0;
			return;
		}
	reply(fd, "the monitor is busy");
}

static void client_input(struct devices *d, size_t i)
{
	int fd = d->clients[i].fd;
	char *text = d->clients[i].text, *end;
	ssize_t n = recv(fd, text + d->clients[i].n,
			 sizeof(d->clients[i].text) - 1 - d->clients[i].n, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		d->clients[i].n += (size_t)n;
	text[d->clients[i].n] = 0;
	end = strchr(text, '\n');
	if (n > 0 && !end && d->clients[i].n < sizeof(d->clients[i].text) - 1)
		return;
	d->clients[i].fd = -1;
	if (!end) {
		close(fd);
		return;
	}
	*end = 0;
	request(d, fd, text);
}

int devices_poll(struct devices *d, struct pollfd *fds, size_t *n)
{
	int64_t left = INT64_MAX;
	size_t i, at = 0;

	fds[at++] = (struct pollfd){ .fd = d->listener, .events = POLLIN };
	fds[at++] = (struct pollfd){ .fd = d->net, .events = POLLIN };
	for (i = 0; i < sizeof(d->clients) / sizeof(*d->clients); i++)
		fds[at++] = (struct pollfd){ .fd = d->clients[i].fd, .events = POLLIN };
	for (i = 0; i < PARVUS_DEVICES_DOMAIN; i++) {
		const struct slot *s = &d->slots[i];

		if (!s->used)
			continue;
		if (s->pidfd >= 0)
			fds[at++] = (struct pollfd){ .fd = s->pidfd, .events = POLLIN };
		else if (s->restart_ms && s->restart_ms - now_ms() < left)
			left = s->restart_ms - now_ms();
		/* without news of interfaces they are looked at */
		if (s->wait != WAIT_NONE && left > LOOK_MS)
			left = LOOK_MS;
		else if (s->device_class == PARVUS_CLASS_NETWORK && d->net < 0 &&
			 left > 4 * LOOK_MS)
			left = 4 * LOOK_MS;
	}
	*n = at;
	return left == INT64_MAX ? -1 : left < 0 ? 0 : (int)left;
}

void devices_work(struct devices *d, const struct pollfd *fds, size_t n)
{
	char news[8192];
	size_t i;

	if (n > 0 && fds[0].revents && d->listener >= 0)
		client_new(d);
	d->news |= d->net < 0 || (n > 1 && fds[1].revents);
	while (d->net >= 0 && recv(d->net, news, sizeof(news), MSG_DONTWAIT) > 0)
		;
	for (i = 0; i < sizeof(d->clients) / sizeof(*d->clients); i++)
		if (d->clients[i].fd >= 0)
			client_input(d, i);
	servers_look(d);
	for (i = 0; i < PARVUS_DEVICES_DOMAIN; i++)
		if (d->slots[i].used)
			devices_look(d, &d->slots[i]);
	d->news = false;
}
