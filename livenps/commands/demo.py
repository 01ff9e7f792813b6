"""``livenps demo``: the whole loop on this machine, with a simulated shop that speaks HTTP like any user."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mode import Service
from msgspec.structs import replace
from rich.console import Console
from rich.status import Status

from livenps import logs
from livenps.commands.arguments import Commands, port, seconds
from livenps.commands.serve import new_loop, parts, serve
from livenps.config import Config, load
from livenps.program import ROLES, Address
from livenps.shop import Shop

LINE_S = 5.0  # without a terminal: a line of progress so often


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "demo",
        help="the whole loop on this machine, with a simulated shop",
        description="Run the whole program with an embedded Kafka and Redis and a simulated shop, until Ctrl-C. "
        "Nothing is kept.",
    )
    parser.add_argument("--for", dest="duration", type=seconds, metavar="SECONDS", help="stop by itself")
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (default: %(default)s)")
    parser.add_argument("--port", type=port, default=8080, help="(default: %(default)s)")
    parser.add_argument(
        "--seed", type=int, default=1, help="makes the shop's life repeatable (default: %(default)s)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    logs.configure("warning")
    console = Console(highlight=False, soft_wrap=True)
    config = load(None)
    with parts(config, embed=True) as (config, own):
        address = Address.of(config, args.host, args.port)
        loop = new_loop()
        shop = Shop(
            address.public_url, seed=args.seed, on_news=lambda news: console.print(f"[bold]Shop news:[/] {news}")
        )
        loop.run_until_complete(shop.start())
        console.print(f"livenps demo: embedded Kafka and {own.redis_kind if own else ''}, nothing is kept.\n")
        console.print(f"  live page  {address.public_url}/")
        console.print(f"  metrics    {address.public_url}/metrics")
        console.print(f"  API docs   {address.public_url}/docs\n")
        console.print("It runs until Ctrl-C." if args.duration is None else f"It runs for {args.duration:g} s.")
        demo = Demo(shop, console, args.duration)
        serve(with_webhook(config, shop.receiver_url), ROLES, address, own, loop, [demo])
    console.print(f"Done: {demo.progress}.")
    return 0


def with_webhook(config: Config, url: str) -> Config:
    """The same surveys, delivered to the shop, whose customers answer on the survey page."""
    surveys = [replace(survey, channel="webhook", webhook_url=url) for survey in config.surveys]
    return replace(config, surveys=surveys)


class Demo(Service):
    """The shop as a part of the program, with a line of progress; ends the program when its time is up."""

    def __init__(self, shop: Shop, console: Console, duration: float | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._shop, self._console, self._duration = shop, console, duration

    async def on_stop(self) -> None:
        await self._shop.close()

    @property
    def progress(self) -> str:
        shop = self._shop
        return (
            f"{shop.past_answers:,} past answers, {shop.touchpoints:,} touchpoints, "
            f"{shop.invitations:,} invitations, {shop.answers:,} answers, {shop.comments:,} comments"
        )

    @Service.task
    async def _trade(self) -> None:
        await self._shop.run(self._duration)
        os.kill(os.getpid(), signal.SIGTERM)

    @Service.task
    async def _report(self) -> None:
        with self._line() as status:
            while not self.should_stop:
                await self.sleep(0.5 if status else LINE_S)
                if status:
                    status.update(self.progress)
                elif not self.should_stop:
                    self._console.print(self.progress)

    @contextmanager
    def _line(self) -> Iterator[Status | None]:
        if not sys.stdout.isatty():
            yield None
            return
        with self._console.status(self.progress) as status:
            yield status
