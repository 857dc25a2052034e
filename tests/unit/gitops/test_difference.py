"""What a commit does, object by object."""

from pgha.gitops.difference import differences
from tests.support import balancer, sample

TWO = [{"name": "app", "owner": "app"}, {"name": "two", "owner": "app"}]


def test_nothing_differs_from_itself() -> None:
    cluster = sample(delivery="argocd", network=balancer())
    assert differences(cluster, cluster) == []


def test_what_holds_data_is_kept_and_the_rest_is_deleted() -> None:
    before = sample(delivery="argocd", databases=TWO, pooler={})
    happens = {each.name: each.happens for each in differences(before, sample(delivery="argocd"))}
    assert happens["Database db-ns/db-two"] == "kept"
    assert happens["Pooler db-ns/db-pooler-rw"] == "deleted"


def test_objects_come_in_the_order_of_application() -> None:
    found = differences(None, sample(delivery="argocd", network=balancer(), databases=TWO, pooler={}))
    assert {each.happens for each in found} == {"created"}
    assert found[0].name == "Namespace db-ns"
    argocds = [each for each in found if each.by == "Argo CD"]
    assert [each.wave for each in argocds] == sorted(each.wave for each in argocds)
    assert found[-len(argocds) :] == argocds
    waves = {each.name.split()[0]: each.wave for each in argocds}
    assert waves["NetworkPolicy"] < waves["Cluster"] < waves["Pooler"]


def test_a_change_is_shown_line_by_line() -> None:
    (found,) = differences(sample(delivery="argocd"), sample(delivery="argocd", instances=5))
    assert (found.name, found.happens) == ("Cluster db-ns/db", "changed")
    assert "-  instances: 3\n+  instances: 5" in found.diff
