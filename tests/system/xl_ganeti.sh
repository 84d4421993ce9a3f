# SPDX-License-Identifier: GPL-2.0-only
# @full
# @timeout 300
# Ganeti drives us through its own, unmodified hypervisor module (XenPvmHypervisor of hv_xen.py):
# each method of an instance's life but migration, as its node daemon calls them, with the files
# where its virtual clusters have them (GANETI_ROOTDIR), against the hypervisor that is a file.
. tests/system/programs.bash
debs ganeti-3.0 python3-bitarray python3-cffi-backend python3-cryptography python3-openssl \
	python3-pycurl python3-pyparsing python3-simplejson
mkdir -p "$work/node/etc/xen" "$work/node/var/log/ganeti/xen" "$work/node/var/run/ganeti"
truncate -s 1M "$PARVUS_FAKE/blk-3" "$work/file.img"
follow web.example.org stays.example.org

cat >"$work/drive.py" <<'END'
import json, os, sys
from ganeti import constants, errors, objects, pathutils
from ganeti.hypervisor import hv_base, hv_xen
RUNNING = hv_base.HvInstanceState.RUNNING
SHUTDOWN = hv_base.HvInstanceState.SHUTDOWN
work, fake = sys.argv[1:]
hv_xen.XenHypervisor.REBOOT_RETRY_INTERVAL = 1
params = dict(constants.HVC_DEFAULTS[constants.HT_XEN_PVM])
params.update(xen_cmd="xl", kernel_path=work + "/kernel", initrd_path="", root_path="/dev/xvda1",
	kernel_args="ro", cpu_mask="0", cpu_weight=300, cpu_cap=50)
hv = hv_xen.XenPvmHypervisor()
hv_xen.XenPvmHypervisor.CheckParameterSyntax(params)
hv_xen.XenPvmHypervisor.ValidateParameters(params)

def instance(name, **more):
	nic = objects.NIC(mac="aa:00:00:35:ac:01", ip=None, name=None, uuid="nic-uuid",
		netinfo=None, nicparams={"mode": "bridged", "link": "br0", "vlan": ""})
	return objects.Instance(name=name, hvparams=dict(params, **more), nics=[nic], tags=[],
		beparams={"memory": 64, "minmem": 64, "maxmem": 64, "vcpus": 1}, os="noop")

def disks():
	lv = objects.Disk(dev_type=constants.DT_PLAIN, mode="rw", logical_id=("xenvg", "x"))
	plain = objects.Disk(dev_type=constants.DT_FILE, mode="rw",
		logical_id=(constants.FD_LOOP, work + "/file.img"))
	link = work + "/node/instance-disk:0"		# Ganeti's names have a colon
	if not os.path.islink(link):
		os.symlink(fake + "/blk-3", link)
	return [(lv, link, None), (plain, work + "/file.img", None)]

def check(what, got, want):
	if got != want:
		sys.exit("%s: %r, not %r" % (what, got, want))

def refused(what, f, text):
	try:
		f()
	except errors.HypervisorError as e:
		return None if text in str(e) else sys.exit("%s: %s" % (what, e))
	sys.exit("%s: not refused" % what)

check("Verify", hv.Verify(params), None)
node = hv.GetNodeInfo(params)
for key in "memory_total memory_free memory_dom0 cpu_dom0 cpu_total cpu_nodes cpu_sockets".split():
	if not isinstance(node.get(key), int):
		sys.exit("GetNodeInfo: no %s: %r" % (key, node))
if not 0 <= node["memory_hv"] <= node["memory_total"] // 4:
	sys.exit("memory of the hypervisor: %r" % node)
check("nobody", hv.ListInstances(params), [])

