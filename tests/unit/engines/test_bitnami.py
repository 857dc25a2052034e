"""What the engine makes of a cluster file: the chart's values, and the objects beside the chart."""

from typing import Any

import pytest

from pgha.config.model import Cluster
from pgha.config.problems import UserError
from pgha.delivery.apply import apply
from pgha.engines import engine_of, plan
from pgha.engines.base import Endpoint, NotBuiltError, Readiness
from pgha.engines.bitnami import pgpool, values
from tests.support import balancer, postgres_ha, trio

SECRET = "postgres-ha-postgresql-credentials"


def given(cluster: Cluster) -> dict[str, Any]:
    release = plan(cluster).release
    assert release is not None
    return release.values


def every(cluster: Cluster) -> list[dict[str, Any]]:
    planned = plan(cluster)
    return [*planned.stack, *planned.tree]


def only(cluster: Cluster, kind: str, name: str | None = None) -> dict[str, Any]:
    found = [o for o in every(cluster) if o["kind"] == kind and name in {None, o["metadata"]["name"]}]
    assert len(found) == 1, [o["metadata"]["name"] for o in every(cluster) if o["kind"] == kind]
    return found[0]


def test_the_chart_is_the_last_of_its_line_and_exact() -> None:
    release = plan(postgres_ha()).release
    assert release is not None
    assert (release.chart, release.version, release.name) == ("postgresql-ha", "12.8.2", "postgres-ha")


def test_images_are_on_the_path_where_they_still_are() -> None:
    found = given(postgres_ha())
    images = [found[part]["image"] for part in ("postgresql", "pgpool", "metrics")]
    assert {image["repository"].partition("/")[0] for image in images} == {"bitnamilegacy"}
    assert [image["tag"] for image in images] == [
        "16.6.0-debian-12-r3",
        "4.6.3-debian-12-r0",  # 4.5.0, the chart's own, lets anybody in as repmgr (CVE-2025-22248)
        "0.17.1-debian-12-r16",
    ]


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("mine.example.com:5000/pg/repmgr:16.6.0", ("mine.example.com:5000", "pg/repmgr", "16.6.0", None)),
        ("bitnamilegacy/pgpool:4", ("docker.io", "bitnamilegacy/pgpool", "4", None)),
        ("localhost/pg@sha256:ab", ("localhost", "pg", "", "sha256:ab")),
        ("docker.io/a/b:1@sha256:ab", ("docker.io", "a/b", "1", "sha256:ab")),
    ],
)
def test_an_image_of_ones_own_is_taken_apart(reference: str, parts: tuple[str, ...]) -> None:
    found = given(trio(postgresql={"image": reference}))["postgresql"]["image"]
    assert (found["registry"], found["repository"], found["tag"], found.get("digest")) == parts


def test_every_password_comes_from_a_secret() -> None:
    found = given(postgres_ha())
    assert (found["postgresql"]["existingSecret"], found["pgpool"]["existingSecret"]) == (SECRET, SECRET)
    made = {secret.name: secret for secret in plan(postgres_ha()).secrets}
    assert list(made) == [SECRET, "postgres-ha-admin", "postgres-ha-app-user"]
    assert {"password", "postgres-password", "repmgr-password", "admin-password"} < set(made[SECRET].passwords)


def test_the_chart_logs_in_as_a_role_of_its_own() -> None:
    """As the superuser it would put the superuser into Pgpool-II's password file, and so on the LAN."""
    assert given(postgres_ha())["postgresql"]["username"] == "pgha_monitor"


def test_the_settings_that_kept_one_primary() -> None:
    found = given(postgres_ha())["postgresql"]
    assert found["headlessWithNotReadyAddresses"] is True
    assert found["repmgrFenceOldPrimary"] is False
    assert found["audit"] == {"logHostname": False}
    assert given(postgres_ha())["pgpool"]["logHostname"] is False
    assert found["sharedPreloadLibraries"] == "repmgr"


