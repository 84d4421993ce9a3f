/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libparvus: control of Parvus domains from domain 0.
 *
 * A handle (struct parvus) is an open /dev/parvus/control. Functions return 0 or a
 * positive result, or a negative errno; the caller's error object (struct parvus_error) then has
 * one line of text. What reads a configuration or a kernel needs no handle. The library never
 * prints, never exits, and keeps nothing outside its handles. One handle is for one thread at a
 * time.
 *
 * Layers: control (the hypervisor's operations), names, configuration (the syntax of
 * xl.cfg), kernel images, building a domain, its disks and interfaces, its console, core files.
 */
#ifndef LIBPARVUS_H
#define LIBPARVUS_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <parvus/control.h>
#include <parvus/device.h>
#include <parvus/memory.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define PARVUS_API __attribute__((visibility("default")))
#else
#define PARVUS_API
#endif

/**
 * struct parvus_error - what went wrong last
 * @text: one line without a newline or what a terminal would obey; "" = nothing has
 *
 * The caller has it, zeroed, and gives it to parvus_open(), whose handle writes into it from then
 * on, or to the functions that need no handle. Where one is taken, NULL says that nobody wants
 * the text. After a success what is in it means nothing.
 */
struct parvus_error {
	char text[512];
};

struct parvus;

/**
 * struct parvus_options - how to open a handle
 * @run_dir: where names are locked and monitors keep their state; /run/parvus
 * @lib_dir: where programs and kernels of Parvus are; /usr/lib/parvus
 * @script_dir: where scripts of interfaces are; /etc/parvus/scripts
 * @block_server: the program that serves disks of backendtype=program; block-server in @lib_dir
 * @qemu_nbd: the program that serves other formats than raw; qemu-nbd
 *
 * NULL or "" = what is named last.
 */
struct parvus_options {
	const char *run_dir, *lib_dir, *script_dir, *block_server, *qemu_nbd;
};

/**
 * typedef parvus_progress - told how far a long operation is
 * @arg: as it was given
 * @done: of @total units
 *
 * Anything but 0 stops the operation, which then fails with -ECANCELED.
 */
typedef int parvus_progress(void *arg, uint64_t done, uint64_t total);

/* ---- the handle ---------------------------------------------------------------- */

/**
 * parvus_options_env() - the options that the environment asks for
 *
 * PARVUS_RUN_DIR, PARVUS_LIB_DIR, PARVUS_SCRIPT_DIR, PARVUS_BLOCK_SERVER, PARVUS_QEMU_NBD.
 */
PARVUS_API void parvus_options_env(struct parvus_options *options);
/**
 * parvus_open() - open the control device
 * @h: the new handle; NULL after a failure
 * @options: NULL for the defaults
 * @error: where failures of this and of all that is done with the handle are told; it must be there
 *	until parvus_close()
 */
PARVUS_API int parvus_open(struct parvus **h, const struct parvus_options *options,
			   struct parvus_error *error);
/** parvus_close() - close it; domains that it made and did not commit go. NULL is allowed */
PARVUS_API void parvus_close(struct parvus *h);

/**
 * parvus_fd() - the control device, for poll()
 *
 * It is readable when the state of any domain has changed since parvus_changed().
 */
PARVUS_API int parvus_fd(const struct parvus *h);

/** parvus_changed() - forget the changes so far; never waits */
PARVUS_API int parvus_changed(struct parvus *h);

/** parvus_poll() - poll() for descriptors of this library, and any others */
PARVUS_API int parvus_poll(struct parvus *h, struct pollfd *fds, nfds_t n, int timeout_ms);

/* ---- control: one function for each operation of parvus/control.h --------------- */
/* size and version of structures are filled in by the library. */

/** parvus_machine() - the machine: CPUs, memory, domains, clock */
PARVUS_API int parvus_machine(struct parvus *h, struct parvus_control_machine *m);
/** parvus_cpu() - what CPU @cpu of the machine has done so far */
PARVUS_API int parvus_cpu(struct parvus *h, uint32_t cpu, struct parvus_control_cpu *c);
/** parvus_cpuid_read() - what CPUID shows a domain; PARVUS_DOMAIN_SELF: what the host gives */
PARVUS_API int parvus_cpuid_read(struct parvus *h, uint32_t domain,
				 struct parvus_control_cpuid *c);
/** parvus_cpuid_set() - that of a domain that is built; -EINVAL: the host does not give it */
PARVUS_API int parvus_cpuid_set(struct parvus *h, uint32_t domain,
				const struct parvus_control_cpuid *c);
/** parvus_cpuid_name() - xl's name of a bit of a word (PARVUS_CPUID_*); NULL = it has none */
PARVUS_API const char *parvus_cpuid_name(unsigned int word, unsigned int bit);
/** parvus_cpuid_level() - n: it has all of x86-64-vN; 0 = not even of the first */
PARVUS_API unsigned int parvus_cpuid_level(const struct parvus_control_cpuid *c);

/**
 * parvus_interrupt() - the first source of interrupts from number @from on, and what was counted of
 * all; i->handle is its number, or PARVUS_INTERRUPT_NONE
 */
PARVUS_API int parvus_interrupt(struct parvus *h, uint32_t from,
				struct parvus_control_interrupt *i);

/**
 * parvus_domain_create() - make an empty domain
 *
 * It belongs to this handle until parvus_domain_commit(): if the handle is closed before, also
 * by the death of the program, the domain is destroyed.
 */
