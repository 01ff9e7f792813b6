"""``livenps serve``: one worker, with all roles or some."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import secrets
import signal
from collections.abc import Coroutine, Iterator, Sequence
from typing import cast

import structlog
import uvloop
from mode import Service
from msgspec.structs import replace

from livenps import logs, startup
from livenps.commands.arguments import Commands, add_config, port
from livenps.config import load
from livenps.embedded import PARTITIONS, Embedded, embedded
from livenps.errors import UsageError
from livenps.program import ROLES, Address, Program, Role, Worker
from livenps.settings import Config

log = structlog.get_logger(__name__)


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "serve",
        help="run the program",
        description="Run the program: collect events, decide, deliver surveys, score answers, export scores.",
    )
    add_config(parser)
    parser.add_argument(
        "--embedded", action="store_true", help="bring Kafka and Redis along; nothing is kept when it ends"
    )
    parser.add_argument(
        "--role",
        type=roles,
        default=ROLES,
        metavar="ROLES",
        help=f"comma separated, of {','.join(ROLES)} (default: all)",
    )
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (default: %(default)s)")
    parser.add_argument("--port", type=port, default=8080, help="(default: %(default)s)")
    parser.add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error"])
    parser.set_defaults(run=run)


def roles(text: str) -> tuple[Role, ...]:
    named = tuple(one.strip() for one in text.split(",") if one.strip())
    unknown = [name for name in named if name not in ROLES]
    if unknown or not named:
        raise argparse.ArgumentTypeError(f"expected some of {', '.join(ROLES)}, got {text!r}")
    return cast(tuple[Role, ...], named)


def run(args: argparse.Namespace) -> int:
    logs.configure(args.log_level)
    config = load(args.config)
    with parts(config, embed=args.embedded) as (config, own):
        serve(config, args.role, Address.of(config, args.host, args.port), own, new_loop())
    return 0


@contextlib.contextmanager
def parts(config: Config, *, embed: bool) -> Iterator[tuple[Config, Embedded | None]]:
    """The configuration with the addresses of the parts to use, and the embedded ones where they are wanted."""
    if not embed:
        yield config, None
        return
    with embedded() as own:
        if config.kafka.partitions != PARTITIONS:
            log.warning("the embedded Kafka has its own number of partitions", partitions=PARTITIONS)
        kafka = replace(config.kafka, bootstrap=own.bootstrap, partitions=PARTITIONS)
        yield replace(config, kafka=kafka, redis=replace(config.redis, url=own.redis_url)), own


def new_loop() -> asyncio.AbstractEventLoop:
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    return loop


def serve(
    config: Config,
    wanted: Sequence[Role],
    address: Address,
    own: Embedded | None,
    loop: asyncio.AbstractEventLoop,
    services: Sequence[Service] = (),
) -> None:
    """Run a worker until a signal; raises SystemExit with 1 where it crashed."""
    secret = config.http.secret or (secrets.token_hex() if own else None)
    if secret is None:
        raise UsageError(
            "no secret to sign survey links with: set LIVENPS_SECRET to 32 characters or more, "
            "e.g. from `openssl rand -hex 32`, the same for all workers"
        )
    early = EarlyEnd(loop)
    if not early.completed(startup.prepare(config, create_topics=own is None)):
        return
    program = Program(config, wanted, address, secret=secret, kept=own is None)
    log.info("serving", url=address.url, roles=",".join(wanted))
    if own:
        log.warning("embedded: nothing is kept when the program ends", kafka=own.bootstrap, redis=own.redis_kind)
    try:
        Worker(program, *services, loop=loop, ended=lambda: early.told).execute_from_commandline()
    except SystemExit as end:
        if end.code:
            raise


class EarlyEnd:
    """Hears SIGTERM until the worker handles signals itself: what comes in between must not get lost."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.told = False
        self._loop = loop

    def completed(self, work: Coroutine[None, None, None]) -> bool:
        """Run what comes before the worker; False where SIGTERM ended it."""
        task = self._loop.create_task(work)
        self._loop.add_signal_handler(signal.SIGTERM, task.cancel)
        try:
            self._loop.run_until_complete(task)
        except asyncio.CancelledError:
            return False
        finally:
            self._loop.remove_signal_handler(signal.SIGTERM)
            signal.signal(signal.SIGTERM, self._hear)  # a loop that stands still hears nothing
        return True

    def _hear(self, *_: object) -> None:
        self.told = True
