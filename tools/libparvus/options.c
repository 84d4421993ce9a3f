// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libparvus: settings of xl.cfg(5) that do nothing here, and why. docs/xl.md has the same table,
 * made from this one (tools/xl-table): each line is a setting, what is done, and the reason.
 */
#include "internal.h"

#include <string.h>

#define HVM	"is of HVM domains, ignored"
#define XM	"is for xm and its boot by NFS, ignored: say it in extra"
#define DEVICE	"no device of the machine is given to a domain"
#define NONE	"there is no such device"

static const struct {
	const char *key;
	bool refused;		/* if it says anything; else a warning */
	const char *why;
} options[] = {
	{ "pci", true, DEVICE },
	{ "dtdev", true, DEVICE },
	{ "iomem", true, DEVICE },
	{ "ioports", true, DEVICE },
	{ "irqs", true, DEVICE },
	{ "usbctrl", true, DEVICE },
	{ "usbdev", true, DEVICE },
	{ "vtpm", true, NONE },
	{ "p9", true, "no folder is shared with a domain (a disk, the network, run --copy-in)" },
	{ "vdispl", true, NONE },
	{ "vsnd", true, NONE },
	{ "vkb", true, NONE },
	{ "pvcalls", true, NONE },
	{ "virtio", true, NONE },
	{ "vfb", false, "there is no frame buffer, ignored: the console is the display" },
	{ "driver_domain", false, "needs no word, ignored: backend= of a disk or vif names it" },
	{ "on_watchdog", false, "means nothing here, ignored" },
	{ "on_soft_reset", false, "means nothing here, ignored" },
	{ "cpus_soft", false, "is a wish: a vCPU has one set of CPUs, that of cpus, ignored" },
	{ "nodes", false, "there is one node, ignored" },
	{ "vnuma", false, "there is one node, ignored" },
	{ "pool", false, "there is one pool of CPUs, ignored" },
	{ "tsc_mode", false, "the hypervisor decides about the TSC, ignored" },
	{ "localtime", false, "domains read UTC, ignored" },
	{ "rtc_timeoffset", false, "domains read UTC, ignored" },
	{ "e820_host", false, "the map of memory is the domain's own, ignored" },
	{ "seclabel", false, "there is no flask policy, ignored" },
	{ "init_seclabel", false, "there is no flask policy, ignored" },
	{ "max_grant_frames", false, "grants have their own bounds, ignored" },
	{ "max_maptrack_frames", false, "grants have their own bounds, ignored" },
	{ "max_grant_version", false, "grants have their own bounds, ignored" },
	{ "max_event_channels", false, "event channels have their own bounds, ignored" },
	{ "event_channels", false, "event channels have their own bounds, ignored" },
	{ "passthrough", false, DEVICE ", ignored" },
	{ "permissive", false, DEVICE ", ignored" },
	{ "pvshim", false, "is of PVH domains, ignored" },
	{ "bootloader_restrict", false, "is so always, ignored: who reads can do nothing else" },
	{ "bootloader_user", false, "is nobody always, ignored" },
	{ "dhcp", false, XM },
	{ "ip", false, XM },
	{ "netmask", false, XM },
	{ "broadcast", false, XM },
	{ "gateway", false, XM },
	{ "hostname", false, XM },
	{ "nfs_server", false, XM },
	{ "nfs_root", false, XM },
	{ "xen_shell", false, "is for xen-tools alone, ignored" },
	{ "acpi", false, HVM },
	{ "acpi_firmware", false, HVM },
	{ "acpi_laptop_slate", false, HVM },
	{ "acpi_s3", false, HVM },
	{ "acpi_s4", false, HVM },
	{ "altp2m", false, HVM },
	{ "apic", false, HVM },
	{ "bios", false, HVM },
	{ "boot", false, HVM },
	{ "device_model_args", false, HVM },
	{ "device_model_override", false, HVM },
	{ "device_model_version", false, HVM },
	{ "firmware", false, HVM },
	{ "gfx_passthru", false, HVM },
	{ "hap", false, HVM },
	{ "hdtype", false, HVM },
	{ "hpet", false, HVM },
	{ "keymap", false, HVM },
	{ "mmio_hole", false, HVM },
	{ "ms_vm_genid", false, HVM },
	{ "nestedhvm", false, HVM },
	{ "nographic", false, HVM },
	{ "nx", false, HVM },
	{ "oos", false, HVM },
	{ "opengl", false, HVM },
	{ "pae", false, HVM },
	{ "rdm", false, HVM },
	{ "sdl", false, HVM },
	{ "serial", false, HVM },
	{ "shadow_memory", false, HVM },
	{ "smbios_firmware", false, HVM },
	{ "soundhw", false, HVM },
	{ "spice", false, HVM },
	{ "spicehost", false, HVM },
	{ "spiceport", false, HVM },
	{ "stdvga", false, HVM },
	{ "timer_mode", false, HVM },
	{ "usb", false, HVM },
	{ "usbdevice", false, HVM },
	{ "usbversion", false, HVM },
	{ "vga", false, HVM },
	{ "videoram", false, HVM },
	{ "viridian", false, HVM },
	{ "vkb_device", false, HVM },
	{ "vnc", false, HVM },
	{ "vncconsole", false, HVM },
	{ "vncdisplay", false, HVM },
	{ "vnclisten", false, HVM },
	{ "vncpasswd", false, HVM },
	{ "vncunused", false, HVM },
	{ "vpt_align", false, HVM },
	{ "xen_platform_pci", false, HVM },
};

const char *pv_option_why(const char *key, bool *refused)
{
	size_t i;

	for (i = 0; i < sizeof(options) / sizeof(*options); i++)
		if (!strcmp(key, options[i].key)) {
			*refused = options[i].refused;
			return options[i].why;
		}
	return NULL;
}