PARVUS_API int parvus_domain_create(struct parvus *h, struct parvus_control_create *c);
/** parvus_domain_commit() - let it outlive this handle, and run if @unpause */
PARVUS_API int parvus_domain_commit(struct parvus *h, uint32_t domain, bool unpause);
/** parvus_domain_info() - all that is to know of a domain; -ENOENT if it is gone */
PARVUS_API int parvus_domain_info(struct parvus *h, uint32_t domain, struct parvus_control_info *i);
/** parvus_domain_next() - the first domain with a number >= @from; -ENOENT after the last */
PARVUS_API int parvus_domain_next(struct parvus *h, uint32_t from, struct parvus_control_info *i);
/** parvus_domain_populate() - promise it memory for @frames from @gfn on */
PARVUS_API int parvus_domain_populate(struct parvus *h, uint32_t domain, uint64_t gfn,
				      uint64_t frames, uint64_t flags);
/** parvus_domain_write() - copy into a domain's memory */
PARVUS_API int parvus_domain_write(struct parvus *h, uint32_t domain, uint64_t gpa,
				   const void *data, uint64_t bytes);
/**
 * parvus_domain_read() - copy a domain's memory out
 * @left: how many bytes at the end were not copied; may be NULL
 */
PARVUS_API int parvus_domain_read(struct parvus *h, uint32_t domain, uint64_t gpa, void *data,
				  uint64_t bytes, uint64_t *left);
/** parvus_domain_offer() - grant the frame at @gfn of @domain to domain @to */
PARVUS_API int parvus_domain_offer(struct parvus *h, uint32_t domain, uint32_t to, uint64_t gfn,
				   uint32_t flags, uint32_t *ref);
/** parvus_domain_port() - an event port of @domain that domain @to may bind to */
PARVUS_API int parvus_domain_port(struct parvus *h, uint32_t domain, uint32_t to, uint32_t *port);
/** parvus_domain_start() - let its first vCPU begin at @entry, with page table @root */
PARVUS_API int parvus_domain_start(struct parvus *h, uint32_t domain, uint64_t entry, uint64_t root,
				   uint64_t start_info);
/** parvus_domain_pause() - stop its vCPUs */
PARVUS_API int parvus_domain_pause(struct parvus *h, uint32_t domain);
/** parvus_domain_unpause() - let them run */
PARVUS_API int parvus_domain_unpause(struct parvus *h, uint32_t domain);
/** parvus_domain_destroy() - end it at once; it is gone then, but for frames that others map */
PARVUS_API int parvus_domain_destroy(struct parvus *h, uint32_t domain);
/** parvus_domain_vcpus() - ask it to have so many vCPUs online, of those that it may start */
PARVUS_API int parvus_domain_vcpus(struct parvus *h, uint32_t domain, uint32_t online);
/** parvus_domain_request() - ask it to do PARVUS_REQUEST_POWEROFF or _REBOOT */
PARVUS_API int parvus_domain_request(struct parvus *h, uint32_t domain, uint32_t request);
/** parvus_domain_memory() - set what @flags (PARVUS_MEMORY_SET_*) name of maximum and target */
PARVUS_API int parvus_domain_memory(struct parvus *h, uint32_t domain, uint32_t flags,
				    uint64_t max_frames, uint64_t target_frames);
/** parvus_domain_sched() - set what @flags (PARVUS_SCHED_SET_*) name, and read both */
PARVUS_API int parvus_domain_sched(struct parvus *h, uint32_t domain, uint32_t flags,
				   uint32_t *weight, uint32_t *cap);
/**
 * struct parvus_cpus - a set of CPUs
 * @word: CPU n is bit n mod 64 of word n / 64
 */
struct parvus_cpus {
	uint64_t word[PARVUS_CPU_WORDS];
};

/** parvus_vcpu() - state, place, affinity and statistics of a vCPU */
PARVUS_API int parvus_vcpu(struct parvus *h, uint32_t domain, uint32_t vcpu,
			   struct parvus_control_vcpu *v);
/** parvus_vcpu_pin() - on which CPUs it may run: bit n = CPU n */
PARVUS_API int parvus_vcpu_pin(struct parvus *h, uint32_t domain, uint32_t vcpu,
			       const struct parvus_cpus *cpus);
/** parvus_vcpu_regs() - its registers; of a paused or ended domain */
PARVUS_API int parvus_vcpu_regs(struct parvus *h, uint32_t domain, uint32_t vcpu,
				struct parvus_control_regs *r);
/** parvus_log() - the hypervisor's log from position l->from on */
PARVUS_API int parvus_log(struct parvus *h, struct parvus_control_log *l);
/** parvus_trace() - trace records of CPU t->cpu from t->from on; t->flags may set t->mask */
PARVUS_API int parvus_trace(struct parvus *h, struct parvus_control_trace *t);

/* ---- names ------------------------------------------------------------------------ */

/** PARVUS_NAME_BYTES - of the longest name, with the zero behind it */
#define PARVUS_NAME_BYTES	256u
/** parvus_name_ok() - may a domain be called so? letters, digits, . _ + - and not a number */
PARVUS_API bool parvus_name_ok(const char *name);
/**
 * parvus_name() - what a domain is called
 * @i: as parvus_domain_info() and others gave it
 *
 * The hypervisor's label (i->name) has 31 bytes. A longer name has a file in the domain's folder,
 * and its label is the beginning of it with a sum of the whole. Returns @name.
 */
PARVUS_API const char *parvus_name(struct parvus *h, const struct parvus_control_info *i,
				   char name[PARVUS_NAME_BYTES]);
