# SPDX-License-Identifier: GPL-2.0-only
#
# Parvus: one make, no recursion. Each folder adds its part in build.mk; all
# output goes below $(O).

O ?= build
include $(wildcard */build.mk)
