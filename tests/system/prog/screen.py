# SPDX-License-Identifier: GPL-2.0-only
"""See tests/system/screen.sh. What stands on a screen of pixels is read as a person would, by the
shapes of its characters: the hypervisor's are those of the package that its build takes them from,
domain 0's those of Linux, in its own file. Text mode is read in its memory."""
import gzip
import os
import re
import struct
import subprocess
import sys
import tempfile
from collections import Counter
from machine import Failure, Machine, O

FONT = "/usr/share/consolefonts/Unifont-APL8x16.psf.gz"
BLACK, BLUE, WHITE = (0, 0, 0), (0, 0, 255), (255, 255, 255)
CHECK = "mce 0 0 0xb000000000000000 4 0 0"	# see record.py
GRUB = 90	# seconds for firmware and GRUB on a busy machine


def hypervisor_font():
    """Its first 256 glyphs stand for themselves, where they are ASCII; see psf(5)."""
    with gzip.open(FONT) as f:
        data = f.read()
    return {data[4 + c * 16:20 + c * 16]: chr(c) for c in range(0x7e, 0x1f, -1)}


def linux_font(kernel):
    """fontdata_8x16 of the kernel: four words, then 256 glyphs (lib/fonts/font_8x16.c)."""
    names = subprocess.run(["nm", kernel], check=True, capture_output=True, text=True).stdout
    at = int(re.search(r"^(\w+) \w fontdata_8x16$", names, re.M).group(1), 16)
    with tempfile.NamedTemporaryFile() as f:
        subprocess.run(["objcopy", "-O", "binary", "--only-section=.rodata", kernel, f.name],
                       check=True)
        headers = subprocess.run(["objdump", "-h", "-j", ".rodata", kernel], check=True,
                                 capture_output=True, text=True).stdout
        start = int(re.search(r"\.rodata +\w+ +(\w+)", headers).group(1), 16)
        f.seek(at - start + 16)
        data = f.read(256 * 16)
    return {data[c * 16:16 + c * 16]: chr(c) for c in range(0x7e, 0x1f, -1)}