/** parvus_label() - the label of a domain of that name: the name itself, if it is no longer */
PARVUS_API const char *parvus_label(const char *name, char label[PARVUS_NAME_MAX]);
/** parvus_find() - the domain with this name, or this number */
PARVUS_API int parvus_find(struct parvus *h, const char *name, struct parvus_control_info *i);
/** parvus_domain_rename() - give it a name that no other domain has */
PARVUS_API int parvus_domain_rename(struct parvus *h, uint32_t domain, const char *name);
/**
 * parvus_list() - all domains, ordered by number
 * @list: to be given to free()
 */
PARVUS_API int parvus_list(struct parvus *h, struct parvus_control_info **list, size_t *n);
/** parvus_reason_text() - "poweroff", "reboot", "crash", "killed", ... */
PARVUS_API const char *parvus_reason_text(uint32_t reason);

/** parvus_folder() - make a folder, which is root's alone, with those above it */
PARVUS_API int parvus_folder(const char *path);
/** parvus_run_path() - path of @file of a domain's folder below the run directory */
PARVUS_API int parvus_run_path(struct parvus *h, uint32_t domain, const char *file, char *path,
			       size_t bytes);

/* ---- configuration ---------------------------------------------------------------- */

enum parvus_action {
	PARVUS_ACTION_DESTROY,
	PARVUS_ACTION_RESTART,
	PARVUS_ACTION_PRESERVE,
	PARVUS_ACTION_RENAME_RESTART,
	PARVUS_ACTION_COREDUMP_DESTROY,
	PARVUS_ACTION_COREDUMP_RESTART,
};

/** parvus_action_text() - as it is written in a configuration */
PARVUS_API const char *parvus_action_text(enum parvus_action action);

/**
 * struct parvus_disk - one entry of disk = [...]
 * @spec: as it was written
 * @target: file or block device of the back end; NULL = empty drive
 * @format: "raw", "qcow2", ...
 * @vdev: name in the guest
 * @backend: domain that serves it; NULL = domain 0
 * @program: a program serves it (backendtype=program)
 * @shared: others may use its file at the same time (access=rw!)
 * @index: number of the disk, from @vdev; -1 = of none that there can be
 * @queues: at most; 0 = the back end decides
 * @iops: requests in a second, at most; 0 = no limit
 * @bps: bytes in a second, at most; 0 = no limit
 */
struct parvus_disk {
	char *spec, *target, *format, *vdev, *backend, *backendtype, *script;
	bool readonly, cdrom, discard, no_discard, program, shared;
	int index;
	uint32_t queues, iops;
	uint64_t bps;
};

/**
 * struct parvus_vif - one entry of vif = [...]
 * @spec: as it was written; of a whole configuration with devid and mac, as they were given or
 *	chosen
 * @macfilter: it may send from mac alone; else from 64 addresses at most
 * @index: devid; -1 = not given
 * @mtu: 0 = 1500
 * @queues: at most; 0 = the back end decides
 * @bytes_per_second: of rate=; 0 = no limit
 * @interval_us: of rate=, over which the limit holds; 0 = 50 ms
 */
struct parvus_vif {
	char *spec, *bridge, *script, *ip, *ifname, *backend, *model, *type, *rate, *gatewaydev;
	uint8_t mac[6];
	bool has_mac, macfilter;
	int index;
	uint32_t mtu, queues, interval_us;
	uint64_t bytes_per_second;
};

/** PARVUS_CLASS_OWN - the first class that is free for anybody (parvus/device.h) */
#define PARVUS_CLASS_OWN	0x100u
/**
 * struct parvus_own - one entry of device = [...]: a device of a class of one's own
 * @spec: the text that gives it again
 * @config: file with what the toolstack configures, PARVUS_DEVICE_BLOB bytes at most; NULL = zeroes
 * @backend: domain that serves it; NULL = domain 0
 * @program: serves it, and is kept running; NULL = whoever comes does
 * @detach: flag in the second word of the configuration that asks the ends to let go; 0 = none
 */
struct parvus_own {
	char *spec, *config, *backend, *program;
	char *channel, *connection, *path;	/* its name, "socket" or "pty", where it is here */
	uint32_t device_class, index, detach;
};

/**
 * struct parvus_config - what a configuration file says
 * @memory: MiB at the start
 * @maxmem: MiB it may grow to
 * @vcpus: at the start
 * @maxvcpus: at most
 * @affinity: CPUs of each vCPU; none = all
 * @warnings: what was odd but not wrong, each with its place
 *
 * Strings are never NULL where they are required (name, kernel), else NULL = not given.
 */
struct parvus_config {
	char *name, *kernel, *ramdisk, *cmdline, *uuid;
	uint64_t memory, maxmem;
	uint32_t vcpus, maxvcpus;
	uint32_t weight, cap;
	struct parvus_cpus affinity[PARVUS_MAX_VCPUS];
	enum parvus_action on_poweroff, on_reboot, on_crash;
	bool overcommit;
	struct parvus_disk *disks;
	size_t ndisks;
	struct parvus_vif *vifs;
	size_t nvifs;
	struct parvus_own *own;
	size_t nown;
	char **warnings;
	size_t nwarnings;
	/* "pygrub" where no kernel was named; @kernel is what is started if the disk has none */
	char *bootloader, *bootloader_args;
	char *cpuid;	/* as it was given, entries of a list on lines; NULL = all of the host */
};

/**
 * parvus_config_load() - read a configuration file
 * @file: its path; NULL = none, all comes from @overrides
 * @overrides: n texts "key=value" that win over the file; a value that is no string, list or
 *	number is taken as a string
 */
PARVUS_API int parvus_config_load(struct parvus_error *e, const char *file, char *const overrides[],
				  size_t n, struct parvus_config **c);