def test_a_primary_that_restarts_gives_a_promotion_time_to_happen() -> None:
    """Else it asks who the primary is a moment before there is another one, and goes on: two primaries (measured)."""
    promotion = values.MONITOR_INTERVAL + values.RECONNECT_ATTEMPTS * (
        values.CONNECT_TIMEOUT + values.RECONNECT_INTERVAL
    )
    command = given(postgres_ha())["postgresql"]["command"]
    assert command[:2] == ["/pgha/postgresql-start.sh", str(values.DECISION_SECONDS)]
    assert command[2:] == [f"/opt/bitnami/scripts/postgresql-repmgr/{name}.sh" for name in ("entrypoint", "run")]
    assert promotion + 10 <= values.DECISION_SECONDS
    probe = given(postgres_ha())["postgresql"]["customLivenessProbe"]
    assert probe["exec"]["command"] == ["/pgha/postgresql-live.sh"]
    assert "command" not in given(postgres_ha())["witness"]


@pytest.mark.parametrize("instances", [2, 3, 4, 5])
def test_votes_are_odd_and_a_drain_takes_one_at_a_time(instances: int) -> None:
    found = given(trio(instances=instances))
    votes = instances + int(found.get("witness", {}).get("create", False))
    assert votes % 2 == 1
    assert found["postgresql"]["pdb"]["minAvailable"] == votes - 1


