"""What the engine makes of a cluster file."""

from collections.abc import Iterator
from typing import Any

import pytest

from pgha.config.model import Cluster
from pgha.engines import engine_of, plan
from pgha.engines.base import Endpoint, NotBuiltError
from tests.support import balancer, lab, sample


def only(cluster: Cluster, kind: str) -> dict[str, Any]:
    """The one object of a kind."""
    found = [obj for obj in engine_of(cluster).objects(cluster) if obj["kind"] == kind]
    assert len(found) == 1, [obj["kind"] for obj in engine_of(cluster).objects(cluster)]
    return found[0]


def spec(**changes: Any) -> dict[str, Any]:
    """The spec of the Cluster of a sample."""
    found: dict[str, Any] = only(sample(**changes), "Cluster")["spec"]
    return found


LABELS = {
    "app.kubernetes.io/name": "postgresql",
    "app.kubernetes.io/instance": "lab",
    "app.kubernetes.io/managed-by": "pgha",
}

RECONNECT = {"wal_retrieve_retry_interval": "500ms"}


def test_lab_cluster_is_this() -> None:
    assert only(lab(), "Cluster") == {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "Cluster",
        "metadata": {"name": "lab", "namespace": "lab-postgresql", "labels": LABELS},
        "spec": {
            "instances": 3,
            "imageName": "ghcr.io/cloudnative-pg/postgresql:17.11-standard-trixie",
            "primaryUpdateMethod": "switchover",
            "switchoverDelay": 60,
            "smartShutdownTimeout": 0,
            "primaryLease": {"leaseDurationSeconds": 3, "renewDeadlineSeconds": 2, "retryPeriodSeconds": 1},
            "probes": {"startup": {"periodSeconds": 1}},
            "enablePDB": True,
            "enableSuperuserAccess": False,
            "bootstrap": {
                "initdb": {
                    "database": "app",
                    "owner": "app",
                    "secret": {"name": "lab-app"},
                    "dataChecksums": True,
                    "encoding": "UTF8",
                    "localeCollate": "en_US.UTF-8",
                    "localeCType": "en_US.UTF-8",
                    "postInitSQL": [
                        'CREATE ROLE "pgha_heartbeat" NOLOGIN',
                        'GRANT EXECUTE ON FUNCTION pg_catalog.pg_log_standby_snapshot() TO "pgha_heartbeat"',
                    ],
                }
            },
            "managed": {
                "roles": [
                    {
                        "name": "app",
                        "ensure": "present",
                        "login": True,
                        "inherit": True,
                        "superuser": False,
                        "connectionLimit": -1,
                        "passwordSecret": {"name": "lab-app"},
                    }
                ],
                "services": {
                    "additional": [
                        {
                            "selectorType": "rw",
                            "serviceTemplate": {
                                "metadata": {
                                    "name": "lab-external",
                                    "labels": LABELS,
                                    "annotations": {
                                        "metallb.io/address-pool": "lab",
                                        "metallb.io/loadBalancerIPs": "192.168.10.100",
                                    },
                                },
                                "spec": {
                                    "type": "LoadBalancer",
                                    "allocateLoadBalancerNodePorts": False,
                                    "externalTrafficPolicy": "Cluster",
                                    "loadBalancerSourceRanges": ["10.244.0.0/16", "192.168.10.0/24"],
                                },
                            },
                        }
                    ]
                },
            },
            "postgresql": {
                "pg_hba": [
                    "hostssl postgres pgha_heartbeat all cert",
                    "host all all 10.244.0.0/16 scram-sha-256",
                    "host all all 192.168.10.0/24 scram-sha-256",
                    "host all all all reject",
                ],
                "parameters": RECONNECT | {"max_connections": "120"},
            },
            "storage": {"size": "10Gi", "storageClass": "local-path"},
            "resources": {
                "requests": {"cpu": "100m", "memory": "256Mi"},
                "limits": {"cpu": "1", "memory": "512Mi"},
            },
            "affinity": {
                "enablePodAntiAffinity": True,
                "podAntiAffinityType": "required",
                "topologyKey": "kubernetes.io/hostname",
                "tolerations": [
                    {
                        "key": "node.kubernetes.io/unreachable",
                        "operator": "Exists",
                        "effect": "NoExecute",
                        "tolerationSeconds": 0,
                    }
                ],
            },
        },
    }