/** parvus_config_parse() - the same from memory; @file names it in messages */
PARVUS_API int parvus_config_parse(struct parvus_error *e, const char *file, const char *text,
				   size_t bytes, char *const overrides[], size_t n,
				   struct parvus_config **c);
/** parvus_config_text() - the configuration as a file that gives it again; free() it */
PARVUS_API int parvus_config_text(struct parvus_error *e, const struct parvus_config *c,
				  char **text);
/** parvus_config_uuid() - the configuration's; of none, or without one, the domain's own, by @i */
PARVUS_API void parvus_config_uuid(const struct parvus_config *c,
				   const struct parvus_control_info *i, char uuid[40]);
/** parvus_config_free() - free a configuration; NULL is allowed */
PARVUS_API void parvus_config_free(struct parvus_config *c);

/**
 * parvus_cpus_parse() - a set of CPUs, "0-3,^2", "all"
 * @cpus: all ones for "all"
 */
PARVUS_API int parvus_cpus_parse(struct parvus_error *e, const char *text,
				 struct parvus_cpus *cpus);
/** parvus_cpus_text() - the other way; those of a machine of @n make "all" */
PARVUS_API void parvus_cpus_text(const struct parvus_cpus *cpus, uint32_t n, char *text,
				 size_t bytes);
/** parvus_cpus_keep() - of the set those below @n; says whether there is one */
PARVUS_API bool parvus_cpus_keep(struct parvus_cpus *cpus, uint32_t n);

/* ---- kernel images ------------------------------------------------------------------ */

struct parvus_segment {
	uint64_t gpa, bytes, memory;	/* place, bytes of the file, bytes in memory */
	const void *data;
};

/**
 * struct parvus_image - a kernel, unpacked
 * @low: first byte in memory; @high: behind the last
 */
struct parvus_image {
	uint64_t entry, root, features_required;
	uint64_t low, high;
	size_t nsegments;
	struct parvus_segment *segments;
	void *file;	/* the library's: what data points into */
};

/**
 * parvus_image_load() - a kernel from a vmlinux or bzImage, packed or not
 *
 * The file may come from a guest and is not trusted: no size in it is believed, and no more
 * than PARVUS_IMAGE_MAX bytes of memory are used for the file, and for what is in it.
 */
PARVUS_API int parvus_image_load(struct parvus_error *e, const char *path,
				 struct parvus_image **image);
/** parvus_image_parse() - the same from memory; @name is for messages */
PARVUS_API int parvus_image_parse(struct parvus_error *e, const char *name, const void *data,
				  size_t bytes, struct parvus_image **image);
/** parvus_image_free() - free an image; NULL is allowed */
PARVUS_API void parvus_image_free(struct parvus_image *image);

#define PARVUS_IMAGE_MAX (512ul << 20)

/* ---- building ----------------------------------------------------------------------- */

/**
 * struct parvus_build - how to build, and what came of it
 * @extra: @extra_bytes that follow the ramdisk, at a multiple of 4 (another cpio archive)
 * @progress: NULL, or told the bytes copied
 * @domain: [out] its number
 * @console_ref: [out] grant of the console page, for domain 0
 * @console_port: [out] its event port
 * @told: [out] "", or which kernel was taken for a bootloader's, and why, for a person
 */
#define PARVUS_TOLD 500
struct parvus_build {
	const void *extra;
	size_t extra_bytes;
	parvus_progress *progress;
	void *progress_arg;
	uint32_t domain, console_ref, console_port;
	char told[PARVUS_TOLD];
};

/**
 * parvus_build() - make a domain of a configuration, ready to run but paused
 *
 * It belongs to the handle until parvus_domain_commit(). After a failure nothing is left.
 */
PARVUS_API int parvus_build(struct parvus *h, const struct parvus_config *c,
			    struct parvus_build *b);

/* ---- devices ------------------------------------------------------------------------- */

/** parvus_device_create() - of class, index, domains and config in @d; id is the answer */
PARVUS_API int parvus_device_create(struct parvus *h, struct parvus_device *d);
/** parvus_device_remove() - remove a device, at once; both its ends are told */
PARVUS_API int parvus_device_remove(struct parvus *h, uint32_t id);
/** parvus_device_configure() - replace the configuration of a device; both its ends are told */
PARVUS_API int parvus_device_configure(struct parvus *h, uint32_t id, const void *config,
				       size_t bytes);
/** parvus_device_read() - a device as the registry has it now */
PARVUS_API int parvus_device_read(struct parvus *h, uint32_t id, struct parvus_device *d);
/** parvus_device_next() - the first device with a larger id; -ENOENT after the last */
PARVUS_API int parvus_device_next(struct parvus *h, uint32_t after, struct parvus_device *d);
/** parvus_device_find() - a domain's device by its class and index; -ENOENT if there is none */
PARVUS_API int parvus_device_find(struct parvus *h, uint32_t domain, uint32_t device_class,
				  uint32_t index, struct parvus_device *d);
/** parvus_device_state_text() - "closed", "initialising", "ready", "connected", ... */
PARVUS_API const char *parvus_device_state_text(uint32_t state);
/** parvus_device_bound() - has a driver of this kernel our end, still? */
PARVUS_API bool parvus_device_bound(uint32_t id);

/** parvus_disk_parse() - one disk, as it stands in disk = [...]; free the disk in any case */
PARVUS_API int parvus_disk_parse(struct parvus_error *e, const char *spec, struct parvus_disk *d);
/** parvus_disk_free() - free what parvus_disk_parse() made */
PARVUS_API void parvus_disk_free(struct parvus_disk *d);
/** parvus_disk_text() - write spec anew from the other members */
PARVUS_API int parvus_disk_text(struct parvus_error *e, struct parvus_disk *d);
/** parvus_number_parse() - a whole number from @min to @max, and nothing else */
PARVUS_API bool parvus_number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *n);
/**
 * parvus_disk_index() - 0 for xvda, sda, hda, vda, d0; -1 for what is no disk
 *
 * A partition such as xvda2 or d0p2, as a disk of its own, is 2 << 16 above that of the whole one.
 */
