"""A node: namespaces, a root file system, containerd and a kubelet. node-boot.sh is what runs inside."""

import os
import shutil
import subprocess
from pathlib import Path

from lab import cgroups, network, programs, rootfs, store
from lab.home import LOGS, SOURCE, STATE, node_folder
from lab.network import NAMESPACES
from lab.steps import LabError, wait_until
from lab.topology import CONTROL_PLANE, LAN_NAMESPACE, Node

_BOOT = SOURCE / "node-boot.sh"
_PROGRAMS = STATE / "programs"
_RESOLV_CONF = f"nameserver {CONTROL_PLANE.address}\n"
"""For pods that use the node's resolver; nothing answers there, as nothing outside the lab can be looked up."""

_CONTAINERD = """\
version = 3

[plugins."io.containerd.cri.v1.images"]
snapshotter = "overlayfs"
pinned_images = { sandbox = "registry.k8s.io/pause:3.10.2" }

[plugins."io.containerd.cri.v1.runtime"]
disable_apparmor = true
# Without CAP_SYS_RESOURCE nobody may lower an OOM score, and runc dies trying.
restrict_oom_score_adj = true

[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["/usr/lib/cni"]
conf_dir = "/etc/cni/net.d"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
options = { SystemdCgroup = false }
"""

_CNI = """\
{{"cniVersion": "1.0.0", "name": "lab", "plugins": [
  {{"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true, "mtu": 1500,
    "ipam": {{"type": "host-local", "ranges": [[{{"subnet": "{pods}"}}]], "routes": [{{"dst": "0.0.0.0/0"}}]}}}},
  {{"type": "portmap", "capabilities": {{"portMappings": true}}}}]}}
"""


def start(node: Node, nodes: list[Node]) -> None:
    """Start a node over what it has on disk, or from scratch. A running one is left alone."""
    if cgroups.init(node.name) is not None:
        return
    cgroups.end(node.name)  # what a killed node leaves behind
    folder = node_folder(node.name)
    _prepare(node, nodes, folder)
    network.switch(node, on=True)
    cgroups.create(node.name)
    LOGS.mkdir(parents=True, exist_ok=True)
    with (LOGS / f"{node.name}.log").open("a") as log:
        subprocess.Popen(
            ["nsenter", f"--net={NAMESPACES / node.namespace}",
             "unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child",
             "/bin/sh", _BOOT, "enter", node.name, folder, rootfs.NODE.folder, _PROGRAMS],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/",
        )  # fmt: skip
    wait_until(
        lambda: cgroups.init(node.name) is not None and _containerd_answers(node),
        what=f"containerd on {node.name} (see {LOGS / node.name}.log)",
        seconds=60,
    )


def _prepare(node: Node, nodes: list[Node], folder: Path) -> None:
    for part in ("root", "work", "mount", "var/lib", "var/log"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    if not (folder / "var/lib/containerd").is_dir():
        partial = folder / "var/lib/containerd.partial"
        shutil.rmtree(partial, ignore_errors=True)
        store.clone(partial)
        partial.rename(folder / "var/lib/containerd")
    hosts = "127.0.0.1 localhost\n" + "".join(f"{other.address} {other.name}\n" for other in nodes)
    for path, text in {
        "etc/hosts": hosts,
        "etc/hostname": f"{node.name}\n",
        "etc/resolv.conf": _RESOLV_CONF,
        "etc/containerd/config.toml": _CONTAINERD,
        "etc/cni/net.d/10-lab.conflist": _CNI.format(pods=node.pods),
    }.items():
        (folder / "root" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "root" / path).write_text(text)


def collect_programs() -> None:
    """Link the programs that nodes run into one folder."""
    _PROGRAMS.mkdir(parents=True, exist_ok=True)
    for name, wanted in {
        "kubernetes": ("kubelet", "kubeadm", "kubectl"),
        "containerd": ("containerd", "containerd-shim-runc-v2", "ctr"),
    }.items():
        for program in wanted:
            target = _PROGRAMS / program
            target.unlink(missing_ok=True)
            os.link(programs.program(name, program), target)


def _containerd_answers(node: Node) -> bool:
    return subprocess.run(command(node, ["ctr", "version"]), capture_output=True, check=False).returncode == 0


def stop(node: Node) -> None:
    """Pull the plug: nothing is heard from the node any more, and all its processes end at once. Its disk stays.

    The cable comes first. A kernel closes the connections of a killed process, which tells everybody; a power cut
    does not, and then each of them waits for its own timeout.
    """
    network.switch(node, on=False)
    cgroups.end(node.name)


def command(node: Node, words: list[str]) -> list[str]:
    """The command line that runs `words` on a node."""
    init = cgroups.init(node.name)
    if init is None:
        raise LabError(f"node {node.name} is not running", f"start it with `lab node start {node.name}`")
    return [
        "nsenter", "--target", str(init), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd=/",
        "--", "env", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "KUBECONFIG=/etc/kubernetes/admin.conf", *words,
    ]  # fmt: skip


def command_on_lan(words: list[str]) -> list[str]:
    """The command line that runs `words` as the LAN's own host, with this machine's files."""
    if not (NAMESPACES / LAN_NAMESPACE).exists():
        raise LabError("the lab is not running", "start it with `lab up`")
    return ["nsenter", f"--net={NAMESPACES / LAN_NAMESPACE}", "--", *words]
