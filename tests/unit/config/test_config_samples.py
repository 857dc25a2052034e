"""The samples hold the seeds' values, and a file of one line holds its defaults."""

from pathlib import Path

import pytest

from pgha.config import check, discover, load
from pgha.config.model import Cluster

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def chart() -> Cluster:
    return load(ROOT / "clusters/postgres-ha.yaml")


@pytest.fixture(scope="module")
def operator() -> Cluster:
    return load(ROOT / "clusters/postgres-cluster.yaml")


def test_the_projects_files_get_along() -> None:
    found = [problem for report in check(discover(ROOT)) for problem in report.problems]
    # What the seeds' own decisions risk stays visible.
    assert {(Path(problem.file).stem, problem.code) for problem in found} == {
        ("postgres-ha", "PGHA-W202"),
        ("postgres-cluster", "PGHA-W612"),
    }


def test_postgres_ha_is_the_data_models(chart: Cluster) -> None:
    assert (chart.name, chart.namespace, chart.engine, chart.delivery) == (
        "postgres-ha",
        "postgresql",
        "bitnami",
        "argocd",
    )
    assert (chart.instances, chart.postgresql.version, chart.replication.mode) == (2, "16", "async")
    assert (chart.storage.size, chart.storage.storage_class, chart.storage.access_mode) == (
        "50Gi",
        "local-path",
        "ReadWriteOnce",
    )
    assert (chart.resources.limits.cpu, chart.resources.limits.memory) == ("2", "4Gi")
    balancer = chart.network.load_balancer
    assert balancer is not None
    assert (balancer.address, balancer.hostname) == ("192.168.10.100", "postgres.homelab.local")
    assert balancer.pool.addresses == ["192.168.10.100-192.168.10.110"]
    assert [database.name for database in chart.databases] == ["appdb"]
    assert [user.name for user in chart.users] == ["admin", "app_user"]
    assert chart.users[1].privileges == ["CONNECT", "SELECT", "INSERT", "UPDATE", "DELETE"]
    assert chart.backup is not None
    assert (chart.backup_method, chart.backup.retention_days) == ("pg_dump", 7)


def test_postgres_ha_lets_100_clients_in_through_either_pooler_pod(chart: Cluster) -> None:
    assert chart.pooler is not None
    assert chart.pooler.max_client_connections > 100 + 1


def test_postgres_cluster_is_the_services(operator: Cluster) -> None:
    assert (operator.name, operator.namespace, operator.engine, operator.instances) == (
        "postgres-cluster",
        "postgres",
        "cloudnative-pg",
        3,
    )
    assert {
        name: text
        for name, text in operator.postgresql.settings.items()
        if not name.startswith(("pg_", "checkpoint_c"))
    } == {
        "max_connections": "200",
        "shared_buffers": "512MB",
        "effective_cache_size": "3GB",
        "work_mem": "8MB",
        "wal_buffers": "16MB",
        "maintenance_work_mem": "64MB",
        "max_wal_size": "1GB",
        "checkpoint_timeout": "5min",
    }
    assert (operator.resources.requests.cpu, operator.resources.requests.memory) == ("1", "2Gi")
    assert (operator.resources.limits.cpu, operator.resources.limits.memory) == ("2", "4Gi")
    assert (operator.storage.size, operator.storage.storage_class) == ("50Gi", "nfs-postgres-v2")
    assert operator.network.networks == ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]
    assert operator.pooler is not None
    assert operator.pooler.model_dump(exclude={"image", "per_application"}) == {
        "instances": 3,
        "mode": "transaction",
        "max_client_connections": 1000,
        "pool_size": 25,
    }
    aws = operator.credentials.aws_secrets_manager
    assert aws is not None
    assert (aws.superuser_key, aws.user_keys) == ("postgres/admin-credentials", {"app": "postgres/app-credentials"})
    assert operator.backup is not None
    assert (operator.backup_method, operator.backup.schedule) == ("physical", "0 2 * * *")


@pytest.mark.parametrize("name", ["postgres-ha", "postgres-cluster"])
def test_every_key_of_a_sample_is_commented(name: str) -> None:
    """Each key, or the block of keys that it stands in, has a comment above or beside it."""
    lines = (ROOT / f"clusters/{name}.yaml").read_text().splitlines()
    for section in Cluster.model_fields.keys() - {"recovery"}:  # `pgha restore` writes it
        key = Cluster.model_fields[section].alias or section
        assert any(line.startswith(f"{key}:") for line in lines), key
    comments = sum("#" in line for line in lines)
    assert comments > len([line for line in lines if line.strip()]) / 3


def test_one_line_is_enough() -> None:
    cluster = Cluster(name="small")
    assert (cluster.instances, cluster.storage.size, cluster.network.port) == (3, "50Gi", 5432)


def test_derived_values() -> None:
    cluster = Cluster.model_validate(
        {
            "name": "demo",
            "users": [{"name": "App_User"}, {"name": "x", "passwordSecret": "given"}],
            "postgresql": {"parameters": {"jit": False, "fsync": True, "work_mem": "4MB", "geqo_effort": 5}},
        },
        by_alias=True,
    )
    assert [cluster.secret_name(user) for user in cluster.users] == ["demo-app-user", "given"]
    assert (cluster.pool_name, cluster.project_name, cluster.backup_method, cluster.standbys) == (
        "demo",
        "demo",
        "physical",
        2,
    )
    assert cluster.postgresql.settings == {"jit": "off", "fsync": "on", "work_mem": "4MB", "geqo_effort": "5"}
    assert cluster.postgresql.major == 16
