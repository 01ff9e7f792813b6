"""Arguments that several commands share."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from pathlib import Path

from livenps.errors import UsageError
from streams.times import Duration
from streams.topics import Topic

Commands = argparse._SubParsersAction  # argparse has no public name for it


def add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="the configuration (default: the built-in one)"
    )


def add_key(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--key", metavar="KEY", help="API key (default: LIVENPS_API_KEY, or the first of LIVENPS_API_KEYS)"
    )


def api_key(args: argparse.Namespace) -> str:
    """The key that was given, or is in the environment; "" without one. Raises UsageError unless it is ASCII."""
    own = os.environ.get("LIVENPS_API_KEYS", "").partition(",")[0]  # where the program itself runs
    key: str = (args.key or os.environ.get("LIVENPS_API_KEY") or own).strip()
    if not (key.isascii() and key.isprintable()):
        raise UsageError("wrong API key: expected letters, digits and signs of ASCII")
    return key


def port(text: str) -> int:
    """A TCP port; 0 picks a free one."""
    number = int(text)
    if not 0 <= number <= 65_535:
        raise argparse.ArgumentTypeError("expected a port from 0 to 65535")
    return number


def age(text: str) -> Duration:
    """Such as 7d."""
    try:
        return Duration.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def seconds(text: str) -> float:
    number = float(text)
    if not 0 < number < 1e7:
        raise argparse.ArgumentTypeError("expected a number of seconds above 0")
    return number


def check_partitions(topic: Topic, partitions: Iterable[int]) -> None:
    """Raise UsageError where the topic has no such partition."""
    for partition in partitions:
        if not 0 <= partition < topic.partitions:
            raise UsageError(f"{topic.name} has no partition {partition}, they are 0 to {topic.partitions - 1}")
