"""pgha: one file becomes a highly available PostgreSQL, and the proof that it is one.

Each command is a module beside this one and imports what it needs only when it runs: `pgha validate` must not
pay for CDKTF.
"""

import sys
from collections.abc import Callable
from importlib.metadata import version

import typer

from pgha.cli import down, endpoints, render, schema, synth, up, validate
from pgha.config.problems import UserError

_INTERRUPTED = 130

app = typer.Typer(
    name="pgha",
    help="One file becomes a highly available PostgreSQL on Kubernetes, and the proof that it is one.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (validate, schema, synth, render, up, down, endpoints):
    app.command(name=command.__name__.rpartition(".")[2])(command.run)


@app.callback(invoke_without_command=True)
def _root(show_version: bool = typer.Option(False, "--version", help="Print the version and exit.")) -> None:
    if show_version:
        typer.echo(f"pgha {version('pgha')}")
        raise typer.Exit


def main() -> None:
    """Run the command line: exit 0 done, 1 a check failed, 2 the user must mend it, 130 interrupted."""
    guarded(app)


def guarded(action: Callable[[], object]) -> None:
    """Run something as a command does: the user's faults become sentences, ours keep their traceback."""
    try:
        action()
    except typer.Exit as exit_:
        sys.exit(exit_.exit_code)
    except SystemExit as exit_:
        if exit_.code == _INTERRUPTED:  # typer has caught Ctrl-C
            _say_interrupted()
        raise
    except UserError as error:
        typer.echo(f"pgha: {error}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        _say_interrupted()
        sys.exit(_INTERRUPTED)


def _say_interrupted() -> None:
    typer.echo("pgha: interrupted; run the same command again to continue", err=True)
