# SPDX-License-Identifier: GPL-2.0-only
"""A machine with Parvus and micro guests that a test drives from outside: QEMU's monitor (QMP) for
NMIs and machine checks, its gdb stub for breakpoints and registers, the debug port's log."""
import json
import os
import re
import socket
import subprocess
import tempfile
import time

O = os.environ.get("O", "build")


class Failure(Exception):
    pass


def connect(path, seconds):
    end = time.monotonic() + seconds
    while True:
        s = socket.socket(socket.AF_UNIX)
        try:
            s.connect(path)
            return s
        except OSError:
            s.close()
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


class Machine:
    """domains: (name, micro guest or one of files, further words of the manifest) each; files: of
    the bundle, by name; grub: by a CD image with this mode of the screen, instead of by QEMU, which
    loads image"""

    def __init__(self, domains, cpus=1, mem="128M", args="debug=1 loglevel=debug", gdb=False,
                 extra=(), files=None, grub=None, image="parvus.elf"):
        self.tmp = tempfile.TemporaryDirectory()
        d = self.tmp.name
        files = dict(files or {})
        for _, guest, _ in domains:
            files.setdefault(guest, f"{O}/tests/guest/{guest}")
        with open(d + "/manifest", "w", encoding="ascii") as f:
            for name, guest, more in domains:
                f.write(f"domain={name} kernel={guest} mem=16M {more}\n")
        for name, path in files.items():
            os.symlink(os.path.abspath(path), f"{d}/{name}")
        with open(d + "/bundle", "wb") as f:
            subprocess.run(["cpio", "-oL", "-H", "newc", "--quiet"], cwd=d, stdout=f, check=True,
                           input="\n".join(["manifest"] + sorted(files)).encode())
        command = [os.environ.get("QEMU", "qemu-system-x86_64"), "-accel", "tcg", "-cpu", "max",
                   "-smp", str(cpus), "-m", mem, "-no-reboot", "-nodefaults", "-display", "none",
                   "-serial", f"file:{d}/serial", "-debugcon", f"file:{d}/debug",
                   "-qmp", f"unix:{d}/qmp,server=on,wait=off"]
        if grub:
            subprocess.run(["tools/mkiso", d + "/cd", f"{O}/parvus.elf {args}", d + "/bundle"],
                           check=True, env={**os.environ, "SCREEN": grub})
            command += ["-cdrom", d + "/cd"]
        else:
            command += ["-kernel", f"{O}/{image}", "-append", args, "-initrd", d + "/bundle"]
        command += extra    # last: it may have another initrd
        if gdb:
            command += ["-S", "-chardev", f"socket,path={d}/gdb,server=on,wait=off,id=gdb",
                        "-gdb", "chardev:gdb"]
        if os.environ.get("COVERAGE"):
            plugin = subprocess.run(["tests/coverage/plugin", f"{O}/{image}"], check=True,
                                    capture_output=True, text=True).stdout.strip()
            command += ["-plugin", plugin]
        self.qemu = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        sock = connect(d + "/qmp", 60)
        sock.settimeout(120)
        self.qmp = sock.makefile("rw", encoding="utf-8")
        self.qmp.readline()
        self.call("qmp_capabilities")
        self.gdb = Gdb(connect(d + "/gdb", 60), self.log) if gdb else None

    def call(self, command, **arguments):
        self.qmp.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.qmp.flush()
        while True:
            line = self.qmp.readline()
            if not line:
                raise Failure("the machine is gone; its last words:\n" + self.log()[-2000:])
            answer = json.loads(line)
            if "event" not in answer:
                return answer

    def monitor(self, line):
        return self.call("human-monitor-command", **{"command-line": line})["return"]

    def until(self, holds, what, seconds=60, each=0.05):
        end = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > end:
                raise Failure(what + ":\n" + self.log()[-2000:])
            time.sleep(each)

    def memory(self, address, count):
        """Of the machine, by physical address."""
        path = self.tmp.name + "/memory"
        self.monitor(f'pmemsave {address:#x} {count:#x} "{path}"')
        with open(path, "rb") as f:
            return f.read()

    def log(self):
        try:
            with open(self.tmp.name + "/debug", encoding="latin-1") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def wait_log(self, pattern, seconds=60):
        """Until the log has it; the match."""
        end = time.monotonic() + seconds
        while True:
            found = re.search(pattern, self.log())
            if found:
                return found
            if time.monotonic() > end:
                raise Failure(f"no '{pattern}' in the log:\n" + self.log()[-2000:])
            time.sleep(0.05)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if os.environ.get("COVERAGE"):	# it has something to write down
            self.qemu.terminate()
            try:
                self.qemu.wait(20)
            except subprocess.TimeoutExpired:
                pass
        self.qemu.kill()
        self.qemu.wait()
        self.tmp.cleanup()


class Gdb:
    """What a test needs of gdb's remote protocol."""

    # of QEMU's "g" answer for x86-64: 8 bytes each, rip is the 17th, eflags has 4
    REGISTERS = ["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp"] + \
        [f"r{n}" for n in range(8, 16)] + ["rip"]

    def __init__(self, sock, log):
        self.sock, self.log = sock, log
        self.buffer = b""

    def send(self, text):
        data = text.encode()
        self.sock.sendall(b"$%s#%02x" % (data, sum(data) & 255))

    def answer(self, seconds=60):
        """The next packet, or None when the time is over."""
        end = time.monotonic() + seconds
        while True:
            start = self.buffer.find(b"$")
            stop = self.buffer.find(b"#", start)
            if start >= 0 and 0 <= stop < len(self.buffer) - 2:
                text = self.buffer[start + 1:stop].decode("latin-1")
                self.buffer = self.buffer[stop + 3:]
                self.sock.sendall(b"+")
                return text
            self.sock.settimeout(max(end - time.monotonic(), 0.001))
            try:
                data = self.sock.recv(65536)
            except (socket.timeout, BlockingIOError):
                return None
            except ConnectionError:
                data = b""
            if not data:
                raise Failure("the machine is gone; its last words:\n" + self.log()[-2000:])
            self.buffer += data

    def ask(self, text):
        self.send(text)
        return self.answer()

    def go_on(self):
        self.send("c")

    def stop(self):
        self.sock.sendall(b"\x03")
        return self.answer()

    def breakpoint(self, address, on=True):
        if self.ask(f"{'Z' if on else 'z'}0,{address:x},1") != "OK":
            raise Failure(f"no breakpoint at {address:x}")

    def registers(self):
        data = bytes.fromhex(self.ask("g")[:17 * 16])
        return {name: int.from_bytes(data[n * 8:n * 8 + 8], "little")
                for n, name in enumerate(self.REGISTERS)}

    def read(self, address, count):
        return bytes.fromhex(self.ask(f"m{address:x},{count:x}"))

    def write(self, address, data):
        if self.ask(f"M{address:x},{len(data):x}:{data.hex()}") != "OK":
            raise Failure(f"cannot write at {address:x}")

    def set_register(self, name, value):
        at = self.REGISTERS.index(name) * 16
        old = self.ask("g")
        if self.ask("G" + old[:at] + value.to_bytes(8, "little").hex() + old[at + 16:]) != "OK":
            raise Failure(f"cannot set {name}")
