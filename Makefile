# SPDX-License-Identifier: GPL-2.0-only
# "make help" lists the targets; each folder has its rules in a build.mk.

O ?= build
.DELETE_ON_ERROR:
.PHONY: all
all: hypervisor

include pv-abi/build.mk
include hypervisor/build.mk
include $(filter-out pv-abi/build.mk hypervisor/build.mk,$(wildcard */build.mk))
