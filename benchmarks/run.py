"""The benchmark: livenps and its peers on the same answers, one after another, on a real Kafka."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import report, rows, tools
from benchmarks.input import BACKFILL, LIVE, Input
from benchmarks.measure import Meter, Sample
from benchmarks.peers.catalog import PEERS, AnyPeer
from benchmarks.peers.peer import ROOT, Run
from benchmarks.report import RESULTS, positive
from benchmarks.topics import Broker
from streams.times import SECOND
from tests.real.kafka import Kafka

CACHE = ROOT / ".cache" / "bench"
PAPER = 190  # columns where the table goes to a file
NAMES = [peer.name for peer in PEERS]

err = Console(stderr=True, highlight=False, soft_wrap=True)


def main() -> int:
    args = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # an end in order, which ends all that was started
    peers = [peer for peer in PEERS if peer.name in args.only]
    if lacking := tools.advice({"the harness": tools.BROKER} | {peer.name: peer.tools for peer in peers}):
        err.print(lacking, markup=False)
        return 2
    for peer in peers:
        with status(f"preparing {peer.name}"):
            peer.install(CACHE)
    err.print("starting Kafka")
    with Kafka() as kafka:
        bench = Bench(kafka, args.answers, args.timeout)
        results = {peer.name: bench.row(peer) for peer in peers}
        for number, peer in ((number, peer) for number in range(args.runs) for peer in peers):
            sample = bench.run(peer)
            results[peer.name].runs.append(sample)
            err.print(f"{peer.name}, run {number + 1} of {args.runs}: {rows.line(sample)}")
    found = list(results.values())
    paths = rows.save(found, args.answers, args.output)
    if args.json:
        print(json.dumps(report.dated(rows.found(found, args.answers)), indent=2))
    else:
        out = Console()
        out.width = out.width if out.is_terminal else PAPER
        out.print(rows.table(found))
    err.print("written: " + ", ".join(str(path) for path in paths))
    return 1 if any(sample.failure for row in found for sample in row.runs) else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make bench",
        description="Measure livenps and other stream processors on the same answers, and check that all count "
        "right. Peers are installed into .cache/bench when they are first asked for.",
        epilog="Exit code 1 where a peer failed or its totals are not the input's, 2 where a tool is missing.",
    )
    parser.add_argument("--only", type=names, default=NAMES, metavar="PEERS", help=f"some of {','.join(NAMES)}")
    parser.add_argument("--answers", type=positive, default=1_000_000, help="(default: %(default)s)")
    parser.add_argument("--runs", type=positive, default=3, help="of each peer; the median counts (default: 3)")
    parser.add_argument("--timeout", type=positive, default=900, help="seconds for one run (default: %(default)s)")
    parser.add_argument(
        "--output", type=Path, default=RESULTS, help="where results go (default: benchmarks/results)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    return parser.parse_args()


def names(text: str) -> Sequence[str]:
    asked = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in asked if name not in NAMES]
    if unknown or not asked:
        raise argparse.ArgumentTypeError(f"expected some of {', '.join(NAMES)}, got {text!r}")
    return asked


class Bench:
    """Runs peers on one broker; a topic of answers is written once, for all who read as many."""

    def __init__(self, kafka: Kafka, answers: int, timeout: float) -> None:
        self._kafka, self._answers, self._timeout = kafka, answers, timeout
        self._broker = Broker(kafka.bootstrap)
        self._until = int(time.time() * SECOND)
        self._inputs: dict[str, Input] = {}
        self._number = count(1)

    def row(self, peer: AnyPeer) -> rows.Row:
        answers = min(self._answers, peer.at_most or self._answers)
        return rows.Row(peer.name, peer.title, peer.leaves_out, peer.jvm, answers)

    def run(self, peer: AnyPeer) -> Sample:
        """One run of a peer: its sample says what went wrong, if anything did."""
        run = self._prepare(peer)
        with status(f"running {peer.name}"):
            attempt = peer.start(run)
            try:
                beside = {"broker": [self._kafka.pid], **attempt.beside}
                meter = Meter(attempt.programs, beside, self._broker.port)
                sample = meter.measure(attempt.done, run.input.count, self._timeout)
                if not sample.failure:
                    sample.failure = attempt.check()
            finally:
                attempt.close()
        self._broker.clean(run.name)
        return sample

    def _prepare(self, peer: AnyPeer) -> Run:
        answers = min(self._answers, peer.at_most or self._answers)
        prefix = f"{peer.variant}-{answers}."
        if prefix not in self._inputs:
            self._inputs[prefix] = self._fill(peer.variant, prefix, answers)
        name = f"run-{next(self._number):03}"
        results = f"{name}-results"
        self._broker.create(results)
        return Run(name, self._broker, prefix, results, self._inputs[prefix])

    def _fill(self, variant: str, prefix: str, answers: int) -> Input:
        span = BACKFILL if variant == "backfill" else LIVE
        made = Input(answers, self._until, span, customers=variant == "customers")
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
            task = progress.add_task(f"writing {variant} answers", total=answers)
            self._broker.fill(prefix, made.records(), lambda done: progress.update(task, completed=done))
        return made


@contextmanager
def status(what: str) -> Iterator[None]:
    """Say what goes on: a spinner on a terminal, a line elsewhere."""
    if err.is_terminal:
        with err.status(what):
            yield
    else:
        err.print(what)
        yield


if __name__ == "__main__":
    sys.exit(main())