web = instance("web.example.org")
config = pathutils.XEN_CONFIG_DIR + "/web.example.org"
hv.StartInstance(web, disks(), False)
check("ListInstances", hv.ListInstances(params), [web.name])
info = hv.GetInstanceInfo(web.name, params)
check("GetInstanceInfo", (info[0], info[2], info[3], info[4]), (web.name, 64, 1, RUNNING))
check("GetAllInstancesInfo", [i[0] for i in hv.GetAllInstancesInfo(params)], [web.name])
# N+1 and hail count with this: what is promised is not free
check("memory_free", node["memory_free"] - hv.GetNodeInfo(params)["memory_free"] >= 64, True)
hv.BalloonInstanceMemory(web, 48)
target = json.loads(os.popen("xl info --json " + web.name).read())["target_memory_kib"]
check("after ballooning", target, 48 * 1024)
if "memory = 48\n" not in open(config).read():
	sys.exit("its configuration: " + open(config).read())
refused("a second start", lambda: hv.StartInstance(web, disks(), False), "web.example.org")
hv.RestoreInstance(web, disks())
before = hv.GetInstanceInfo(web.name, params)[1]
hv.RebootInstance(web)
check("another number", hv.GetInstanceInfo(web.name, params)[1] > before, True)
check("still one", hv.ListInstances(params), [web.name])

class Group:
	def FillND(self, node):
		return {constants.ND_SSH_PORT: 22}
console = hv.GetInstanceConsole(web, objects.Node(name="node1"), Group(), params, {})
check("console", console.command[1:], ["xl", web.name])
check("its wrapper", os.path.basename(console.command[0]), "xen-console-wrapper")

# soft, which is shutdown -w and destroy
hv.StopInstance(web, force=False, timeout=60)
check("after the stop", hv.GetInstanceInfo(web.name, params), None)
check("its configuration", os.path.exists(config), False)
refused("a stop of none", lambda: hv.StopInstance(web), "not running")
refused("a reboot of none", lambda: hv.RebootInstance(web), "not running")

# paused, then hard; and one that has no disk fails with a word of why
hv.StartInstance(web, disks(), True)
check("paused", hv.GetInstanceInfo(web.name, params)[4:], [RUNNING, 0.0])
hv.StopInstance(web, force=True)
check("after the hard stop", hv.ListInstances(params), [])
gone = [(disks()[0][0], "/none/disk:0", None)]
refused("no disk", lambda: hv.StartInstance(web, gone, False), "/none/disk:0")
check("nobody is left", hv.ListInstances(params), [])

# one that powers off by itself is kept (preserve), is down, and is taken away
stays = instance("stays.example.org", cpu_mask="0:all")
stays.beparams["vcpus"] = 2
hv.StartInstance(stays, [], False)
os.system("%s stays.example.org poweroff 0" % os.environ["GUEST_BIN"])
for _ in range(100):
	now = hv.GetInstanceInfo(stays.name, params)
	if now[4] == SHUTDOWN:
		break
	os.system("sleep 0.1")
check("it is down", now[4], SHUTDOWN)
check("and none that runs", hv.ListInstances(params), [])
hv.StopInstance(stays, force=False, timeout=60)
hv.CleanupInstance(stays.name)
check("nobody", hv.GetAllInstancesInfo(params), [])
print("driven")
END
P create -q -p "$work/web.cfg" name=other
P destroy other
out=$(PATH="$work/bin:$PATH" LC_ALL=C GUEST_BIN=$guest_bin GANETI_HOSTNAME=node \
	GANETI_ROOTDIR=$work/node \
	PYTHONPATH=$work/debs/usr/share/ganeti/3.0:$work/debs/usr/lib/python3/dist-packages \
	/usr/bin/python3 "$work/drive.py" "$work" "$PARVUS_FAKE" 2>&1 </dev/null)
[[ $out == driven ]] || fail "$out"
# its console, by the wrapper that Ganeti's ssh runs
P create -q "$work/web.cfg" name=web.example.org
G web.example.org wait >/dev/null
G web.example.org say $'a prompt\n'
PATH="$work/bin:$PATH" timeout 3 \
	"$work/debs/usr/lib/ganeti/3.0/usr/lib/ganeti/tools/xen-console-wrapper" \
	xl web.example.org >"$work/out" 2>&1 </dev/null
grep -q "a prompt" "$work/out" || fail "xen-console-wrapper: $(cat "$work/out")"
P destroy web.example.org
clean
exit 0
