"""The command line: parses, hands over, and turns errors into messages and exit codes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Any

from rich.console import Console

from livenps.errors import UsageError
from streams.errors import LivenpsError

# command -> its module, which is imported when it is asked for: `score` need not wait for Kafka's client
_COMMANDS = {
    "demo": "demo",
    "serve": "serve",
    "import": "import_",
    "score": "score",
    "weighted": "weighted",
    "verify": "verify",
    "rebuild": "rebuild",
    "resume": "resume",
    "baseline": "baseline",
    "report": "report",
    "ask": "ask",
    "explain": "explain",
    "replay": "replay",
    "dead-letters": "dead_letters",
    "topics": "topics",
    "schema": "schema",
    "check-config": "check_config",
}


class _Parser(argparse.ArgumentParser):
    """Every option is written in full, so that a new one never changes what an old command means."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Exit codes: 0 fine, 1 it failed, 2 it was called wrongly, 130 interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(
        prog="livenps", description="Live Net Promoter Scores from product events.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"livenps {version('livenps')}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    asked = [module for name, module in _COMMANDS.items() if name in given[:1]]
    for module in asked or _COMMANDS.values():
        import_module(f"livenps.commands.{module}").add(commands)
    args = parser.parse_args(given)
    try:
        code: int = args.run(args)
    except LivenpsError as error:
        Console(stderr=True, highlight=False).print(f"[bold red]livenps:[/] {_plain(error)}", soft_wrap=True)
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `livenps score | head`
        sys.stderr.close()
        return 0
    return code


def _plain(error: Exception) -> str:
    from streams.dead_letters import escaped  # noqa: PLC0415 - it brings Kafka's client along

    return "\n".join(map(escaped, str(error).splitlines())).replace("[", r"\[")