def test_no_two_votes_share_a_node() -> None:
    found = given(postgres_ha())
    assert found["postgresql"]["affinity"] == found["witness"]["affinity"]
    (term,) = found["witness"]["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert term["topologyKey"] == "kubernetes.io/hostname"
    assert "role" not in term["labelSelector"]["matchLabels"]


def test_a_dead_primary_is_known_within_half_a_minute() -> None:
    """SC-007, by arithmetic on what is configured: packets that vanish are the slowest way to die."""
    repmgr = values.MONITOR_INTERVAL + values.RECONNECT_ATTEMPTS * (values.CONNECT_TIMEOUT + values.RECONNECT_INTERVAL)
    check = pgpool.HEALTH_CHECK
    once = check["timeout"]
    pool = check["period"] + once + check["max_retries"] * (check["retry_delay"] + once)
    assert (repmgr, pool) == (17, 23)
    found = given(postgres_ha())["postgresql"]
    assert (found["repmgrConnectTimeout"], found["repmgrReconnectAttempts"], found["repmgrReconnectInterval"]) == (
        values.CONNECT_TIMEOUT,
        values.RECONNECT_ATTEMPTS,
        values.RECONNECT_INTERVAL,
    )
    probe = found["customReadinessProbe"]
    assert probe["failureThreshold"] * probe["periodSeconds"] + probe["timeoutSeconds"] <= 30
    live = given(postgres_ha())["pgpool"]["customReadinessProbe"]
    assert live["failureThreshold"] * live["periodSeconds"] + live["timeoutSeconds"] <= 30


def test_pgpool_gives_a_primary_up_after_repmgr_would_see_it_again() -> None:
    """A server that restarts in place is back after 2 s; given up too soon, Pgpool-II looks for another for ever."""
    lines = given(postgres_ha())["pgpool"]["configuration"].splitlines()
    assert "failover_on_backend_shutdown = 'off'" in lines
    assert "failover_on_backend_error = 'off'" in lines
    assert "search_primary_node_timeout = '10'" in lines
    assert "detach_false_primary = 'off'" in lines
    assert "detach_false_primary = 'on'" in given(trio())["pgpool"]["configuration"].splitlines()


def test_each_pgpool_carries_a_hundred_clients_and_all_fit_into_the_server() -> None:
    found = given(postgres_ha())
    assert found["pgpool"]["numInitChildren"] - found["pgpool"]["reservedConnections"] >= 100
    assert "max_connections = '300'" in found["postgresql"]["extendedConf"]


@pytest.mark.parametrize(
    ("pooler", "parameters", "wanted"),
    [
        (None, {}, (2, 128, 1, 270)),
        (None, {"max_connections": 400}, (2, 128, 1, 400)),
        ({"instances": 2}, {}, (2, 128, 1, 270)),
        ({"instances": 1, "maxClientConnections": 20, "poolSize": 2}, {}, (1, 20, 2, 100)),
    ],
)
def test_pgpools_size(pooler: dict[str, int] | None, parameters: dict[str, int], wanted: tuple[int, ...]) -> None:
    found = pgpool.size(trio(pooler=pooler, postgresql={"parameters": parameters}))
    assert (found.pods, found.children, found.pool, found.max_connections) == wanted


def test_parameters_are_quoted() -> None:
    conf = given(trio(postgresql={"parameters": {"log_line_prefix": "it's %m", "jit": False}}))["postgresql"]
    assert conf["extendedConf"].splitlines()[1:] == ["log_line_prefix = 'it''s %m'", "jit = 'off'"]


def test_what_a_pod_reads_at_its_start_only_makes_it_start_anew() -> None:
    one, other = given(trio()), given(trio(postgresql={"parameters": {"work_mem": "8MB"}}))
    assert one["postgresql"]["podAnnotations"] != other["postgresql"]["podAnnotations"]
    assert one["pgpool"]["podAnnotations"] == other["pgpool"]["podAnnotations"]
    rotated = given(trio(credentials={"revision": 2}))
    assert rotated["pgpool"]["podAnnotations"]["pgha/credentials-revision"] == "2"
    assert rotated["postgresql"] == one["postgresql"]


def test_a_new_user_restarts_no_server() -> None:
    users = [{"name": "app"}, {"name": "late", "databases": ["app"]}]
    assert given(trio(users=users))["postgresql"] == given(trio())["postgresql"]
    assert only(trio(users=users), "Job")["metadata"]["name"] != only(trio(), "Job")["metadata"]["name"]


def test_only_the_files_networks_get_through_pgpool() -> None:
    lines = pgpool.pool_hba(postgres_ha()).splitlines()
    assert lines[1:] == [
        "local all pgha_monitor trust",
        "local all all reject",
        "host all repmgr all reject",
        "host all pgha_monitor all reject",
        "host all pgha_backup all reject",
        "host all postgres all reject",
        "host all all 10.42.0.0/16 scram-sha-256",
        "host all all 192.168.0.0/16 scram-sha-256",
        "host all all all reject",
    ]
    assert "trust" not in pgpool.pool_hba(postgres_ha()).replace("local all pgha_monitor trust", "").split("\n", 1)[1]


def test_the_superuser_gets_in_where_the_file_says_so() -> None:
    cluster = trio(credentials={"superuserAccess": True})
    assert "host all postgres all reject" not in pgpool.pool_hba(cluster)
    users = {entry["name"]: entry for entry in given(cluster)["pgpool"]["extraEnvVars"]}
    assert users["PGPOOL_POSTGRES_CUSTOM_USERS"]["value"] == "app;postgres"
    assert users["PGPOOL_POSTGRES_CUSTOM_PASSWORDS"]["value"] == "$(PGHA_PASSWORD_0);$(PGHA_PASSWORD_1)"
    assert users["PGHA_PASSWORD_1"]["valueFrom"]["secretKeyRef"]["key"] == "postgres-password"


def test_tls_on_request() -> None:
    cluster = trio(network=balancer(hostname="db.example.com") | {"tls": "required"})
    found = given(cluster)
    assert (
        found["pgpool"]["tls"]["certificatesSecret"] == found["postgresql"]["tls"]["certificatesSecret"] == "trio-tls"
    )
    assert "certCAFilename" not in found["pgpool"]["tls"]  # it would ask clients for certificates
    assert "hostssl all all 10.0.0.0/8 scram-sha-256" in pgpool.pool_hba(cluster)
    assert "\nhost all all 10" not in pgpool.pool_hba(cluster)
    server = only(cluster, "Certificate", "trio-tls")["spec"]
    assert server["ipAddresses"] == ["192.168.10.100"]
    assert {"db.example.com", "trio-pgpool.trio-ns.svc.cluster.local"} <= set(server["dnsNames"])
    assert "tls" not in given(trio())["pgpool"]


def test_the_lan_gets_one_address_and_no_port_on_the_nodes() -> None:
    service = only(postgres_ha(), "Service")
    assert service["metadata"]["name"] == "postgres-ha-external"
    assert service["metadata"]["annotations"]["metallb.io/loadBalancerIPs"] == "192.168.10.100"
    assert service["spec"]["allocateLoadBalancerNodePorts"] is False
    assert service["spec"]["loadBalancerSourceRanges"] == ["10.42.0.0/16", "192.168.0.0/16"]
    assert service["spec"]["selector"]["app.kubernetes.io/component"] == "pgpool"
    pool = only(postgres_ha(), "IPAddressPool")["spec"]
    assert pool == {"addresses": ["192.168.10.100-192.168.10.110"], "autoAssign": False}


def test_endpoints() -> None:
    domain = "postgresql.svc.cluster.local"
    found = engine_of(postgres_ha()).endpoints(postgres_ha())
    assert found == [
        Endpoint(role="read-write", vantage="cluster", host=f"postgres-ha-pgpool.{domain}", port=5432, pooled=True,
                 tls=False, service="postgres-ha-pgpool"),
        Endpoint(role="any", vantage="cluster", host=f"postgres-ha-postgresql.{domain}", port=5432, tls=False,
                 service="postgres-ha-postgresql"),
        Endpoint(role="read-write", vantage="lan", host="192.168.10.100", port=5432, pooled=True, tls=False,
                 service="postgres-ha-external"),
    ]  # fmt: skip


@pytest.mark.parametrize(("tls", "mode"), [("allowed", "prefer"), ("required", "require")])
def test_clients_ask_for_as_much_tls_as_there_is(tls: str, mode: str) -> None:
    cluster = trio(network=balancer() | {"tls": tls})
    assert {end.sslmode for end in engine_of(cluster).endpoints(cluster)} == {mode}


def admitted(policy: dict[str, Any], port: int) -> list[dict[str, Any]]:
    rules = [rule for rule in policy["spec"].get("ingress", []) if {"port": port, "protocol": "TCP"} in rule["ports"]]
    return [peer for rule in rules for peer in rule["from"]]


def test_only_named_namespaces_and_networks_are_admitted() -> None:
    cluster = trio(network={"networks": ["10.1.0.0/16"], "namespaces": ["shop"]})
    shop = {"namespaceSelector": {"matchExpressions": [
        {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["shop"]}]}}  # fmt: skip
    lan = {"ipBlock": {"cidr": "10.1.0.0/16"}}
    assert admitted(only(cluster, "NetworkPolicy", "trio-pgpool"), 5432) == [{"podSelector": {}}, shop, lan]
    servers = admitted(only(cluster, "NetworkPolicy", "trio-postgresql"), 5432)
    assert shop in servers
    assert lan not in servers  # the LAN has Pgpool-II, and nothing else
    assert "ingress" not in only(cluster, "NetworkPolicy", "trio-jobs")["spec"]


@pytest.mark.parametrize(
    ("networks", "blocks"),
    [
        (["10.42.0.0/16", "192.168.0.0/16"], [{"cidr": "192.168.0.0/16"}]),
        (["10.42.7.0/24"], []),
        (["10.0.0.0/8"], [{"cidr": "10.0.0.0/8", "except": ["10.42.0.0/16"]}]),
    ],
    ids=["the pods' range", "a part of it", "more than it"],
)
def test_the_pods_own_range_lets_no_other_namespace_in(networks: list[str], blocks: list[dict[str, Any]]) -> None:
    """Pods must be in `networks` for Pgpool-II and pg_hba, which see addresses and no namespaces."""
    cluster = trio(network={"networks": networks, "namespaces": ["shop"]})
    peers = admitted(only(cluster, "NetworkPolicy", "trio-pgpool"), 5432)
    assert [peer["ipBlock"] for peer in peers if "ipBlock" in peer] == blocks


def test_every_pod_of_ours_is_restricted() -> None:
    pods = [only(postgres_ha(), "Job")["spec"]["template"]["spec"]]
    pods.append(only(postgres_ha(), "CronJob")["spec"]["jobTemplate"]["spec"]["template"]["spec"])
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert set(container["resources"]) == {"requests", "limits"}
    namespace = only(postgres_ha(), "Namespace")["metadata"]["labels"]
    assert namespace["pod-security.kubernetes.io/enforce"] == "restricted"


def test_volumes_outlive_the_release() -> None:
    found = given(postgres_ha())
    assert found["persistentVolumeClaimRetentionPolicy"] == {"enabled": True}
    assert found["persistence"] == {
        "size": "50Gi",
        "storageClass": "local-path",
        "annotations": {
            "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
            "helm.sh/resource-policy": "keep",
        },
    }


def test_backups_go_to_a_volume_of_their_own() -> None:
    job = only(postgres_ha(), "CronJob")["spec"]
    assert (job["schedule"], job["timeZone"], job["concurrencyPolicy"]) == ("0 2 * * *", "Etc/UTC", "Forbid")
    claim = only(postgres_ha(), "PersistentVolumeClaim")["spec"]
    assert claim["accessModes"] == ["ReadWriteOnce"]
    assert claim["resources"]["requests"]["storage"] == "50Gi"


def test_backups_go_to_a_share_where_the_file_says_so() -> None:
    """A restricted pod may not mount a share itself."""
    volume = {"size": "20Gi", "nfsServer": "192.168.20.5", "nfsPath": "/backups"}
    cluster = trio(backup={"volume": volume})
    share = only(cluster, "PersistentVolume")
    assert share["spec"]["nfs"] == {"server": "192.168.20.5", "path": "/backups"}
    assert share["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    assert only(cluster, "PersistentVolumeClaim")["spec"]["volumeName"] == share["metadata"]["name"]


def test_no_backup_no_role() -> None:
    assert "pgha_backup" not in only(trio(), "ConfigMap", "trio-access")["data"]["access.sql"]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"postgresql": {"version": "17"}}, "is for PostgreSQL 16, not 17"),
    ],
)
def test_what_is_not_built_is_refused_by_name(changes: dict[str, Any], what: str) -> None:
    with pytest.raises(NotBuiltError, match=what):
        plan(trio(**changes))