PARVUS_API int parvus_disk_index(const char *vdev);
/** parvus_disk_name() - "xvda" for 0, "xvda2" for 2 << 16 */
PARVUS_API void parvus_disk_name(uint32_t index, char name[16]);
/** parvus_size_parse() - bytes, with a suffix k, m, g or t or without one */
PARVUS_API bool parvus_size_parse(const char *text, uint64_t *bytes);
/** parvus_vif_parse() - one interface of domain @name; without devid= and mac= it gets @index */
PARVUS_API int parvus_vif_parse(struct parvus_error *e, const char *name, const char *spec,
				int index,
				struct parvus_vif *v);
/** parvus_vif_free() - free what parvus_vif_parse() made */
PARVUS_API void parvus_vif_free(struct parvus_vif *v);

/* Classes of devices that have a name: ours, and lines "NUMBER NAME" of /etc/parvus/classes. */
#define PARVUS_CLASS_NAME	32u
/** parvus_class_number() - of a number (0x101) or a name */
PARVUS_API int parvus_class_number(struct parvus_error *e, const char *text, uint32_t *number);
/** parvus_class_name() - "" for one without */
PARVUS_API void parvus_class_name(uint32_t number, char name[PARVUS_CLASS_NAME]);
/** parvus_classes() - all that have one, in no order; a line that is none is passed over */
PARVUS_API void parvus_classes(void (*each)(void *arg, uint32_t number, const char *name),
			       void *arg);

/** parvus_own_parse() - one device of an own class, as in device = [...]; free it in any case */
PARVUS_API int parvus_own_parse(struct parvus_error *e, const char *spec, struct parvus_own *d);
/** parvus_own_free() - free what parvus_own_parse() made */
PARVUS_API void parvus_own_free(struct parvus_own *d);
/** parvus_own_device() - class, index and config of @device; its file is read now */
PARVUS_API int parvus_own_device(struct parvus_error *e, const struct parvus_own *d,
				 struct parvus_device *device);

/**
 * struct parvus_backing - a block device of this domain that a disk lies on
 * @fd: a loop device, which is there as long as this or the back end has it open; else -1
 * @major: of the block device; 0 and 0 = none
 * @nbd: number of the nbd device that qemu-nbd serves; -1 = none
 * @mark: what tells that qemu-nbd from others, when numbers have come back
 * @lock: the file, locked against other machines and programs; -1 = none
 */
#define PARVUS_NBD_MARK 64
struct parvus_backing {
	int fd, lock;
	uint32_t major, minor;
	int nbd;
	char mark[PARVUS_NBD_MARK];
};

/**
 * parvus_disk_open() - get the block device of a disk
 *
 * @mark: for a qemu-nbd: nothing else has it
 *
 * A block device as it is; a raw file by a loop device; other formats by qemu-nbd. Whether another
 * disk uses it is asked by who makes the device, a keeper; here a raw file is locked (flock)
 * against other machines and programs that lock, which have 5 s to let go.
 */
PARVUS_API int parvus_disk_open(struct parvus *h, const struct parvus_disk *d, const char *mark,
				struct parvus_backing *b);
/**
 * parvus_disk_adopt() - hold the loop device that a device names in its configuration
 * @d: the disk, whose file is locked if it can be; may be NULL
 */
PARVUS_API void parvus_disk_adopt(const struct parvus_device *device, const struct parvus_disk *d,
				  struct parvus_backing *b);
/** parvus_disk_resized() - let the block device have the size of its file */
PARVUS_API int parvus_disk_resized(struct parvus_error *e, const struct parvus_backing *b);
/** parvus_disk_close() - let go of it: a loop device goes with its last user, an nbd device now */
PARVUS_API void parvus_disk_close(struct parvus *h, struct parvus_backing *b);
/** parvus_disk_device() - class, index and config of @device, from disk and backing */
PARVUS_API void parvus_disk_device(const struct parvus_disk *d, const struct parvus_backing *b,
				   struct parvus_device *device);
/** parvus_vif_bridge() - its own, or the usual one that is there; NULL: there is none */
PARVUS_API const char *parvus_vif_bridge(const struct parvus_vif *v);
/** parvus_vif_device() - class, index and config of @device, from an interface */
PARVUS_API void parvus_vif_device(const struct parvus_vif *v, struct parvus_device *device);

/** enum parvus_net - what parvus_net() does to the network interface @name of this domain */
enum parvus_net {
	PARVUS_NET_INDEX,	/* its number; -ENODEV = there is none */
	PARVUS_NET_IS_BRIDGE,	/* 0 or 1 */
	PARVUS_NET_MTU,		/* set to @value */
	PARVUS_NET_JOIN,	/* @bridge; that it has joined before is no error */
	PARVUS_NET_UP,		/* if @value, else down */
	PARVUS_NET_DISTRUST,	/* take neither routes nor addresses from who speaks on it */
};
/** parvus_net() - do @op; 0 or what the operation gives, or a negative errno */
PARVUS_API int parvus_net(enum parvus_net op, const char *name, const char *bridge, uint32_t value);
/** parvus_net_watch() - a descriptor that is readable when an interface has changed */
PARVUS_API int parvus_net_watch(void);