def test_objects_come_in_the_order_of_application() -> None:
    kinds = [obj["kind"] for obj in engine_of(lab()).objects(lab())]
    assert kinds == ["Namespace", "IPAddressPool", "L2Advertisement", "NetworkPolicy", "Cluster", "Database",
                     "DatabaseRole", "Deployment", "Job"]  # fmt: skip


def test_without_a_load_balancer_there_is_no_pool_and_no_service() -> None:
    assert "services" not in spec()["managed"]
    assert {obj["apiVersion"] for obj in plan(sample()).stack}.isdisjoint({"metallb.io/v1beta1"})


def test_a_pool_of_somebody_else_is_used_but_not_made() -> None:
    pool = {"name": "office", "create": False, "addresses": ["192.168.10.100/32"]}
    cluster = sample(network=balancer(pool=pool))
    service = only(cluster, "Cluster")["spec"]["managed"]["services"]["additional"][0]
    assert service["serviceTemplate"]["metadata"]["annotations"]["metallb.io/address-pool"] == "office"
    assert "IPAddressPool" not in [obj["kind"] for obj in plan(cluster).stack]


def test_a_read_only_address_gets_a_service_of_its_own() -> None:
    found = spec(network=balancer(readOnlyAddress="192.168.10.101"))["managed"]["services"]["additional"]
    assert [(one["selectorType"], one["serviceTemplate"]["metadata"]["name"]) for one in found] == [
        ("rw", "db-external"),
        ("ro", "db-external-ro"),
    ]


def test_a_hostname_goes_into_the_server_certificate() -> None:
    found = spec(network=balancer(hostname="postgres.homelab.local"))
    assert found["certificates"] == {"serverAltDNSNames": ["postgres.homelab.local"]}
    assert "certificates" not in spec()


@pytest.mark.parametrize(
    ("network", "first"),
    [
        ({}, "host all all 10.0.0.0/8 scram-sha-256"),
        ({"tls": "required"}, "hostssl all all 10.0.0.0/8 scram-sha-256"),
        ({"authentication": "md5"}, "host all all 10.0.0.0/8 md5"),
    ],
    ids=["default", "TLS required", "md5"],
)
def test_pg_hba_admits_the_networks_and_then_nobody(network: dict[str, Any], first: str) -> None:
    lines = spec(network={"networks": ["10.0.0.0/8"]} | network)["postgresql"]["pg_hba"]
    assert lines == ["hostssl postgres pgha_heartbeat all cert", first, "host all all all reject"]


def test_where_no_pod_is_admitted_the_jobs_still_are() -> None:
    found = spec(network={"networks": ["192.168.0.0/16"]})
    (selector,) = found["podSelectorRefs"]
    (job,) = [obj for obj in plan(sample(network={"networks": ["192.168.0.0/16"]})).stack if obj["kind"] == "Job"]
    assert selector["selector"]["matchLabels"] == job["spec"]["template"]["metadata"]["labels"]
    assert found["postgresql"]["pg_hba"][1:] == [
        "hostssl all all ${podselector:pgha-jobs} scram-sha-256",
        "host all all 192.168.0.0/16 scram-sha-256",
        "host all all all reject",
    ]
    assert "podSelectorRefs" not in spec()


def test_parameters_are_strings_in_the_servers_own_words() -> None:
    parameters = {"max_connections": 200, "work_mem": "8MB", "autovacuum": True, "random_page_cost": 1.1}
    assert spec(postgresql={"parameters": parameters})["postgresql"]["parameters"] == RECONNECT | {
        "max_connections": "200",
        "work_mem": "8MB",
        "autovacuum": "on",
        "random_page_cost": "1.1",
    }


