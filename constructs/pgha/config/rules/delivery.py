"""How changes reach Kubernetes: Argo CD's repository, and where objects may run."""

import re

from pgha.config.model import Cluster
from pgha.config.rules.registry import Findings, finding, rule

_LABEL_KEY = re.compile(
    r"(?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[-\w.]{0,61}[A-Za-z0-9])?\Z", re.ASCII
)
_LABEL_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[-\w.]{0,61}[A-Za-z0-9])?)?\Z", re.ASCII)
_REPOSITORY = re.compile(r"(?:https?://|ssh://)[^\s/]+/\S+\Z|[\w.-]+@[\w.-]+:\S+\Z")


@rule(
    "PGHA-E811",
    must="be the URL of a Git repository",
    remedy="write https://HOST/PATH.git or git@HOST:PATH.git",
    source="Argo CD: Application repoURL; reliability: bad input 60",
    reads=["gitops.repoURL"],
)
def repository(cluster: Cluster) -> Findings:
    """Argo CD reports a malformed address only once it runs, as a condition of the Application."""
    if not _REPOSITORY.match(cluster.gitops.repo_url):
        yield finding("gitops.repoURL", cluster.gitops.repo_url)


@rule(
    "PGHA-W812",
    must="be your own repository",
    remedy="set gitops.repoURL, or write delivery: tofu",
    source="spec: FR-009, FR-010",
    reads=["gitops.repoURL", "delivery"],
)
def placeholder(cluster: Cluster) -> Findings:
    """The default is a placeholder: Argo CD finds nothing there."""
    if cluster.delivery == "argocd" and re.search(r"[@/.]example\.(?:com|org|net)[/:]", cluster.gitops.repo_url):
        yield finding("gitops.repoURL", cluster.gitops.repo_url)


@rule(
    "PGHA-W813",
    must="stand only beside delivery: argocd",
    remedy="delete it, or write delivery: argocd",
    source="design: what comes out",
    reads=["gitops", "delivery"],
)
def unused_gitops(cluster: Cluster) -> Findings:
    """With delivery tofu nothing reads Git, so these keys do nothing."""
    if cluster.delivery == "tofu" and cluster.sets("gitops"):
        yield finding("gitops", "it with delivery tofu")


@rule(
    "PGHA-E814",
    must="be a folder inside the repository",
    remedy="write a relative path without .. such as kubernetes/applications",
    source="Argo CD: Application source.path; reliability: bad input 60",
    reads=["gitops.path"],
)
def folder(cluster: Cluster) -> Findings:
    """Argo CD refuses an absolute path and one that leaves the repository."""
    path = cluster.gitops.path
    if not re.match(r"[\w.-]+(?:/[\w.-]+)*/?\Z", path, re.ASCII) or ".." in path.split("/"):
        yield finding("gitops.path", path)


@rule(
    "PGHA-E815",
    must="be a branch, a tag or a commit",
    remedy="write main, for instance",
    source="Argo CD: targetRevision; argo-cd issue 23140; reliability: bad input 21",
    reads=["gitops.targetRevision"],
)
def revision(cluster: Cluster) -> Findings:
    """A range such as 12.x.x or * follows whatever appears, so the same file gives another cluster tomorrow."""
    text = cluster.gitops.target_revision
    if (
        not re.match(r"[A-Za-z0-9][\w./-]*\Z", text, re.ASCII)
        or re.search(r"(?:^|\.)[xX](?:\.|\Z)", text)
        or ".." in text
    ):
        yield finding("gitops.targetRevision", text)


@rule(
    "PGHA-E816",
    must="be a Kubernetes label",
    remedy="use letters, digits, -, _ and ., at most 63 characters",
    source="Kubernetes: labels and selectors",
    reads=["placement", "monitoring"],
)
def labels(cluster: Cluster) -> Findings:
    """Kubernetes refuses the object."""
    if not _LABEL_KEY.match(cluster.placement.topology_key):
        yield finding("placement.topologyKey", cluster.placement.topology_key)
    for path, pairs in (
        ("placement.nodeSelector", cluster.placement.node_selector),
        ("monitoring.labels", cluster.monitoring.labels),
    ):
        for key, value in pairs.items():
            if not _LABEL_KEY.match(key) or not _LABEL_VALUE.match(value):
                yield finding(f"{path}.{key}", f"{key}={value}")
