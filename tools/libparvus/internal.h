/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the parts of libparvus share: the handle, and the table through which all system
 * access to /dev/parvus goes, so that tests can put a hypervisor of their own behind it.
 */
#ifndef LIBPARVUS_INTERNAL_H
#define LIBPARVUS_INTERNAL_H

#include "libparvus.h"

#include <errno.h>
#include <time.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <parvus/block.h>
#include <parvus/linux.h>
#include <parvus/network.h>

#define PAGE	4096ull
#define PARVUS_LIB_DIR "/usr/lib/parvus"

/* Results are >= 0 or a negative errno. */
struct parvus_sys {
	int (*open)(const char *path);
	void (*close)(int fd);
	int (*ioctl)(int fd, unsigned long request, void *arg);
	/*
	 * NULL = failure. @at: there, over what is mapped, or NULL; @fd -1: nothing but a stretch
	 * of addresses.
	 */
	void *(*map)(void *at, int fd, size_t bytes, uint64_t offset, bool readonly);
	void (*unmap)(void *at, size_t bytes);
	int (*poll)(struct pollfd *fds, nfds_t n, int timeout_ms);
	ssize_t (*read)(int fd, void *data, size_t bytes);
	ssize_t (*write)(int fd, const void *data, size_t bytes);

	/* Where sysfs and procfs are, and what stat() says. */
	const char *(*sysfs)(void);
	const char *(*procfs)(void);
	int (*stat)(const char *path, struct stat *st);

	/* Disks of this domain. @dev: major and minor of a block device that can be opened. */
	int (*block)(const char *path, bool readonly,
		     uint32_t dev[2]);	/* -ENOTBLK: something else */
	bool (*block_held)(const char *path);	/* does the kernel use it for itself? */
	/* A loop device that goes with its last user; returns a descriptor, which is one. */
	int (*loop)(int file, const char *name, bool readonly, uint32_t dev[2]);
	int (*loop_hold)(uint32_t minor);
	int (*loop_resize)(int fd);
	bool (*nbd_used)(uint32_t minor);	/* or not there */
	bool (*nbd_ready)(uint32_t minor);	/* has a size */
	bool (*back_bound)(uint32_t id);	/* has a kernel driver our end of the device? */
	/* Interfaces of this domain. */
	int (*net)(enum parvus_net op, const char *name, const char *bridge, uint32_t value);
	int (*net_watch)(void);		/* a descriptor, readable when an interface changed */
};
extern const struct parvus_sys pv_sys;

struct parvus {
	int fd;
	int device_fd;		/* the registry, once it was needed, else -1 */
	char *run_dir, *lib_dir, *script_dir, *block_server, *qemu_nbd;
	struct parvus_error *error;	/* the caller's, or own */
	struct parvus_error own;
};

