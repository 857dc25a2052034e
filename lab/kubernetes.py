"""Kubernetes by kubeadm: the first node initializes the control plane, the others join it."""

import json
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

from lab import node as machine
from lab import programs
from lab.home import KUBECONFIG, LOGS, node_folder
from lab.steps import run, step, wait_until
from lab.timers import Timers
from lab.topology import API_PORT, CONTROL_PLANE, PODS, SERVICES, Node, on_loopback

_SOCKET = "unix:///run/containerd/containerd.sock"

_INIT = """\
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {{advertiseAddress: {address}, bindPort: {port}}}
nodeRegistration:
  name: {name}
  criSocket: {socket}
  taints: []  # three small nodes: all of them work
  kubeletExtraArgs: [{{name: node-ip, value: {address}}}]
  imagePullPolicy: Never
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
clusterName: lab
kubernetesVersion: v{version}
networking: {{podSubnet: {pods}, serviceSubnet: {services}}}
apiServer: {{certSANs: ["{address}", "{loopback}"], extraArgs: {api_server}}}
controllerManager:
  extraArgs: {controller_manager}
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
# The disk is shared with everything else on this machine: its fullness says nothing about the lab, and an image
# once collected could not be pulled again.
evictionHard: {{nodefs.available: "0%", nodefs.inodesFree: "0%", imagefs.available: "0%", imagefs.inodesFree: "0%"}}
imageGCHighThresholdPercent: 100
{kubelet}
---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
conntrack: {{maxPerCore: 0}}  # the table's size belongs to the whole machine
"""

_JOIN = """\
apiVersion: kubeadm.k8s.io/v1beta4
kind: JoinConfiguration
discovery:
  bootstrapToken: {{apiServerEndpoint: "{api}", token: "{token}", caCertHashes: ["{ca}"]}}
nodeRegistration:
  name: {name}
  criSocket: {socket}
  taints: []
  kubeletExtraArgs: [{{name: node-ip, value: {address}}}]
  imagePullPolicy: Never
"""

_COREFILE = """\
cluster.local:53 in-addr.arpa:53 ip6.arpa:53 {
    errors
    health {
        lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
    }
    prometheus :9153
    cache 30
    reload
    loadbalance
}

# There is no world outside the lab; saying so at once beats every client's time-out.
.:53 {
    errors
    template ANY ANY {
        rcode NXDOMAIN
    }
}
"""


def kubectl(*words: str, stdin: str | None = None, timeout: float | None = None) -> str:
    """Run kubectl on the first node as administrator."""
    return run(machine.command(CONTROL_PLANE, ["kubectl", *words]), stdin=stdin, timeout=timeout)


def answers() -> bool:
    """Whether the API server is ready."""
    ready = machine.command(CONTROL_PLANE, ["kubectl", "get", "--raw=/readyz", "--request-timeout=2s"])
    return subprocess.run(ready, capture_output=True, check=False).returncode == 0


def joined(node: Node) -> bool:
    """Whether kubeadm got to its end on this node."""
    return _marker(node).exists()


def _marker(node: Node) -> Path:
    return node_folder(node.name) / "joined"


def create(nodes: list[Node], timers: Timers) -> None:
    """Form the cluster from running nodes. Nodes that have joined before are left alone."""
    if not joined(CONTROL_PLANE):
        with step("kubeadm init on n1"):
            _kubeadm(CONTROL_PLANE, "init", _init_configuration(timers))
            wait_until(answers, what="an answer of the API server", seconds=60)
    _write_kubeconfig()
    late = [node for node in nodes if not joined(node)]
    if late:
        with step(f"kubeadm join on {', '.join(node.name for node in late)}"):
            words = run(
                machine.command(CONTROL_PLANE, ["kubeadm", "token", "create", "--ttl=1h", "--print-join-command"])
            )
            token, ca = _after(words, "--token"), _after(words, "--discovery-token-ca-cert-hash")
            with ThreadPoolExecutor() as pool:
                list(pool.map(lambda node: _join(node, token, ca), late))


