"""The cluster file: its types, its rules, and everything that can be wrong with it.

`load` is for those who want a cluster, `check` for those who want every finding. Nothing here knows CDKTF, Kubernetes'
client or a database driver, so that validating stays quick.
"""

import os

# Pydantic would read the list of every installed package to look for plugins; the models here are our own and use none.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

from pgha.config.checking import Report, check, load, load_all, load_text
from pgha.config.files import discover, resolve
from pgha.config.model import Cluster
from pgha.config.problems import ConfigError, Problem, UserError

__all__ = [
    "Cluster",
    "ConfigError",
    "Problem",
    "Report",
    "UserError",
    "check",
    "discover",
    "load",
    "load_all",
    "load_text",
    "resolve",
]
