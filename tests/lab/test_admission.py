"""What `pgha validate` accepts, the API server and every webhook accept; and what they refuse, it has refused before.

Everything is a server-side dry run: defaulting, definitions, validation, CloudNativePG's and MetalLB's webhooks, Pod
Security; nothing is kept.
"""

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from any_cluster import FILES, NAMESPACE, accepted
from custom_resources import install_crds
from hypothesis import HealthCheck, assume, given, note, settings
from running_lab import Database

from lab.home import KUBECONFIG
from pgha.config import Cluster, check
from pgha.delivery.kubernetes import Api
from pgha.engines import plan
from pgha.resources.credentials import GeneratedSecret

pytestmark = pytest.mark.lab

EXAMPLES = int(os.environ.get("PGHA_EXAMPLES", "60"))
"""How many accepted files are sent; each is some ten to twenty objects."""


class RefusedError(Exception):
    """What the server says against one or more objects."""


class Server:
    """The API server, asked what it would do."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def tried(self, *objects: dict[str, Any]) -> None:
        """Raises RefusedError where it refuses one of them, or warns of it, as of a field that it does not know."""
        said = [f"{obj['kind']} {obj['metadata']['name']}: {word}" for obj in objects for word in self._said(obj)]
        if said:
            raise RefusedError("\n".join(said))

    def _said(self, obj: dict[str, Any]) -> list[str]:
        # One connection for all: kubectl would take seconds for what takes the server milliseconds.
        meta = obj["metadata"]
        response = self._api._http.request(
            "PATCH",
            self._api._path(obj["apiVersion"], obj["kind"], meta.get("namespace"), meta["name"]),
            params={"dryRun": "All", "fieldManager": "admission", "force": "true", "fieldValidation": "Strict"},
            headers={"Content-Type": "application/apply-patch+yaml"},
            json=obj,
        )
        found = list(response.headers.get_list("warning"))
        return found if response.is_success else [*found, response.json()["message"]]


@pytest.fixture(scope="module")
def server(database: Database) -> Iterator[Server]:
    """The lab with every definition that our objects may need, and the namespaces that they go into."""
    for tool in ("prometheus-operator", "external-secrets", "cert-manager"):
        install_crds(database, tool)
    install_crds(database, "argo-cd", "core-install.yaml")
    install_crds(database, "plugin-barman-cloud", "plugin-barman-cloud.yaml")
    restricted = {"pod-security.kubernetes.io/warn": "restricted"}
    for name in (NAMESPACE, f"{NAMESPACE}-argocd"):
        made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": restricted}}
        database.kubectl("apply", "--server-side", "--filename=-", stdin=json.dumps(made))
    api = Api.connect(KUBECONFIG)
    yield Server(api)
    api._http.close()
    for name in (NAMESPACE, f"{NAMESPACE}-argocd"):
        database.kubectl("delete", "namespace", name)


def secret(wanted: GeneratedSecret) -> dict[str, Any]:
    """As it is written, but for its passwords."""
    meta = {"name": wanted.name, "namespace": wanted.namespace, "labels": wanted.labels}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": wanted.type,
        "metadata": meta | {"annotations": wanted.annotations},
        "stringData": wanted.data | dict.fromkeys(wanted.passwords, "secret"),
    }


def test_every_object_of_every_accepted_file_is_accepted(server: Server, figures: list[str]) -> None:
    kinds: Counter[str] = Counter()
    engines: Counter[str] = Counter()

    @settings(
        deadline=None,
        max_examples=EXAMPLES,
        suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
    )
    @given(data=FILES)
    def holds(data: dict[str, Any]) -> None:
        cluster = accepted(data)
        assume(cluster is not None)
        assert cluster is not None
        planned = plan(cluster)
        objects = [*map(secret, planned.secrets), *planned.stack, *planned.tree]
        note(json.dumps(data))
        server.tried(*objects)
        kinds.update(obj["kind"] for obj in objects)
        engines[cluster.engine] += 1

    holds()
    counted = ", ".join(f"{count} {engine}" for engine, count in engines.items())
    figures.append(f"admission: {kinds.total()} objects of {len(kinds)} kinds from {counted} files, all accepted")
    assert set(engines) == {"cloudnative-pg", "bitnami"}


def parameters(**values: Any) -> dict[str, Any]:
    return {"postgresql": {"parameters": {name.replace("__", "."): value for name, value in values.items()}}}


def image(name: str) -> dict[str, Any]:
    return {"postgresql": {"image": name}}


def users(*more: dict[str, Any]) -> dict[str, Any]:
    return {"users": [{"name": "app"}, *more]}


STORE = {"destination": "s3://bucket/folder", "credentialsSecret": "keys"}
REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    # validateName
    "long name": ({"name": "a" * 51}, "PGHA-E212", "maximum length of a cluster name is 50"),
    # validateImageName, and the version in validateConfiguration
    "latest": (image("example.com/postgresql:latest"), "PGHA-E509", "Can't use 'latest' as image tag"),
    "only a digest": (image("example.com/postgresql@sha256:" + "a" * 64), "PGHA-E509", "Can't use just the image sha"),
    "a tag that is a word": (image("example.com/postgresql:sixteen"), "PGHA-E514", "invalid version tag"),
    "an old major": (image("example.com/postgresql:12.5"), "PGHA-E509", "Unsupported PostgreSQL version"),
    # validateConfiguration
    "fixed parameter": (parameters(port=1), "PGHA-E504", "Can't set fixed configuration parameter"),
    "a name with two dots": (parameters(a__b__c=1), "PGHA-E503", "must be a valid PostgreSQL configuration parameter"),
    "unknown wal_level": (parameters(wal_level="archive"), "PGHA-E505", "unrecognized `wal_level` value"),
    "wal_level in capitals": (parameters(wal_level="REPLICA"), "PGHA-E513", "unrecognized `wal_level` value"),
    "wal_level minimal": (parameters(wal_level="minimal"), "PGHA-E508", "`wal_level` should be set at"),
    "hints off": (parameters(wal_log_hints=False), "PGHA-E513", "`wal_log_hints` must be set to `on`"),
    "no boolean": (parameters(hot_standby_feedback="maybe"), "PGHA-E505", "Must be a postgres boolean"),
    "no amount": (parameters(shared_buffers="lots"), "PGHA-E505", "Invalid value for configuration parameter"),
    "an exponent": (parameters(shared_buffers="1e2MB"), "PGHA-E512", "Invalid value for configuration parameter"),
    "min over max": (parameters(min_wal_size="2GB"), "PGHA-E", "should be smaller than parameter max_wal_size"),
    "log over its volume": (
        parameters(max_wal_size="2GB") | {"storage": {"walSize": "1Gi"}}, "PGHA-E609", "smaller than WAL volume size",
    ),
    # validatePgFailoverSlots
    "slots without feedback": (
        parameters(pg_failover_slots__a="b"), "PGHA-E513", "`hot_standby_feedback` must be enabled",
    ),
    # validateResources
    "buffers over memory": (parameters(shared_buffers="3GB"), "PGHA-E", "Memory request is lower than PostgreSQL"),
    "CPU over its limit": (
        {"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}}, "PGHA-E", "CPU request is greater",
    ),
    "memory over its limit": (
        {"resources": {"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}}},
        "PGHA-E", "Memory request is greater",
    ),
    # validateSynchronousReplicaConfiguration
    "too many to wait for": (
        {"replication": {"mode": "sync", "synchronousStandbys": 3}}, "PGHA-E", "must be less than the total number",
    ),
    # validateStorageSize, validateWalStorageSize
    "no size": ({"storage": {"size": "much"}}, "PGHA-E", "Size value isn't valid"),
    "no size of the log": ({"storage": {"walSize": "much"}}, "PGHA-E", "Size value isn't valid"),
    # validateManagedRoles
    "one role twice": (users({"name": "app"}), "PGHA-E", "Role name is duplicate of another"),
    "the superuser": (users({"name": "postgres"}), "PGHA-E217", "reserved for operator use"),
    "the standbys' role": (users({"name": "streaming_replica"}), "PGHA-E217", "reserved for operator use"),
    "a role of PostgreSQL": (users({"name": "pg_mine"}), "PGHA-E217", "reserved for operator use"),
    "a role of the operator": (users({"name": "cnpg_mine"}), "PGHA-E217", "reserved for operator use"),
    # DatabaseRole
    "a certificate for the superuser": (
        users({"name": "postgres", "authentication": "cert"}), "PGHA-E217", "the role name postgres is reserved",
    ),
    # Database
    "a template": (
        {"databases": [{"name": "app", "owner": "app"}, {"name": "template1", "owner": "app"}]},
        "PGHA-E218", "the name template1 is reserved",
    ),
    # ScheduledBackup
    "Sunday as 7": ({"backup": {"objectStore": STORE, "schedule": "0 2 * * 7"}}, "PGHA-E", "above maximum"),
    # ObjectStore
    "no retention": ({"backup": {"objectStore": STORE, "retentionDays": 0}}, "PGHA-E", "retentionPolicy"),
    # ExternalSecret, PodMonitor, namespaces and labels
    "a label with a blank": (
        {"monitoring": {"labels": {"team": "a b"}}}, "PGHA-E", "a valid label must be an empty string or",
    ),
    "units out of order": ({"monitoring": {"interval": "30s1m"}}, "PGHA-E806", "should match"),
}  # fmt: skip
"""By webhook and definition: what changes in a small file, the code of `pgha validate`, words of the server."""


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_server_refuses_is_refused_before(server: Server, tmp_path: Path, name: str) -> None:
    changes, code, words = REFUSED[name]
    file = tmp_path / "demo.yaml"
    memory = {"requests": {"memory": "2Gi"}, "limits": {"memory": "2Gi"}}
    data = {"name": "demo", "namespace": NAMESPACE, "delivery": "tofu", "resources": memory} | changes
    file.write_text(yaml.safe_dump(data))
    assert [problem for problem in check([file])[0].errors if problem.code.startswith(code)]
    # The model alone does not know the rules: so this is what would have been sent.
    planned = plan(Cluster.model_validate(data))
    with pytest.raises(RefusedError) as refusal:
        server.tried(*planned.stack)
    assert words in str(refusal.value)
