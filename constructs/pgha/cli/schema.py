"""`pgha schema`: what editors need to complete and check a cluster file."""

import typer

from pgha.config.reference import schema_text


def run() -> None:
    """Print the JSON Schema of cluster files.

    Example: pgha schema > docs/reference/cluster.schema.json
    """
    typer.echo(schema_text(), nl=False)