/**
 * parvus_program() - run a program of the system to its end
 * @argv: its name, which is looked for in PATH, /usr/sbin and /sbin, and its arguments
 * @input: its standard input; NULL = none
 * @said: the first line that it wrote, on stdout or stderr
 *
 * Its status; 127 = it is not there; -1 = it could not be run, or died of a signal. What it leaves
 * in the background is not waited for.
 */
PARVUS_API int parvus_program(char *const argv[], const char *input, char *said, size_t bytes);

/** parvus_standard_files() - a program that was started without 0, 1 or 2 has /dev/null there */
PARVUS_API void parvus_standard_files(void);
/** parvus_close_others() - before exec: close all but 0, 1, 2 and @keep (-1: none) */
PARVUS_API void parvus_close_others(int keep);

/* ---- the state of a monitor ------------------------------------------------------------- */

/**
 * struct parvus_state_device - what is known of a device outside the registry
 * @id: in the registry; 0 = it was being made
 * @nbd: number of the nbd device that it lies on; -1 = none
 */
struct parvus_state_device {
	uint32_t device_class, index, id;
	int nbd;
};

/**
 * struct parvus_state - all that a monitor has to know to serve a domain that runs
 * @created_ns: of the domain, which tells it from another one with this number
 * @console_ref: grant of its console page
 * @console_port: event port of its console
 * @devices_made: all disks and interfaces of the configuration have been made
 * @ended: the domain has ended, and what on_poweroff, on_reboot or on_crash say was begun
 * @quick_ends: how often in a row it ended soon after its start
 * @config: with what was attached and changed since
 *
 * RUN/domains/ID/state holds it; docs/monitor-state.md is the format.
 */
struct parvus_state {
	uint32_t domain, console_ref, console_port, quick_ends;
	uint64_t created_ns;
	bool devices_made, ended;
	struct parvus_state_device devices[PARVUS_DEVICES_DOMAIN];
	size_t ndevices;
	struct parvus_config *config;
};

/** parvus_state_parse() - read a state; @name is for messages. -ENOTSUP: of another version */
PARVUS_API int parvus_state_parse(struct parvus_error *e, const char *name, const char *text,
				  size_t bytes, struct parvus_state *s);
/** parvus_state_text() - the other way; free() it */
PARVUS_API int parvus_state_text(struct parvus_error *e, const struct parvus_state *s, char **text,
				 size_t *bytes);
/** parvus_state_free() - free what is in it, not the structure */
PARVUS_API void parvus_state_free(struct parvus_state *s);
/** parvus_state_load() - the state of a domain's monitor; -ENOENT if there is none */
PARVUS_API int parvus_state_load(struct parvus *h, uint32_t domain, struct parvus_state *s);
/** parvus_state_save() - write it, whole or not at all */
PARVUS_API int parvus_state_save(struct parvus *h, const struct parvus_state *s);
/**
 * parvus_state_start() - make the folder of a domain that was built, with its first state
 *
 * Folders of domains that are gone are swept away before.
 */
PARVUS_API int parvus_state_start(struct parvus *h, const struct parvus_config *c,
				  const struct parvus_build *b);
/** parvus_restart_failed() - keep beside the state why the domain could not be made again */
PARVUS_API void parvus_restart_failed(struct parvus *h, uint32_t domain, const char *why);
/** parvus_restart_why() - what was kept; false: nothing */
PARVUS_API bool parvus_restart_why(struct parvus *h, uint32_t domain, char *why, size_t bytes);
/** parvus_state_served() - 1: a monitor works on it; 0: it has lost its own; -ENOENT: no record */
PARVUS_API int parvus_state_served(struct parvus *h, uint32_t domain);
/** parvus_state_remove() - remove the folder of a domain */
PARVUS_API void parvus_state_remove(struct parvus *h, uint32_t domain);

/* ---- a domain's disks and interfaces --------------------------------------------------------- */

struct parvus_keeper;

/**
 * struct parvus_keeper_ops - what a keeper tells its program
 * @say: something for a log; may be NULL
 * @answer: @request, which had to wait, is done (NULL), or why not; once for each that returned 1
 * @arg: for both
 */
struct parvus_keeper_ops {
	void (*say)(void *arg, const char *text);
	void (*answer)(void *arg, int request, const char *error);
	void *arg;
};

/**
 * parvus_create() - make a domain of a configuration with its disks and interfaces
 * @b: how to build, and what came of it, as of parvus_build()
 * @keeper: [out] of its devices
 *
 * It is ready to run but paused, and belongs to the handle until parvus_domain_commit(). After a
 * failure nothing is left: no domain, device, loop or nbd device, program or folder. -ECANCELED:
 * somebody destroyed the domain meanwhile.
 */
PARVUS_API int parvus_create(struct parvus *h, const struct parvus_config *c,
			     struct parvus_build *b,
			     const struct parvus_keeper_ops *ops,
			     struct parvus_keeper **keeper);
/**
 * parvus_create_check() - would parvus_create() find what it needs: files, disks, bridges?
 * @domain: disks of this one, which is to be made again, do not count as used
 *
 * Nothing is made or changed. Memory is not looked at.
 */
PARVUS_API int parvus_create_check(struct parvus *h, const struct parvus_config *c,
				   uint32_t domain);
/**
 * parvus_keeper_open() - become the keeper of a domain that has a state
 *
 * One program at a time can: -EBUSY.
 */
PARVUS_API int parvus_keeper_open(struct parvus *h, uint32_t domain,
				  const struct parvus_keeper_ops *ops,
				  struct parvus_keeper **keeper);
/**
 * parvus_keeper_start() - make the devices of the configuration, or adopt those that were made
 *
 * After a failure nothing is left of those that it made.
 */
