# SPDX-License-Identifier: GPL-2.0-only
"""The benchmark: raw records, what is derived from them, report, comparison."""