def test_the_owner_of_the_first_database_makes_it() -> None:
    found = spec(
        databases=[{"name": "appdb", "owner": "app_owner"}],
        users=[{"name": "app_owner"}, {"name": "app_user", "databases": ["appdb"]}],
    )
    assert found["bootstrap"]["initdb"]["owner"] == "app_owner"
    assert [role["name"] for role in found["managed"]["roles"]] == ["app_owner", "app_user"]


def test_databases_are_resources_that_keep_their_data() -> None:
    cluster = sample(databases=[{"name": "app", "owner": "app"}, {"name": "n8n_main", "owner": "app"}])
    first, second = (obj for obj in plan(cluster).stack if obj["kind"] == "Database")
    assert (first["metadata"]["name"], second["metadata"]["name"]) == ("db-app", "db-n8n-main")
    assert second["spec"] == {
        "cluster": {"name": "db"},
        "name": "n8n_main",
        "owner": "app",
        "encoding": "UTF8",
        "localeCollate": "en_US.UTF-8",
        "localeCType": "en_US.UTF-8",
        "template": "template0",
        "databaseReclaimPolicy": "retain",
    }


def test_an_extension_is_loaded_by_its_parameter_and_made_in_every_database() -> None:
    databases = [{"name": "app", "owner": "app"}, {"name": "later", "owner": "app"}]
    cluster = sample(postgresql={"parameters": {"pg_stat_statements.max": 5000}, "audit": True}, databases=databases)
    assert only(cluster, "Cluster")["spec"]["postgresql"]["parameters"] == RECONNECT | {
        "pgaudit.log": "ddl, role",
        "pg_stat_statements.max": "5000",
    }
    made = [{"name": name, "ensure": "present"} for name in ("pgaudit", "pg_stat_statements")]
    assert [obj["spec"]["extensions"] for obj in plan(cluster).stack if obj["kind"] == "Database"] == [made, made]


def test_what_is_audited_is_the_files_word() -> None:
    found = spec(postgresql={"audit": True, "parameters": {"pgaudit.log": "all"}})
    assert found["postgresql"]["parameters"] == {"pgaudit.log": "all"} | RECONNECT


@pytest.mark.parametrize(("durability", "quorum"), [("required", True), ("preferred", False)])
def test_synchronous_replication_on_request(durability: str, quorum: bool) -> None:
    found = spec(replication={"mode": "sync", "durability": durability})["postgresql"]["synchronous"]
    assert found == {"method": "any", "number": 1, "dataDurability": durability, "failoverQuorum": quorum}


def test_the_record_of_the_quorum_is_there_before_the_cluster_asks_for_it() -> None:
    cluster = sample(replication={"mode": "sync"})
    engine = engine_of(cluster)
    waves = {obj["kind"]: engine.traits(obj).wave for obj in engine.objects(cluster)}
    assert waves["FailoverQuorum"] < waves["Cluster"]
    assert list(waves).index("FailoverQuorum") < list(waves).index("Cluster")


@pytest.mark.parametrize("replication", [{"mode": "async"}, {"mode": "sync", "durability": "preferred"}])
def test_no_record_of_a_quorum_that_nobody_asks_for(replication: dict[str, Any]) -> None:
    cluster = sample(replication=replication)
    assert "FailoverQuorum" not in {obj["kind"] for obj in engine_of(cluster).objects(cluster)}


def test_asynchronous_replication_says_nothing() -> None:
    assert "synchronous" not in spec()["postgresql"]


def test_superuser_access_brings_a_secret() -> None:
    cluster = sample(credentials={"superuserAccess": True})
    found = only(cluster, "Cluster")["spec"]
    assert (found["enableSuperuserAccess"], found["superuserSecret"]) == (True, {"name": "db-superuser"})
    assert engine_of(cluster).secrets(cluster)[-1].data == {"username": "postgres"}