def _init_configuration(timers: Timers) -> str:
    # Each node's CNI file says which range is its own.
    controller_manager = {"allocate-node-cidrs": "false", **timers.controller_manager}
    return _INIT.format(
        api_server=_arguments(timers.api_server), controller_manager=_arguments(controller_manager),
        kubelet="\n".join(f"{name}: {value}" for name, value in timers.kubelet.items()),
        name=CONTROL_PLANE.name, address=CONTROL_PLANE.address, port=API_PORT, socket=_SOCKET, pods=PODS,
        services=SERVICES, loopback=on_loopback(CONTROL_PLANE.address), version=programs.tool("kubernetes").version,
    )  # fmt: skip


def _arguments(given: dict[str, str]) -> str:
    return json.dumps([{"name": name, "value": value} for name, value in given.items()])


def _join(node: Node, token: str, ca: str) -> None:
    kubectl("delete", "node", node.name, "--ignore-not-found")  # known from an interrupted join
    api = f"{CONTROL_PLANE.address}:{API_PORT}"
    fields = {"api": api, "token": token, "ca": ca, "name": node.name, "socket": _SOCKET, "address": node.address}
    _kubeadm(node, "join", _JOIN.format(**fields))


def _kubeadm(node: Node, verb: str, configuration: str) -> None:
    """Run kubeadm to its end. Its preflight checks look at a machine, not at namespaces, and are passed over."""
    (node_folder(node.name) / "began").touch()
    file = node_folder(node.name) / "root/etc/kubeadm.yaml"
    file.touch(mode=0o600)
    file.write_text(configuration)
    try:
        command = ["kubeadm", verb, "--config=/etc/kubeadm.yaml", "--ignore-preflight-errors=all"]
        run(machine.command(node, command), log=LOGS / f"{node.name}-{verb}.log")
    finally:
        file.unlink()
    _marker(node).touch()


def forget_unfinished(nodes: list[Node]) -> None:
    """Wipe nodes on which kubeadm was interrupted: they hold no data, and `kubeadm reset` cannot clean up all of it."""
    for node in nodes:
        if (node_folder(node.name) / "began").exists() and not joined(node):
            machine.stop(node)
            shutil.rmtree(node_folder(node.name))


def _after(text: str, word: str) -> str:
    words = text.split()
    return words[words.index(word) + 1]


def _write_kubeconfig() -> None:
    """The administrator's kubeconfig, by way of the relay on loopback."""
    text = (node_folder(CONTROL_PLANE.name) / "root/etc/kubernetes/admin.conf").read_text()
    KUBECONFIG.touch(mode=0o600)
    KUBECONFIG.write_text(
        text.replace(f"https://{CONTROL_PLANE.address}:", f"https://{on_loopback(CONTROL_PLANE.address)}:")
    )


def configure_dns() -> None:
    """Give CoreDNS its Corefile."""
    configuration = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "coredns", "namespace": "kube-system"},
        "data": {"Corefile": _COREFILE},
    }
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(configuration))


def ready_nodes(*, heard_since: datetime | None = None) -> set[str]:
    """Names of the nodes that Kubernetes calls Ready.

    It goes on calling a dead node so for most of a minute; with `heard_since`, only nodes whose kubelet has renewed its
    lease after that moment count.
    """
    conditions = "{range .items[*]}{.metadata.name} {.status.conditions[?(@.type=='Ready')].status}{'\\n'}{end}"
    rows = kubectl("get", "nodes", f"--output=jsonpath={conditions}", "--request-timeout=5s").splitlines()
    ready = {row.split()[0] for row in rows if row.endswith(" True")}
    if heard_since is None:
        return ready
    renewals = "{range .items[*]}{.metadata.name} {.spec.renewTime}{'\\n'}{end}"
    rows = kubectl("get", "leases", "--namespace=kube-node-lease", f"--output=jsonpath={renewals}").splitlines()
    return {name for name, renewed in map(str.split, rows) if datetime.fromisoformat(renewed) > heard_since} & ready


def require_ready(nodes: list[Node], *, heard_since: datetime) -> None:
    """Wait until every node is Ready."""
    names = {node.name for node in nodes}

    def ready() -> bool:
        return answers() and names <= ready_nodes(heard_since=heard_since)

    wait_until(ready, what=f"a Ready state of {', '.join(sorted(names))}", seconds=180)
