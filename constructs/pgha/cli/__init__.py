"""pgha: one file becomes a highly available PostgreSQL, and the proof that it is one.

Each command is a module beside this one and is imported only when it is asked for: `pgha validate` must pay neither for
CDKTF nor for the other commands.
"""

import gc
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

# Loading makes objects that stay: looking for garbage among them costs a command 40 ms and finds none.
gc.disable()

import typer  # noqa: E402

from pgha.config.problems import UserError  # noqa: E402

_COMMANDS = (
    "validate",
    "explain",
    "schema",
    "synth",
    "render",
    "plan",
    "apply",
    "up",
    "down",
    "endpoints",
    "status",
    "verify",
    "diff",
    "gitops",
    "backup",
    "restore",
    "switchover",
)
_INTERRUPTED = 130


def application(words: Sequence[str] = ()) -> typer.Typer:
    """The command line; of its commands only the one that `words` begin with, or all where they name none."""
    app = typer.Typer(
        name="pgha",
        help="One file becomes a highly available PostgreSQL on Kubernetes, and the proof that it is one.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_root)
    for name in [words[0]] if words and words[0] in _COMMANDS else _COMMANDS:
        module = import_module(f"pgha.cli.{name}")
        if hasattr(module, "run"):
            app.command(name=name)(module.run)
        else:  # a group of commands
            app.add_typer(module.app)
    return app


def _root(show_version: bool = typer.Option(False, "--version", help="Print the version and exit.")) -> None:
    if show_version:
        from importlib.metadata import version  # reads every installed package's list of files

        typer.echo(f"pgha {version('pgha')}")
        raise typer.Exit


def main() -> None:
    """Run the command line: exit 0 done, 1 a check failed, 2 the user must mend it, 130 interrupted."""
    guarded(_run)


def _run() -> None:
    app = application(sys.argv[1:])
    gc.freeze()
    gc.enable()
    app()


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
