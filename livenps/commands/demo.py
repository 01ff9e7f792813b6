"""``livenps demo``: the whole loop on this machine, with a simulated shop that speaks HTTP like any user."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from mode import Service
from msgspec.structs import replace
from rich.console import Console
from rich.status import Status

from livenps import logs
from livenps.baselines import baseline, counted, publish
from livenps.commands.arguments import Commands, port, seconds
from livenps.commands.running import NotCounted, counted_board
from livenps.commands.serve import new_loop, parts, serve
from livenps.config import load
from livenps.program import ROLES, Address, now
from livenps.settings import Config, WatchedConfig
from livenps.shop import REGIONS, Shop, surveys
from scoring.board import Board
from scoring.segments import Series
from scoring.windows import ALL

LOOK_S = 0.5
WHY = "the shop's past answers"
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
        traded = of_the_shop(config, shop.receiver_url)
        serve(traded, ROLES, address, own, loop, [Demo(traded, shop, console, args.duration)])
    console.print(f"Done: {progress(shop)}.")
    return 0


def of_the_shop(config: Config, url: str) -> Config:
    """Its surveys, delivered to the shop, whose customers answer on its page; one is watched by region too."""
    asked = surveys(config.surveys, url)
    watched = [WatchedConfig(survey.id) for survey in asked]
    watched.append(WatchedConfig("post-purchase", "region", [*REGIONS]))
    return replace(config, surveys=asked, watch=replace(config.watch, series=watched))


def progress(shop: Shop) -> str:
    return (
        f"{shop.past_answers:,} past answers, {shop.touchpoints:,} touchpoints, "
        f"{shop.invitations:,} invitations, {shop.answers:,} answers, {shop.comments:,} comments"
    )


class Demo(Service):
    """The shop as a part of the program, with a line of progress; ends the program when its time is up."""

    def __init__(
        self, config: Config, shop: Shop, console: Console, duration: float | None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self._config, self._shop, self._console, self._duration = config, shop, console, duration

    async def on_stop(self) -> None:
        await self._shop.close()

    @Service.task
    async def _trade(self) -> None:
        await self._shop.run(self._duration)
        os.kill(os.getpid(), signal.SIGTERM)

    @Service.task
    async def _set_baselines(self) -> None:
        """Hold every series against its past: learning a baseline takes a week, which nobody waits for."""
        await self._shop.past_told.wait()
        board = await self._counted()
        window = self._config.rolling_windows()[-1]
        await publish(
            self._config,
            [
                baseline(series, *counted(self._config, board, series, window), at=now(), by="demo", reason=WHY)
                for series in self._config.watched()
            ],
        )
        self._console.print("Baselines are set from the past answers: a drop is told from them.")

    async def _counted(self) -> Board:
        """The board, once the past answers are on it."""
        while True:
            with suppress(NotCounted):
                board = await counted_board(self._config)
                held = board.windows[ALL]
                n = sum(sum(held.get(Series(one.id), ())) for one in self._config.surveys)
                if n >= self._shop.past_answers:
                    return board
            await asyncio.sleep(LOOK_S)

    @Service.task
    async def _report(self) -> None:
        with self._line() as status:
            while not self.should_stop:
                await self.sleep(0.5 if status else LINE_S)
                if status:
                    status.update(progress(self._shop))
                elif not self.should_stop:
                    self._console.print(progress(self._shop))

    @contextmanager
    def _line(self) -> Iterator[Status | None]:
        if not sys.stdout.isatty():
            yield None
            return
        with self._console.status(progress(self._shop)) as status:
            yield status
