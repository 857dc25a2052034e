"""How changes reach Kubernetes: Argo CD's repository, and where objects may run."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

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


@rule(
    "PGHA-E831",
    must="be five fields of cron, a duration and a time zone",
    remedy="write schedule 0 8 * * 1-5, duration 10h and timeZone Europe/Madrid, for instance",
    source="Argo CD: AppProject syncWindows",
    reads=["gitops.syncWindows"],
)
def windows(cluster: Cluster) -> Findings:
    """Argo CD refuses the whole AppProject, and with it every sync, for one window that it cannot read."""
    for number, window in enumerate(cluster.gitops.sync_windows):
        path = f"gitops.syncWindows[{number}]"
        if len(window.schedule.split()) != 5 or not _comes(window.schedule):
            yield finding(f"{path}.schedule", window.schedule, must="be five fields of cron")
        if not re.match(r"(?=.*[1-9])(?:\d+h)?(?:\d+m)?\Z", window.duration):
            yield finding(f"{path}.duration", window.duration, must="be hours and minutes such as 10h or 1h30m")
        if not _zone(window.time_zone):
            yield finding(f"{path}.timeZone", window.time_zone, must="be a time zone of the IANA database")


@rule(
    "PGHA-E832",
    must="stand only beside an AppProject of the cluster's own",
    remedy="leave gitops.project out, or write the window into that project",
    source="Argo CD: AppProject syncWindows",
    reads=["gitops.syncWindows", "gitops.project"],
)
def windows_of_another(cluster: Cluster) -> Findings:
    """A window is a part of the AppProject, and one that the file only names is somebody else's."""
    if cluster.gitops.project and cluster.gitops.sync_windows:
        yield finding("gitops.syncWindows", f"windows in project {cluster.gitops.project}")


@rule(
    "PGHA-E833",
    must="be single or app-of-apps with engine bitnami",
    remedy="write layout: app-of-apps",
    source="Argo CD: ApplicationSet, Git file generator",
    reads=["gitops.layout", "engine"],
)
def layout(cluster: Cluster) -> Findings:
    """An ApplicationSet makes Applications of one shape, and the chart's has sources of its own."""
    if cluster.gitops.layout == "application-set" and cluster.engine == "bitnami":
        yield finding("gitops.layout", cluster.gitops.layout)


def _comes(schedule: str) -> bool:
    try:
        CronSim(schedule, datetime(2026, 1, 1, tzinfo=UTC))
    except CronSimError:
        return False
    return True


def _zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return False
    return True