def test_without_opentofu_a_chart_is_refused_before_anything_is_applied() -> None:
    with pytest.raises(UserError, match="chart postgresql-ha cannot be installed without OpenTofu"):
        apply(None, plan(trio()), lambda _: None)  # type: ignore[arg-type]


LIVE: dict[str, dict[str, Any]] = {
    "postgres-ha-postgresql": {"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "readyReplicas": 2}},
    "postgres-ha-postgresql-witness": {
        "metadata": {"generation": 1},
        "status": {"observedGeneration": 1, "readyReplicas": 1},
    },
    "postgres-ha-pgpool": {"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "readyReplicas": 2}},
    "postgres-ha-external": {"status": {"loadBalancer": {"ingress": [{"ip": "192.168.10.100"}]}}},
    "job": {"status": {"succeeded": 1}},
}


@pytest.mark.parametrize(
    ("name", "live", "found"),
    [
        (
            "",
            None,
            Readiness(
                ready=True,
                summary="pods ready: 2 postgres-ha-postgresql, 1 postgres-ha-postgresql-witness, 2 postgres-ha-pgpool",
            ),
        ),
        (
            "postgres-ha-postgresql",
            None,
            Readiness(
                ready=False,
                summary="the StatefulSet postgres-ha-postgresql does not exist yet: the chart is not installed",
            ),
        ),
        (
            "postgres-ha-pgpool",
            {"metadata": {"generation": 2}, "status": {"observedGeneration": 1, "readyReplicas": 2}},
            Readiness(ready=False, summary="Deployment postgres-ha-pgpool: 2 of 2 pods ready"),
        ),
        ("job", {}, Readiness(ready=False, summary="Job JOB: roles and databases are not made yet")),
        (
            "job",
            {"status": {"conditions": [{"type": "Failed", "message": "too often"}]}},
            Readiness(ready=False, failed=True, summary="Job JOB: too often"),
        ),
        (
            "postgres-ha-external",
            None,
            Readiness(ready=False, summary="Service postgres-ha-external has no address 192.168.10.100 yet"),
        ),
    ],
    ids=["ready", "no chart", "rolling", "no access yet", "access failed", "no address"],
)
def test_readiness(name: str, live: dict[str, Any] | None, found: Readiness) -> None:
    cluster = postgres_ha()
    job = only(cluster, "Job")["metadata"]["name"]
    state = LIVE | ({name: live} if name else {})
    seen = engine_of(cluster).readiness(cluster, lambda *key: state["job" if key[1] == "Job" else key[3]])
    assert seen == Readiness(ready=found.ready, failed=found.failed, summary=found.summary.replace("JOB", job))