PARVUS_API int parvus_keeper_start(struct parvus_keeper *k);
/** parvus_keeper_end() - the domain has ended: remove its devices, and let go of everything */
PARVUS_API void parvus_keeper_end(struct parvus_keeper *k);
/** parvus_keeper_close() - be the keeper no more; devices that there are stay, for the next one */
PARVUS_API void parvus_keeper_close(struct parvus_keeper *k);
/** parvus_keeper_state() - what it works with; after a change of it, parvus_keeper_save() */
PARVUS_API struct parvus_state *parvus_keeper_state(struct parvus_keeper *k);
/** parvus_keeper_save() - write the state; the devices in it are taken from the keeper */
PARVUS_API int parvus_keeper_save(struct parvus_keeper *k);

#define PARVUS_KEEPER_FDS (1u + PARVUS_DEVICES_DOMAIN)
/**
 * parvus_keeper_poll() - what to poll() for, beside other things, before parvus_keeper_work()
 * @fds: room for PARVUS_KEEPER_FDS, of which @n are used
 *
 * Returns how long to wait at most, in ms; -1 = for ever.
 */
PARVUS_API int parvus_keeper_poll(struct parvus_keeper *k, struct pollfd *fds, size_t *n);
/** parvus_keeper_work() - do what there is to do, after poll() */
PARVUS_API void parvus_keeper_work(struct parvus_keeper *k, const struct pollfd *fds, size_t n);

/**
 * parvus_keeper_attach_disk() - give the domain another disk; @spec is as in disk = [...]
 * @request: a number of the caller's, >= 0
 *
 * 1: it is under way, and ops->answer() will be called for @request. What is attached becomes part
 * of the configuration.
 */
PARVUS_API int parvus_keeper_attach_disk(struct parvus_keeper *k, const char *spec, int request);
/** parvus_keeper_attach_own() - the same, another device of an own class, as in device = [...] */
PARVUS_API int parvus_keeper_attach_own(struct parvus_keeper *k, const char *spec, int request);
/** parvus_keeper_attach_vif() - the same, another interface, as in vif = [...] */
PARVUS_API int parvus_keeper_attach_vif(struct parvus_keeper *k, const char *spec, int request);
/**
 * parvus_keeper_detach() - take a disk or interface
 * @force: at once (0); without it the domain finishes with it first (1, as above)
 */
PARVUS_API int parvus_keeper_detach(struct parvus_keeper *k, uint32_t device_class, uint32_t index,
				    bool force, int request);
/** parvus_keeper_limit_disk() - change limits of a disk; NULL = as it is, 0 = no limit */
PARVUS_API int parvus_keeper_limit_disk(struct parvus_keeper *k, uint32_t index,
					const uint32_t *iops,
					const uint64_t *bps);
/** parvus_keeper_resize_disk() - let a disk have the new size of its file or block device */
PARVUS_API int parvus_keeper_resize_disk(struct parvus_keeper *k, uint32_t index);
/** parvus_keeper_change_medium() - put another medium into a CD drive; NULL or "" = none */
PARVUS_API int parvus_keeper_change_medium(struct parvus_keeper *k, uint32_t index,
					   const char *target);
/**
 * parvus_keeper_configure() - another configuration, from the next start on
 * @c: belongs to the keeper then; its name, disks, interfaces and devices are not looked at
 */
PARVUS_API int parvus_keeper_configure(struct parvus_keeper *k, struct parvus_config *c);

/* ---- console -------------------------------------------------------------------------- */

struct parvus_console;

/**
 * parvus_console_open() - serve the console of a domain
 * @ref: its grant
 * @port: its event port
 *
 * One program at a time can.
 */
PARVUS_API int parvus_console_open(struct parvus *h, uint32_t domain, uint32_t ref, uint32_t port,
				   struct parvus_console **console);
/** parvus_console_close() - let go of a console; NULL is allowed */
PARVUS_API void parvus_console_close(struct parvus_console *console);
/** parvus_console_fd() - readable when the domain did something; then read and write */
PARVUS_API int parvus_console_fd(const struct parvus_console *console);
/** parvus_console_ack() - to be called when the descriptor is readable, before reading */
PARVUS_API int parvus_console_ack(struct parvus_console *console);
/**
 * parvus_console_read() - output of the domain; 0 = none now, and the file becomes readable with
 * the next. -EPROTO, once, if the domain broke the ring: there will be none. Never waits
 */
PARVUS_API ssize_t parvus_console_read(struct parvus_console *console, void *data, size_t bytes);
/** parvus_console_waits() - is there output to read? If not, the file becomes readable with it */
PARVUS_API bool parvus_console_waits(struct parvus_console *console);
/**
 * parvus_console_write() - input for the domain; returns how much there was room for. If that is
 * not all, the file becomes readable when there is room again
 */
PARVUS_API ssize_t parvus_console_write(struct parvus_console *console, const void *data,
					size_t bytes);
/**
 * parvus_console_connect() - a stream socket to the monitor of a domain
 *
 * It gives what the domain wrote of late, then what it writes; what is sent is typed.
 * -ECONNREFUSED: no monitor serves it.
 */
PARVUS_API int parvus_console_connect(struct parvus *h, uint32_t domain);

/* ---- core files --------------------------------------------------------------------------- */

/**
 * parvus_core_write() - an ELF core file of a paused or ended domain
 * @fd: a new, seekable file
 *
 * gdb opens it with the vmlinux of the guest. Zeroes are holes in the file.
 */
PARVUS_API int parvus_core_write(struct parvus *h, uint32_t domain, int fd,
				 parvus_progress *progress, void *arg);

/* ---- saved domains ------------------------------------------------------------------------ */