def test_each_user_has_a_secret_that_is_reloaded() -> None:
    cluster = sample(users=[{"name": "app"}, {"name": "app_user", "passwordSecret": "mine"}])
    secrets = engine_of(cluster).secrets(cluster)
    assert [(one.name, one.type, one.data) for one in secrets] == [
        ("db-app", "kubernetes.io/basic-auth", {"username": "app"}),
        ("mine", "kubernetes.io/basic-auth", {"username": "app_user"}),
    ]
    assert all(one.labels["cnpg.io/reload"] == "true" for one in secrets)


def test_pooler_has_the_seeds_name_and_values() -> None:
    pooler = only(sample(pooler={}), "Pooler")
    assert pooler["metadata"]["name"] == "db-pooler-rw"
    assert pooler["spec"]["instances"] == 3
    assert pooler["spec"]["pgbouncer"]["poolMode"] == "transaction"
    assert pooler["spec"]["pgbouncer"]["parameters"] == {
        "max_client_conn": "1000",
        "default_pool_size": "25",
        "max_prepared_statements": "200",
        "server_login_retry": "1",
        "server_connect_timeout": "5",
        "tcp_user_timeout": "5000",
        "tcp_keepidle": "5",
        "tcp_keepintvl": "2",
        "tcp_keepcnt": "3",
    }


def test_a_pooler_lets_in_whom_the_servers_would() -> None:
    """The servers see the pooler's address, and cannot tell."""
    network = {"networks": ["10.0.0.0/8", "192.168.0.0/16"], "tls": "required"}
    assert only(sample(pooler={}, network=network), "Pooler")["spec"]["pgbouncer"]["pg_hba"] == [
        "hostssl all all 10.0.0.0/8 scram-sha-256",
        "hostssl all all 192.168.0.0/16 scram-sha-256",
        "host all all 0.0.0.0/0 reject",
        "host all all ::/0 reject",
    ]


def test_an_application_may_have_a_pooler_of_its_own() -> None:
    cluster = sample(pooler={"perApplication": ["app"]})
    first, second = (obj for obj in plan(cluster).stack if obj["kind"] == "Pooler")
    assert [obj["metadata"]["name"] for obj in (first, second)] == ["db-pooler-rw", "db-pooler-app"]
    assert second["spec"]["pgbouncer"]["pg_hba"][0] == 'host "app" all 10.0.0.0/8 scram-sha-256'


@pytest.mark.parametrize(("affinity", "word"), [("required", "DoNotSchedule"), ("preferred", "ScheduleAnyway")])
def test_poolers_are_spread_as_the_servers_are(affinity: str, word: str) -> None:
    cluster = sample(pooler={}, placement={"antiAffinity": affinity})
    pod = only(cluster, "Pooler")["spec"]["template"]["spec"]
    (spread,) = pod["topologySpreadConstraints"]
    assert (spread["whenUnsatisfiable"], spread["maxSkew"]) == (word, 1)
    assert spread["labelSelector"] == {"matchLabels": {"cnpg.io/poolerName": "db-pooler-rw"}}
    assert {toleration["tolerationSeconds"] for toleration in pod["tolerations"]} == {30}


def test_a_drain_takes_one_pooler_at_a_time() -> None:
    budget = only(sample(pooler={}), "PodDisruptionBudget")
    assert budget["spec"] == {"maxUnavailable": 1, "selector": {"matchLabels": {"cnpg.io/poolerName": "db-pooler-rw"}}}


def test_poolers_have_a_policy_of_their_own() -> None:
    cluster = sample(pooler={}, monitoring={})
    policies = {obj["metadata"]["name"]: obj["spec"] for obj in plan(cluster).stack if obj["kind"] == "NetworkPolicy"}
    spec = policies["db-pooler"]
    assert spec["podSelector"] == {"matchLabels": {"cnpg.io/cluster": "db", "cnpg.io/podRole": "pooler"}}
    assert [[port["port"] for port in rule["ports"]] for rule in spec["ingress"]] == [[5432], [9127]]


