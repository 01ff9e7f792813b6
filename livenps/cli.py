"""The command line: parses, hands over, and turns errors into messages and exit codes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version

from rich.console import Console

from livenps.commands import check_config, demo, import_, schema, score, serve, topics
from livenps.errors import UsageError
from streams.errors import LivenpsError

_COMMANDS = (demo, serve, import_, score, topics, schema, check_config)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Exit codes: 0 fine, 1 it failed, 2 it was called wrongly, 130 interrupted."""
    parser = argparse.ArgumentParser(
        prog="livenps", description="Live Net Promoter Scores from product events.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"livenps {version('livenps')}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add(commands)
    args = parser.parse_args(arguments)
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
    return str(error).replace("[", r"\[")