class Picture:
    """A dump of the screen: a portable pixmap."""

    def __init__(self, m):
        path = m.tmp.name + "/picture"
        m.call("screendump", filename=path)
        with open(path, "rb") as f:
            data = f.read()
        head = re.match(rb"P6\n(\d+) (\d+)\n255\n", data)
        self.width, self.height = int(head.group(1)), int(head.group(2))
        self.data = data[head.end():]

    def pixel(self, x, y):
        at = (y * self.width + x) * 3
        return tuple(self.data[at:at + 3])

    def cell(self, column, row):
        """Paper (the colour there is more of), ink, and the shape of the ink."""
        rows = [[self.pixel(column * 8 + x, row * 16 + y) for x in range(8)] for y in range(16)]
        count = Counter(p for r in rows for p in r).most_common()
        paper, ink = count[0][0], count[-1][0]
        shape = bytes(sum(0x80 >> x for x in range(8) if r[x] != paper) for r in rows)
        return paper, ink if len(count) > 1 else None, shape, len(count)

    def text(self, font):
        """Its rows; what is no character of the font is a question mark."""
        return ["".join(font.get(self.cell(c, r)[2], "?") for c in range(self.width // 8)).rstrip()
                for r in range(self.height // 16)]

    def near(self, color, wanted):
        return color and all(abs(a - b) < 9 for a, b in zip(color, wanted))

    def colors(self, column, row, paper, ink):
        found = self.cell(column, row)
        if not self.near(found[0], paper) or not self.near(found[1], ink) or found[3] != 2:
            raise Failure(f"the colours at {column}, {row} are {found[0]} and {found[1]}")


def characters(m):
    """Of the text screen, as it is shown: rows of (character, attribute); and all of the memory."""
    start = 0
    for register in "0x0c", "0x0d":	# of the CRT controller: start address
        m.monitor(f"o /b 0x3d4 {register}")
        start = start << 8 | int(m.monitor("i /b 0x3d5").split("=")[1], 16)
    data = m.memory(0xb8000, 0x8000)
    shown = (data + data)[start * 2:]
    return [[(chr(shown[r * 160 + c * 2]), shown[r * 160 + c * 2 + 1]) for c in range(80)]
            for r in range(25)], data


def text_rows(m):
    rows, _ = characters(m)
    return ["".join(c for c, _ in r).rstrip() for r in rows]


def has(rows, *patterns):
    for p in patterns:
        if not any(re.search(p, r) for r in rows):
            raise Failure(f"no '{p}' on the screen:\n" + "\n".join(rows))


def boot_words(rows):
    """From the top, in the order of the log."""
    if not re.match(r"\(cpu0\) memory: \d+ MiB free of", rows[0]):
        raise Failure("the first row:\n" + "\n".join(rows))
    has(rows, r"^\(cpu0\) Parvus, ABI \d+, command line:", r"^\(cpu0\) boot: \d+ KiB given back")


def linux(tmp, command, console="console=hvc0 console=tty0"):
    """Domain 0 that runs a command; arguments of Machine."""
    with open(tmp + "/cmd", "w", encoding="ascii") as f:
        f.write(command + "\n")
    with open(tmp + "/initrd", "wb") as f:
        with open(f"{O}/initramfs.cpio", "rb") as base:
            f.write(base.read())
        subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=tmp, input=b"cmd\n", stdout=f,
                       check=True)
    return {"domains": [("Domain-0", "vmlinux", "control=1 mem=256M initrd=initrd "
                         f'cmdline="{console} panic=-1 demo=0"')],
            "files": {"vmlinux": f"{O}/vmlinux", "initrd": tmp + "/initrd"}, "mem": "512M"}


SAYS = "echo 'words of domain 0' >/dev/kmsg; sleep 2; echo 'said so' >/dev/hvc0; sleep 1000"
CRASHES = "echo 'words of domain 0' >/dev/kmsg; sleep 1; echo c >/proc/sysrq-trigger"


def paused(m):
    return "paused" in m.monitor("info status")


def text_mode():
    """By QEMU, in text mode: first words, domain 0's console, and its panic as the last words,
    where they can be seen, though the console has scrolled; on COM1, too."""
    vga = ["-device", "VGA", "-no-shutdown"]
    for image in "parvus.elf", "parvus-pvh.elf":
        with Machine([("idle", "idle", "cmdline=spin")], args="debug=1", extra=vga, image=image) \
                as m:
            m.wait_log("given back")
            boot_words(text_rows(m))
            if characters(m)[0][0][0] != ("(", 7):
                raise Failure("not grey on black")
    with Machine([("end", "vif", "")], args="debug=1", extra=vga) as m:
        m.until(lambda: paused(m), "it does not go off")
        has(text_rows(m), "^parvus: end domain=0 name=end reason=poweroff", "^parvus: off")
        if any(a != 0x1f for r in characters(m)[0] for _, a in r):
            raise Failure("not white on blue")
    with tempfile.TemporaryDirectory() as tmp:
        more = linux(tmp, CRASHES)
        with Machine(**more, args="debug=1", extra=vga) as m:
            m.wait_log("guest: .*words of domain 0", 120)
            m.until(lambda: paused(m), "it does not go off", 120)
            cells, data = characters(m)
            rows = text_rows(m)
            has(rows, "d0\\) guest: panic: sysrq triggered crash", "parvus: end domain=0",
                "^parvus: off")
            if cells[0][0][1] != 0x1f or cells[24][79][1] != 0x1f:
                raise Failure("not white on blue")
            # behind what is shown is what domain 0's console wrote, scrolled
            old = data[::2].decode("latin-1")
            if "words of domain 0" not in old[80 * 25:]:
                raise Failure("no words of domain 0:\n" + old)
            with open(m.tmp.name + "/serial", encoding="latin-1") as f:
                if "Kernel panic - not syncing: sysrq triggered crash" not in f.read():
                    raise Failure("nothing on COM1")


def grub_text():
    """By GRUB, which says by its tag that the screen has characters."""
    with Machine([("idle", "idle", "cmdline=spin")], args="debug=1", grub="text",
                 extra=["-device", "VGA", "-no-shutdown"]) as m:
        m.wait_log("given back", GRUB)
        boot_words(text_rows(m))
        m.monitor(CHECK)
        m.until(lambda: paused(m), "it does not go off")
        has(text_rows(m)[:1], r"^\(cpu0( d0)?\) error: panic: machine check")


def grub_pixels(mode, mem):
    """First words and a panic, drawn. With 4 GiB the pixels lie below the end of RAM."""
    font = hypervisor_font()
    with Machine([("idle", "idle", "cmdline=spin")], args="debug=1", grub=mode, mem=mem,
                 extra=["-device", "VGA", "-no-shutdown"]) as m:
        m.wait_log("given back", GRUB)
        p = Picture(m)
        if f"{p.width}x{p.height}" != mode.rsplit("x", 1)[0]:
            raise Failure(f"the screen has {p.width} x {p.height}")
        boot_words(p.text(font))
        p.colors(1, 0, BLACK, WHITE)
        m.monitor(CHECK)
        m.until(lambda: paused(m), "it does not go off")
        p = Picture(m)
        rows = p.text(font)
        has(rows[:1], r"^\(cpu0( d0)?\) error: panic: machine check in bank")
        has(rows, "^backtrace:", "^parvus: panic")
        p.colors(1, 0, BLUE, WHITE)


def uefi(tmp, code="/usr/share/OVMF/OVMF_CODE_4M.fd", variables="/usr/share/OVMF/OVMF_VARS_4M.fd"):
    with open(variables, "rb") as f, open(tmp + "/vars", "wb") as t:
        t.write(f.read())
    return ["-M", "q35", "-drive", f"if=pflash,format=raw,readonly=on,file={code}",
            "-drive", f"if=pflash,format=raw,file={tmp}/vars"]


def pixels_of_linux(firmware, crash):
    """First words, then domain 0's console in its own font, then a panic: its own, or ours."""
    ours, theirs = hypervisor_font(), linux_font(f"{O}/vmlinux")
    with tempfile.TemporaryDirectory() as tmp:
        more = linux(tmp, CRASHES.replace("sleep 1", "sleep 20") if crash else SAYS)
        extra = ["-device", "VGA", "-no-shutdown"]
        if firmware == "uefi":
            extra += uefi(tmp)
        with Machine(**more, args="debug=1", grub="800x600x32", extra=extra) as m:
            m.wait_log("given back", 3 * GRUB)
            m.monitor("stop")
            boot_words(Picture(m).text(ours))
            m.monitor("cont")

            def said():
                return any("words of domain 0" in r for r in Picture(m).text(theirs))
            m.until(said, "domain 0 does not write on its screen", 120, each=1)
            if any("words of domain 0" in r for r in Picture(m).text(ours)):
                raise Failure("the fonts cannot be told apart")
            if not crash:
                m.monitor(CHECK)
            m.until(lambda: paused(m), "it does not go off", 120)
            p = Picture(m)
            rows = p.text(ours)
            p.colors(1, 0, BLUE, WHITE)
            if crash:
                has(rows, r"d0\) guest: panic: sysrq triggered crash", "^parvus: end domain=0",
                    "^parvus: off")
                p.colors(1, 0, BLUE, WHITE)
            else:
                has(rows[:1], r"^\(cpu0( d0)?\) error: panic: machine check in bank")


def beside_ram():
    """QEMU's ramfb on UEFI: a frame buffer in memory, with RAM in the same piece of 2 MiB. It is
    refused with a line, and nothing is written there."""
    with tempfile.TemporaryDirectory() as tmp:
        with Machine([("idle", "idle", "cmdline=spin")], args="debug=1", grub="800x600x32",
                     mem="512M", extra=["-vga", "none", "-device", "ramfb"] + uefi(tmp)) as m:
            m.wait_log("screen: not believed: kind 1 at [0-9a-f]+, 800 x 600, 32 bits", 3 * GRUB)
            m.wait_log("given back")
            rows = Picture(m).text(hypervisor_font())
            if any("Parvus" in r or "memory:" in r for r in rows):
                raise Failure("it is written there:\n" + "\n".join(rows))


PARTS = {
    "text": text_mode,
    "grub": grub_text,
    "pixels": lambda: [grub_pixels(mode, mem) for mode, mem in (
        ("1024x768x32", "128M"), ("800x600x24", "4G"), ("640x480x16", "128M"))],
    "bios": lambda: pixels_of_linux("bios", True),
    "uefi": lambda: [pixels_of_linux("uefi", False), beside_ram()],
}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        try:
            PARTS[part]()
            print(f"{part}: good", flush=True)
        except Failure as e:
            sys.exit(f"FAILED: {part}: {e}")
