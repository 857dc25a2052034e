"""Arguments and options that several commands share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

ClusterArgument = Annotated[str, typer.Argument(metavar="CLUSTER", help="A name under clusters/, or a path.")]
Kubeconfig = Annotated[
    Path | None,
    typer.Option(
        "--kubeconfig",
        help="Kubernetes to use; default: KUBECONFIG, and without it the local lab.",
        metavar="FILE",
    ),
]


class Format(StrEnum):
    """How facts are printed."""

    TEXT = "text"
    JSON = "json"


Output = Annotated[Format, typer.Option("--output", "-o", help="text, or json for programs.")]