/* Sets the text, if somebody wants it; returns -code. */
int pv_fail(struct parvus_error *e, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static inline int64_t pv_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A control_op; no text is set. */
int pv_call(struct parvus *h, uint32_t op, void *data, uint32_t bytes);

/* Is its block device made by a script here? xl's own, block, is what happens without one. */
bool pv_disk_scripted(const struct parvus_disk *d);
/* block.c: "remove" for what scripts have made for a domain that is gone, and its keeper. */
void pv_block_sweep(struct parvus *h, const struct parvus_state *state);
/* Is one of them the whole disk of the other, which is a partition? */
bool pv_disk_inside(const struct parvus_disk *a, const struct parvus_disk *b);
/* What there is to say of a setting of xl.cfg that is not followed; NULL = nobody knows it. */
const char *pv_option_why(const char *key, bool *refused);
int pv_own_parse(struct parvus_error *e, const char *where, const char *text, struct parvus_own *d);
void pv_own_free(struct parvus_own *d);

/* The lock under which names are given and memory is promised. Returns a descriptor. */
int pv_lock(struct parvus *h);
void pv_unlock(int lock);
/* 0, or -EEXIST: a domain other than @except has that name. */
int pv_name_free(struct parvus *h, const char *name, uint32_t except);
/* Write down a name that is longer than its label; others need no file. */
int pv_name_write(struct parvus *h, uint32_t domain, const char *name);

/* The lock of who keeps a domain's devices, with its number in it. Returns a descriptor. */
int pv_state_lock(struct parvus *h, uint32_t domain);

/* Does a keeper work on the domain? */
bool pv_state_served(struct parvus *h, uint32_t domain);

/* guest_boot.c: what the guest's own boot loader would start. 0, or an error with why it is not. */
struct pv_guest_boot {
	void *kernel, *ramdisk;
	size_t kernel_bytes, ramdisk_bytes;
	char *args, title[128];
};
int pv_guest_boot(struct parvus *h, const struct parvus_config *c, struct pv_guest_boot *b,
		  char why[PARVUS_TOLD]);
void pv_guest_boot_free(struct pv_guest_boot *b);

/* cpuid.c: is @text a policy; what it says on this host becomes that of a domain that is built. */
int pv_cpuid_check(struct parvus_error *e, const char *text);
int pv_cpuid_apply(struct parvus *h, uint32_t domain, const char *text);

/* Is there what parvus_build() needs? */
int pv_build_check(struct parvus *h, const struct parvus_config *c);

/* claim.c. The lock under which disks are looked for and written down. Returns a descriptor. */
int pv_claim_lock(struct parvus *h);
/*
 * 0, or -EBUSY with the user in the text: somebody else uses what @d, a disk of @domain with its
 * back end in @back, lies on. @device: major and minor of what a script has made; NULL = it is what
 * the target names. @leaving: the user is letting go of it.
 */
int pv_claim_check(struct parvus *h, uint32_t domain, uint32_t back,
		   const struct parvus_disk *d, const uint32_t *device, bool *leaving);

/* backing.c: the mark of a qemu-nbd, by which it is known again. */
void pv_nbd_mark(uint32_t domain, uint64_t created_ns, uint32_t index, char mark[PARVUS_NBD_MARK]);

/* build.c: is there memory for a domain of @frames, with what the hypervisor needs for it? */
int pv_room(struct parvus *h, const struct parvus_config *c,
	    const struct parvus_control_machine *m, uint64_t frames, uint32_t vcpus);

/* In the folder of a domain that is restored: its devices as they were, for its keeper. */
#define PV_DEVICES_FILE		"devices"

/* A whole file of at most @max bytes, nothing that is none; one byte more, zero, is allocated. */
int pv_read_file(struct parvus_error *e, const char *path, size_t max, void **data, size_t *bytes);

/* "a FIFO": what is there in place of a regular file. */
const char *pv_kind_text(mode_t mode);

/* What was given, for a message: nothing is shown as "". */
static inline const char *pv_shown(const char *text) { return text[0] ? text : "\"\""; }

/* Unpack by magic. 0 = not packed, 1 = done (data is to be freed), or an error. */
int pv_unpack(struct parvus_error *e, const char *name, const uint8_t *packed, size_t bytes,
	      void **data, size_t *size);

/* Syntax of configuration files. */
enum cfg_kind { CFG_STRING, CFG_NUMBER, CFG_LIST };
struct cfg_value {
	enum cfg_kind kind;
	char *text;		/* STRING; NUMBER as it was written */
	long long number;
	struct cfg_value *items;	/* LIST */
	size_t n;
	unsigned int line;
};
struct cfg_setting {
	char *key;
	struct cfg_value value;
	const char *file;	/* for messages; not owned */
	bool again;		/* another value of the same source stood before it */
};
struct cfg {
	struct cfg_setting *settings;
	size_t n;
};
/* @loose: a value that begins like no value is a string to the end (command line). */
int cfg_parse(struct parvus_error *e, struct cfg *cfg, const char *file, const char *text,
	      size_t bytes,
	      bool loose);
void cfg_free(struct cfg *cfg);

/* disk and vif entries. @where is the beginning of a message. */
int pv_disk_settle(struct parvus_error *e, const char *where, struct parvus_disk *d);
int pv_disk_parse(struct parvus_error *e, const char *where, const char *spec,
		  struct parvus_disk *d);
int pv_vif_parse(struct parvus_error *e, const char *where, const char *spec, struct parvus_vif *v);
/* Number and MAC, if they are not given; they become part of the spec. */
int pv_vif_settle(struct parvus_error *e, const char *name, int index, struct parvus_vif *v);
void pv_disk_free(struct parvus_disk *d);
void pv_vif_free(struct parvus_vif *v);

#endif
