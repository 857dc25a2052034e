"""Argo CD in the lab applies cluster `gitops` from Git: changes, drift, bad commits, deletions, failures of its own."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from gitops_lab import (
    Workshop,
    application,
    ask,
    client,
    do,
    get,
    identities,
    kubectl,
    password,
    primary,
    refresh,
    servers,
    synced,
)
from running_lab import Database, eventually, run

from pgha.config import load
from pgha.engines import plan
from pgha.resources.argocd_health import PATH as HEALTH

pytestmark = pytest.mark.lab

DATA = ("clusters.postgresql.cnpg.io", "persistentvolumeclaims", "secrets")


def seconds(question: Callable[[], Any], *, within: float, every: float = 0.2) -> float:
    """How long until it is so."""
    begun = time.monotonic()
    eventually(question, within=within, every=every)
    return time.monotonic() - begun


@pytest.fixture(scope="module")
def first(
    database: Database, tmp_path_factory: pytest.TempPathFactory, figures: list[str]
) -> Iterator[tuple[Workshop, str]]:
    """Cluster `gitops` as `pgha up` brought it from Git, with a row of data in it; it is removed at the end."""
    extra = run(".venv/bin/lab", "up", "--with", "argocd")
    assert extra.code == 0, extra.out
    figures.append(f"lab up --with argocd: {extra.seconds:.0f} s")
    workshop = Workshop(tmp_path_factory.mktemp("gitops"))
    workshop.commit("the first cluster")
    before = get("configmap/argocd-cm", namespace="argocd")["data"]
    rules = (workshop.folder / HEALTH).read_text()
    kubectl("patch", "configmap/argocd-cm", "--namespace=argocd", "--type=merge", f"--patch={rules}")
    assert before.items() <= get("configmap/argocd-cm", namespace="argocd")["data"].items()
    try:
        up = workshop.pgha("up", "FILE")
        assert up.code == 0, up.out
        figures.append(f"pgha up of a new cluster through Argo CD: {up.seconds:.0f} s")
        do("create table if not exists kept as select 42 as answer")
        yield workshop, up.out
    finally:
        down = workshop.pgha("down", "FILE", "--destroy", "gitops")
        assert down.code == 0, down.out


@pytest.fixture
def workshop(first: tuple[Workshop, str]) -> Iterator[Workshop]:
    """The cluster in sync with the first description; afterwards it is brought back to it, its data untouched."""
    found = first[0]
    yield found
    commit = found.commit("as it was")
    if not applied_by_argocd():  # a test that deletes it has failed
        found.pgha("up", "FILE", "--no-lan")
    refresh()
    eventually(lambda: synced(commit), within=240)
    assert ask("select answer from kept") == 42


def applied_by_argocd() -> bool:
    return bool(kubectl("get", "applications.argoproj.io/gitops", "--namespace=argocd", "--ignore-not-found"))


def test_up_shows_the_waves_and_ends_in_sync(first: tuple[Workshop, str]) -> None:
    workshop, printed = first
    commit = workshop.git("rev-parse", "HEAD")
    assert "of 4: Cluster gitops" in printed or "of 3: Cluster gitops" in printed, printed
    assert f"in sync with {commit[:8]}, healthy" in printed
    assert "192.168.10.108" in printed
    assert synced(commit)
    status = workshop.pgha("gitops", "status", "FILE")
    assert (status.code, f"in sync with {commit[:8]}" in status.out) == (0, True), status.out
    assert json.loads(workshop.pgha("gitops", "status", "FILE", "--output", "json").out)["ready"] is True


def test_a_commit_is_applied_and_a_revert_takes_it_back(workshop: Workshop, figures: list[str]) -> None:
    before = servers()
    commit = workshop.commit("more memory for sorting", {"postgresql.parameters": {"work_mem": "8MB"}})
    polled = seconds(lambda: ask("show work_mem") == "8MB", within=240)
    eventually(lambda: synced(commit), within=180)
    workshop.revert()
    refresh()
    refreshed = seconds(lambda: ask("show work_mem") == "4MB", within=180)
    figures.append(f"a commit until SHOW says so: by polling every 15 s {polled:.1f} s, by refresh {refreshed:.1f} s")
    assert servers() == before


def test_what_was_changed_by_hand_is_taken_back(workshop: Workshop, figures: list[str]) -> None:
    taken = []
    for value in ("16MB", "32MB", "64MB"):
        change = {"spec": {"postgresql": {"parameters": {"work_mem": value}}}}
        words = ("--namespace=gitops", "--type=merge", f"--patch={json.dumps(change)}")
        kubectl("patch", "clusters.postgresql.cnpg.io/gitops", *words)
        taken.append(seconds(lambda: parameter() == "4MB", within=180))
    figures.append(f"three changes by hand, each taken back after {', '.join(f'{each:.1f}' for each in taken)} s")


def parameter() -> str:
    return str(get("clusters.postgresql.cnpg.io/gitops")["spec"]["postgresql"]["parameters"]["work_mem"])


def test_an_invalid_object_is_refused_and_nothing_else_happens(workshop: Workshop) -> None:
    before = servers()
    (manifest,) = (workshop.folder / "kubernetes/applications/gitops/manifests").glob("*-cluster-gitops.yaml")
    manifest.write_text(manifest.read_text().replace("instances: 2", "instances: -1"))
    workshop.push("an impossible number")
    refresh()

    def said() -> bool:
        status = workshop.pgha("gitops", "status", "FILE")
        return status.code == 1 and "spec.instances" in status.out

    eventually(said, within=180)
    assert servers() == before
    assert ask("select answer from kept") == 42


@pytest.mark.long
def test_an_image_that_does_not_exist_never_takes_the_primary(workshop: Workshop, figures: list[str]) -> None:
    main, identity = primary(), servers()[primary()]
    workshop.commit("a newer image", {"postgresql.image": "ghcr.io/cloudnative-pg/postgresql:17.99-nowhere"})
    refresh()

    def said() -> bool:
        out = workshop.pgha("gitops", "status", "FILE").out
        return "Cluster gitops" in out and "wave" in out

    eventually(said, within=180)
    eventually(lambda: "ErrImagePull" in pods() or "ImagePullBackOff" in pods(), within=180)
    assert servers()[main] == identity
    do("create table meanwhile (x int)")

    workshop.revert()
    workshop.describe()
    begun = time.monotonic()
    up = workshop.pgha("up", "FILE", "--no-lan")
    assert up.code == 0, up.out
    figures.append(f"a commit with a missing image taken back by a revert: {time.monotonic() - begun:.0f} s")
    assert servers()[main] == identity
    do("drop table meanwhile")


def pods() -> str:
    return kubectl("get", "pods", "--namespace=gitops")


def test_an_object_that_leaves_git_and_holds_data_stays(workshop: Workshop) -> None:
    before = identities(*DATA) | servers()
    (manifest,) = (workshop.folder / "kubernetes/applications/gitops/manifests").glob("*-cluster-gitops.yaml")
    (pooler,) = (workshop.folder / "kubernetes/applications/gitops/manifests").glob("??-pooler-*.yaml")
    manifest.unlink()
    pooler.unlink()
    commit = workshop.push("the cluster is gone")
    refresh()
    eventually(lambda: synced(commit), within=180)
    assert get("poolers.postgresql.cnpg.io")["items"] == []
    assert identities(*DATA) | servers() == before
    assert "kept Cluster gitops:" in workshop.pgha("gitops", "status", "FILE").out
    assert ask("select answer from kept") == 42


@pytest.mark.parametrize("finalizer", [False, True], ids=["without finalizer", "with finalizer"])
def test_deleting_the_application_keeps_data(workshop: Workshop, finalizer: bool, figures: list[str]) -> None:
    before = identities(*DATA) | servers()
    if finalizer:
        change = {"metadata": {"finalizers": ["resources-finalizer.argocd.argoproj.io/background"]}}
        words = ("--namespace=argocd", "--type=merge", f"--patch={json.dumps(change)}")
        kubectl("patch", "applications.argoproj.io/gitops", *words)
    kubectl("delete", "applications.argoproj.io/gitops", "--namespace=argocd", "--wait=true", "--timeout=60s")
    if finalizer:
        eventually(lambda: get("poolers.postgresql.cnpg.io")["items"] == [], within=90)
    assert identities(*DATA) | servers() == before
    assert ask("select answer from kept") == 42
    again = workshop.pgha("up", "FILE", "--no-lan")
    assert again.code == 0, again.out
    assert identities(*DATA) | servers() == before
    figures.append(f"Application deleted {'with' if finalizer else 'without'} finalizer, and made anew by pgha up: "
                   f"{again.seconds:.0f} s, no pod touched")  # fmt: skip


def generations() -> dict[str, str]:
    kinds = "clusters.postgresql.cnpg.io,poolers.postgresql.cnpg.io,networkpolicies,services,secrets,jobs,deployments"
    found = {
        f"{item['kind']}/{item['metadata']['name']}": str(
            item["metadata"].get("generation") or item["metadata"]["resourceVersion"]
        )
        for item in get(kinds)["items"]
    }
    for kind in ("applications.argoproj.io", "appprojects.argoproj.io"):
        spec = get(f"{kind}/gitops", namespace="argocd")["spec"]
        found[kind] = json.dumps(spec, sort_keys=True)
    return found


@pytest.mark.long
def test_the_stack_and_argo_cd_never_fight(workshop: Workshop) -> None:
    before = generations()
    for _ in range(3):
        up = workshop.pgha("up", "FILE", "--no-lan")
        assert up.code == 0, up.out
        assert "nothing changed" in up.out
        refresh()
        eventually(synced, within=180)
    assert generations() == before


@pytest.mark.long
def test_it_never_flaps(workshop: Workshop, figures: list[str]) -> None:
    """A minute; a longer look by hand is in docs/explanation/gitops.md."""
    eventually(synced, within=180)
    seen: list[tuple[str, str]] = []
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        status = application()["status"]
        seen.append((status["sync"]["status"], status["health"]["status"]))
        time.sleep(1)
    assert set(seen) == {("Synced", "Healthy")}
    figures.append(f"in sync and healthy in {len(seen)} of {len(seen)} looks within 60 s")


def test_a_pause_lasts_until_somebody_resumes(workshop: Workshop) -> None:
    paused = workshop.pgha("gitops", "pause", "FILE", "--reason", "work by hand")
    assert (paused.code, "work by hand" in paused.out) == (0, True), paused.out
    change = {"spec": {"postgresql": {"parameters": {"work_mem": "16MB"}}}}
    kubectl("patch", "clusters.postgresql.cnpg.io/gitops", "--namespace=gitops", "--type=merge",
            f"--patch={json.dumps(change)}")  # fmt: skip
    refresh()
    up = workshop.pgha("up", "FILE", "--no-lan")
    assert up.code == 2, up.out
    assert "pgha gitops resume" in up.out
    assert parameter() == "16MB"
    status = workshop.pgha("gitops", "status", "FILE")
    assert (status.code, "work by hand" in status.out) == (1, True), status.out
    assert workshop.pgha("gitops", "resume", "FILE").code == 0
    eventually(lambda: parameter() == "4MB", within=180)


@pytest.mark.long
@pytest.mark.parametrize(
    "pod",
    ["app.kubernetes.io/name=argocd-redis", "app.kubernetes.io/name=argocd-application-controller"],
    ids=["redis", "controller"],
)
def test_heals_after_argo_cd_lost(workshop: Workshop, pod: str, figures: list[str]) -> None:
    """The worst moment: something is changed by hand while the pod is away."""
    kubectl("delete", "pods", "--namespace=argocd", f"--selector={pod}", "--grace-period=0", "--force")
    change = {"spec": {"postgresql": {"parameters": {"work_mem": "16MB"}}}}
    kubectl("patch", "clusters.postgresql.cnpg.io/gitops", "--namespace=gitops", "--type=merge",
            f"--patch={json.dumps(change)}")  # fmt: skip
    took = seconds(lambda: parameter() == "4MB", within=180)
    figures.append(f"changed by hand while {pod.partition('=')[2]} was away, taken back after {took:.1f} s")


def test_no_password_is_where_argo_cd_could_show_it(workshop: Workshop) -> None:
    with client() as connection:
        assert connection.info.status == psycopg.pq.ConnStatus.OK
    assert password() not in json.dumps(application())
    assert password() not in workshop.git("log", "--patch")


@pytest.mark.long
@pytest.mark.parametrize("layout", ["application-set", "app-of-apps"])
def test_a_parent_takes_the_application_over(workshop: Workshop, layout: str, figures: list[str]) -> None:
    """The running cluster gets another maker of its Application, and nothing else happens to it."""
    before = identities(*DATA) | servers()
    workshop.commit(f"layout {layout}", {"gitops.layout": layout})
    kubectl("delete", "applications.argoproj.io/gitops", "--namespace=argocd", "--wait=true", "--timeout=60s")
    parent = (workshop.folder / "kubernetes/applications" / f"{layout}.yaml").read_text()
    try:
        kubectl("apply", "--server-side", "-f", "-", stdin=parent)
        look_again(layout)  # it may have in mind for minutes which commit the branch was
        made = seconds(applied_by_argocd, within=180)
        up = workshop.pgha("up", "FILE", "--no-lan")
        assert up.code == 0, up.out
        figures.append(f"layout {layout}: the Application is there after {made:.1f} s")
        assert identities(*DATA) | servers() == before
        wanted = plan(load(workshop.file)).argocd[-1]["spec"]
        assert application()["spec"] == wanted

        assert workshop.pgha("gitops", "pause", "FILE").code == 0
        look_again(layout)
        time.sleep(10)
        assert workshop.pgha("gitops", "status", "FILE").code == 1
        assert application()["spec"]["syncPolicy"]["automated"]["enabled"] is False
        assert workshop.pgha("gitops", "resume", "FILE").code == 0

        down = workshop.pgha("down", "FILE", "--destroy", "gitops")
        assert (down.code, "argocd/clusters makes the Application" in down.out) == (2, True), down.out
        assert identities(*DATA) | servers() == before
    finally:
        kubectl("delete", "--ignore-not-found", "--wait=true", "--timeout=60s", "-f", "-", stdin=parent)
    assert identities(*DATA) | servers() == before
    workshop.describe()
    again = workshop.pgha("up", "FILE", "--no-lan")  # the stack makes the Application again
    assert again.code == 0, again.out


def look_again(layout: str) -> None:
    """Have the parent compare with Git now."""
    if layout == "app-of-apps":
        refresh("clusters")
        return
    words = ("argocd.argoproj.io/application-set-refresh=true", "--overwrite", "--namespace=argocd")
    kubectl("annotate", "applicationsets.argoproj.io/clusters", *words)


@pytest.mark.long
def test_delivery_changes_hands_without_touching_a_pod(workshop: Workshop, figures: list[str]) -> None:
    """From Argo CD to pgha's own apply and back; each is the only owner afterwards, so a field that goes is gone."""
    before = identities(*DATA) | servers()
    workshop.describe({"delivery": "tofu", "gitops": None})
    away = workshop.pgha("up", "FILE", "--no-lan")
    assert away.code == 0, away.out
    assert not applied_by_argocd()
    assert managers() == {"pgha"}
    assert identities(*DATA) | servers() == before

    workshop.commit("Argo CD again")
    back = workshop.pgha("up", "FILE", "--no-lan")
    assert back.code == 0, back.out
    assert managers() == {"argocd-controller"}
    assert identities(*DATA) | servers() == before
    figures.append(f"delivery argocd → tofu {away.seconds:.0f} s, tofu → argocd {back.seconds:.0f} s, no pod touched")

    commit = workshop.commit("one setting less", {"postgresql.parameters": None})
    refresh()
    eventually(lambda: synced(commit), within=180)
    assert "work_mem" not in get("clusters.postgresql.cnpg.io/gitops")["spec"]["postgresql"]["parameters"]


def managers() -> set[str]:
    """Who has applied the Cluster."""
    words = ("--namespace=gitops", "--output=json", "--show-managed-fields")
    fields = json.loads(kubectl("get", "clusters.postgresql.cnpg.io/gitops", *words))["metadata"]["managedFields"]
    return {entry["manager"] for entry in fields if entry["operation"] == "Apply"}