def test_monitoring_is_a_pod_monitor_with_the_files_labels() -> None:
    monitor = only(sample(monitoring={"labels": {"release": "prom"}}), "PodMonitor")
    assert monitor["metadata"]["labels"]["release"] == "prom"
    assert monitor["spec"]["podMetricsEndpoints"] == [{"port": "metrics", "interval": "30s"}]


def test_namespaces_of_the_file_are_the_only_ones_that_the_policy_admits() -> None:
    rules = only(sample(network={"networks": [], "namespaces": ["keycloak"]}), "NetworkPolicy")["spec"]["ingress"]
    wanted = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["keycloak"]}
    assert rules[0]["from"] == [{"namespaceSelector": {"matchExpressions": [wanted]}}]


def test_network_policies_can_be_left_out() -> None:
    network = {"networks": ["10.0.0.0/8"], "networkPolicy": False}
    assert "NetworkPolicy" not in [obj["kind"] for obj in plan(sample(network=network)).stack]


@pytest.mark.parametrize(
    "cluster",
    [
        lab(),
        sample(),
        sample(
            network=balancer(readOnlyAddress="192.168.10.101"), pooler={}, monitoring={}, storage={"walSize": "5Gi"}
        ),
    ],
    ids=["lab", "bare", "full"],
)
def test_no_list_is_empty(cluster: Cluster) -> None:
    """Argo CD shows an empty list that the server drops as a difference for ever."""

    def empty(value: Any, path: str) -> Iterator[str]:
        if isinstance(value, dict):
            for key, inner in value.items():
                yield from empty(inner, f"{path}.{key}")
        elif isinstance(value, list):
            if not value:
                yield path
            for inner in value:
                yield from empty(inner, f"{path}[]")

    assert [path for obj in plan(cluster).stack for path in empty(obj, obj["kind"])] == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"postgresql": {"version": "99"}}, "no image is known for PostgreSQL 99; name one under postgresql.image"),
    ],
    ids=["image"],
)
def test_fails_on_what_is_not_built(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(NotBuiltError, match=words):
        plan(sample(**changes))


def test_endpoints_inside_first_then_the_lan() -> None:
    found = engine_of(sample()).endpoints(sample(network=balancer(), pooler={}))
    assert list(found) == [
        Endpoint(
            role="read-write", vantage="cluster", host="db-rw.db-ns.svc.cluster.local", port=5432, service="db-rw"
        ),
        Endpoint(role="read-only", vantage="cluster", host="db-ro.db-ns.svc.cluster.local", port=5432, service="db-ro"),
        Endpoint(role="any", vantage="cluster", host="db-r.db-ns.svc.cluster.local", port=5432, service="db-r"),
        Endpoint(
            role="read-write",
            vantage="cluster",
            host="db-pooler-rw.db-ns.svc.cluster.local",
            port=5432,
            pooled=True,
            service="db-pooler-rw",
        ),
        Endpoint(role="read-write", vantage="lan", host="192.168.10.100", port=5432, service="db-external"),
    ]


def test_requirements_are_what_the_objects_use() -> None:
    cluster = sample(network=balancer(), pooler={}, monitoring={})
    assert [one.kind for one in engine_of(cluster).requirements(cluster)] == [
        "Cluster",
        "Database",
        "DatabaseRole",
        "Pooler",
        "IPAddressPool",
        "L2Advertisement",
        "PodMonitor",
        "PrometheusRule",
    ]


def test_with_argocd_no_object_has_two_owners() -> None:
    planned = plan(sample(delivery="argocd", network=balancer()))
    assert [obj["kind"] for obj in planned.stack] == [
        "Namespace",
        "IPAddressPool",
        "L2Advertisement",
        "AppProject",
        "Application",
    ]
    assert [obj["kind"] for obj in planned.tree] == [
        "NetworkPolicy",
        "Cluster",
        "Database",
        "DatabaseRole",
        "Deployment",
        "Job",
    ]
