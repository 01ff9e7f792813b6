"""What commands do alike: ask Kafka, and print JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

from aiokafka.errors import KafkaError

from livenps import logs
from livenps.config import Config
from livenps.errors import UsageError
from streams.dead_letters import escaped
from streams.errors import BrokerUnavailable

T = TypeVar("T")


def asking_kafka(config: Config, work: Coroutine[Any, Any, T]) -> T:
    """Run what asks Kafka. Raises BrokerUnavailable, which names the address, where it does not answer."""
    logs.configure("warning")
    try:
        return asyncio.run(work)
    except KafkaError as error:
        raise BrokerUnavailable(f"Kafka at {config.kafka.bootstrap} does not answer: {error}") from error


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