/**
 * struct parvus_stream_info - what the stream of a saved domain says (docs/life-cycle.md)
 * @config: text of its configuration, a zero behind it: words of another machine
 * @version: of the format
 * @abi: of the hypervisor that it ran on
 * @gfns: its guest-physical space, in frames
 * @ram_frames: of them RAM that it may ever have
 * @max_frames: frames it may have now
 * @target_frames: frames it shall have
 * @frames: frames it had; those of no page in the stream are zero
 * @demand: RAM that has no frame yet
 * @vcpus: it may start
 * @pages: pages in the stream, one of several for the same frame each
 * @page_bytes: bytes that they take, packed
 * @console_bytes: of what it wrote of late
 * @contexts: records that the hypervisor takes
 * @passed_over: records of types that nobody has to know, and this version does not
 * @records: all, the last one too
 * @bytes: of the whole stream
 * @sha256: of the header and of the heads of all records before the last, which hold the sums
 *	of what follows them
 */
struct parvus_stream_info {
	char *config;
	size_t config_bytes;
	uint32_t version, abi;
	uint64_t gfns, ram_frames, max_frames, target_frames, frames, demand;
	uint32_t vcpus;
	uint64_t pages, page_bytes;
	uint32_t console_bytes, contexts, passed_over;
	uint64_t records, bytes;
	uint8_t sha256[32];
};

/**
 * parvus_stream_check() - read the stream of a saved domain to its end, and check all of it
 * @name: of the file, for messages
 * @fd: is read from where it is; a pipe will do
 * @progress: NULL, or told the bytes read, of 0 where nobody knows how many there are
 *
 * After a failure, which names record and place, nothing is in @i.
 */
PARVUS_API int parvus_stream_check(struct parvus_error *e, const char *name, int fd,
				   parvus_progress *progress, void *arg,
				   struct parvus_stream_info *i);
/** parvus_stream_free() - free what parvus_stream_check() has filled in */
PARVUS_API void parvus_stream_free(struct parvus_stream_info *i);

/**
 * parvus_domain_suspend() - stop its vCPUs, let back ends go of its devices, and wait for both
 * @console_ref: grant of its console, which its monitor goes on to use
 *
 * Nobody but the hypervisor writes its memory then. After a failure, of a back end that does not
 * let go too, the domain is as it was. What has ended stays as it is.
 */
PARVUS_API int parvus_domain_suspend(struct parvus *h, uint32_t domain, uint32_t console_ref);
/** parvus_domain_resume() - give the devices back, and let the vCPUs run if @unpause */
PARVUS_API int parvus_domain_resume(struct parvus *h, uint32_t domain, bool unpause);

/**
 * struct parvus_save - how to save, and what came of it
 * @level: of zstd; 0 = not packed
 * @console: @console_bytes that it wrote of late, 64 KiB at most
 * @progress: NULL, or told the frames that were read
 * @frames: [out] frames it had
 * @pages: [out] pages in the stream
 * @bytes: [out] of the stream
 */
struct parvus_save {
	int level;
	const void *console;
	size_t console_bytes;
	parvus_progress *progress;
	void *progress_arg;
	uint64_t frames, pages, bytes;
};

/**
 * parvus_save() - write a suspended domain into a stream
 * @state: its state, of which configuration and console are used
 * @name: of the file, for messages
 * @fd: is written from where it is; a pipe will do
 *
 * The domain stays suspended, whatever comes of it.
 */
PARVUS_API int parvus_save(struct parvus *h, const struct parvus_state *state, const char *name,
			   int fd, struct parvus_save *o);

/** PARVUS_HISTORY_FILE - in a domain's folder: what it wrote of late, from and for its monitor */
#define PARVUS_HISTORY_FILE	"history"
/** PARVUS_HELD_FILE - in a domain's folder: somebody saves it; a monitor lets it go on */
#define PARVUS_HELD_FILE	"held"

struct parvus_context_device;
/**
 * struct parvus_restore - how to restore, and what came of it; zeroed
 * @given: configuration in place of the stream's; NULL = that one
 * @trusted: what the stream's configuration names on this machine is followed
 * @progress: NULL, or told the pages that were written, of the frames that there are
 * @build: [out] domain, console_ref, console_port
 * @own: [out] the stream's configuration, if it was taken
 * @devices: [out] as they were, for its keeper
 * @console: [out] @console_bytes that it wrote of late
 * @ended: [out] it had ended when it was saved
 */
struct parvus_restore {
	const struct parvus_config *given;
	bool trusted;
	parvus_progress *progress;
	void *progress_arg;
	struct parvus_build build;
	struct parvus_config *own;
	struct parvus_context_device *devices;
	size_t ndevices;
	void *console;
	size_t console_bytes;
	bool ended;
	uint64_t frames, pages, bytes;
};

/**
 * parvus_restore() - make a domain of a stream, all but its devices
 *
 * It belongs to the handle until parvus_restore_commit(). After a failure nothing is left.
 */
PARVUS_API int parvus_restore(struct parvus *h, const char *name, int fd, struct parvus_restore *r);
/** parvus_restore_state() - make its folder; a keeper can make its devices then */
PARVUS_API int parvus_restore_state(struct parvus *h, const struct parvus_restore *r);
/** parvus_restore_commit() - let it outlive this handle, and run if @unpause */
PARVUS_API int parvus_restore_commit(struct parvus *h, const struct parvus_restore *r,
				     bool unpause);
/** parvus_restore_free() - free what parvus_restore() has made, not the domain */
PARVUS_API void parvus_restore_free(struct parvus_restore *r);

#ifdef __cplusplus
}
#endif

#endif
