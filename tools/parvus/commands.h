/* SPDX-License-Identifier: GPL-2.0-only */
/* parvus: the commands, for the table of main.c. */
#ifndef PARVUS_COMMANDS_H
#define PARVUS_COMMANDS_H

#include "tool.h"

int cmd_create(struct tool *t);
int cmd_run(struct tool *t);
int cmd_monitor(struct tool *t);
int cmd_adopt(struct tool *t);
int cmd_console(struct tool *t);
int cmd_list(struct tool *t);
int cmd_info(struct tool *t);
int cmd_domid(struct tool *t);
int cmd_domname(struct tool *t);
int cmd_uptime(struct tool *t);
int cmd_destroy(struct tool *t);
int cmd_shutdown(struct tool *t);
int cmd_reboot(struct tool *t);
int cmd_pause(struct tool *t);
int cmd_unpause(struct tool *t);
int cmd_rename(struct tool *t);
int cmd_trigger(struct tool *t);
int cmd_not_yet(struct tool *t);
int cmd_sysrq(struct tool *t);
int cmd_vm_list(struct tool *t);
int cmd_claims(struct tool *t);
int cmd_config_update(struct tool *t);
int cmd_cp(struct tool *t);
int cmd_vcpu_list(struct tool *t);
int cmd_vcpu_pin(struct tool *t);
int cmd_vcpu_set(struct tool *t);
int cmd_sched(struct tool *t);
int cmd_mem_set(struct tool *t);
int cmd_mem_max(struct tool *t);
int cmd_top(struct tool *t);
int cmd_stat(struct tool *t);
int cmd_trace(struct tool *t);
int cmd_dmesg(struct tool *t);
int cmd_dump_core(struct tool *t);
int cmd_image_info(struct tool *t);
int cmd_save(struct tool *t);
int cmd_restore(struct tool *t);
int cmd_suspend(struct tool *t);
int cmd_resume(struct tool *t);
int cmd_block_attach(struct tool *t);
int cmd_block_detach(struct tool *t);
int cmd_block_list(struct tool *t);
int cmd_block_resize(struct tool *t);
int cmd_block_set(struct tool *t);
int cmd_cd_insert(struct tool *t);
int cmd_cd_eject(struct tool *t);
int cmd_device_attach(struct tool *t);
int cmd_device_detach(struct tool *t);
int cmd_device_list(struct tool *t);
int cmd_network_attach(struct tool *t);
int cmd_network_detach(struct tool *t);
int cmd_network_list(struct tool *t);
int cmd_network_nat(struct tool *t);

extern const struct option_text create_options[], run_options[], console_options[],
	list_options[], info_options[], uptime_options[], destroy_options[], shutdown_options[],
	pin_options[], sched_options[], top_options[], stat_options[], trace_options[],
	dmesg_options[], dump_options[], vcpu_set_options[], detach_options[], set_options[],
	nat_options[], cp_options[], save_options[], restore_options[];

#endif
