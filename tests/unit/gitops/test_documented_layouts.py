"""The examples of docs/how-to/argocd-layouts.md are cluster files, and become what the page says."""

import re
from typing import Any

import pytest
from ruamel.yaml import YAML

from pgha.config import load_text
from pgha.engines import plan
from pgha.gitops import tree
from tests.support import ROOT

PAGE = (ROOT / "docs/how-to/argocd-layouts.md").read_text()
BLOCKS = re.findall(r"^## (.*?)$.*?^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
CLUSTERS = {title: text for title, text in BLOCKS if "gitops:" in text}


def described(title: str) -> Any:
    base = "name: orders\nnamespace: orders\nmonitoring: {enabled: false}\nnetwork: {networks: [10.0.0.0/8]}\n"
    return load_text((base + CLUSTERS[title]).encode(), title)


def test_the_page_has_an_example_for_each_layout() -> None:
    layouts = {described(title).gitops.layout for title in CLUSTERS}
    assert layouts == {"single", "app-of-apps", "application-set"}


@pytest.mark.parametrize("title", CLUSTERS)
def test_an_example_renders(title: str) -> None:
    files = tree(described(title))
    section = PAGE.partition(f"## {title}")[2].partition("\n## ")[0]
    for named in re.findall(r"kubernetes/applications/[-\w.]+yaml", section):
        assert named in files
    for url in re.findall(r"registry\.[-\w./]+/charts", section):
        assert url in files["kubernetes/applications/orders/application.yaml"]


def test_the_credentials_are_for_the_repository_of_the_examples() -> None:
    secret = YAML(typ="safe").load(dict(BLOCKS)["A private repository"])
    assert secret["stringData"]["url"] == described("One repository, a few clusters").gitops.repo_url
    assert secret["metadata"]["namespace"] == described("One repository, a few clusters").gitops.argocd_namespace
    project = plan(described("One repository, a few clusters")).argocd[0]
    assert project["spec"]["sourceRepos"] == [secret["stringData"]["url"]]
