"""What commands do alike: ask Kafka, read the scores, and print JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

from aiokafka.errors import IncompatibleBrokerVersion, KafkaError

from livenps import logs
from livenps.errors import UsageError
from livenps.program import now
from livenps.settings import Config
from scoring.board import Board
from sinks.redis import client
from sinks.redis.board import BoardReader
from streams.dead_letters import escaped
from streams.errors import BrokerUnavailable, LivenpsError

T = TypeVar("T")


def asking_kafka(config: Config, work: Coroutine[Any, Any, T]) -> T:
    """Run what asks Kafka. Raises BrokerUnavailable, which names the address, where it does not answer."""
    logs.configure("warning")
    try:
        return asyncio.run(work)
    except IncompatibleBrokerVersion as error:
        message = "cannot be asked for its settings, as that of --embedded: this needs a real Kafka"
        raise BrokerUnavailable(f"Kafka at {config.kafka.bootstrap} {message}") from error
    except KafkaError as error:
        raise BrokerUnavailable(f"Kafka at {config.kafka.bootstrap} does not answer: {error}") from error


class NotCounted(LivenpsError):
    """Scores that may not be told yet."""


async def counted_board(config: Config) -> Board:
    """The board of a running program's state. Raises NotCounted while its answers are being counted again."""
    redis = client.connect(config.redis.url)
    try:
        reader = BoardReader(redis, config.redis.prefix, config.rolling_windows(), config.kafka.partitions, now)
        board = await reader.board()
    finally:
        await redis.aclose()
    if board.recovering:
        raise NotCounted("the answers are being counted again; try again when `livenps score` shows scores")
    return board


def print_json(value: object) -> None:
    json.dump(value, sys.stdout)
    sys.stdout.write("\n")


def confirmed(question: str, otherwise: str) -> bool:
    """A person's yes. Raise UsageError with what to do ``otherwise`` where nobody can be asked."""
    text = "\n".join(map(escaped, question.splitlines()))
    if not sys.stdin.isatty():
        raise UsageError(f"{text}\n{otherwise}")
    sys.stderr.write(f"{text} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
