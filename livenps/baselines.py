"""Baselines out of answers that are counted, and how they reach the watch lane."""

from __future__ import annotations

from collections.abc import Sequence

from livenps.settings import Config
from scoring.board import Board
from scoring.segments import Series
from scoring.windows import Window
from streams.events import Baseline, encode
from streams.publisher import Publisher
from streams.times import DAY, from_ms
from streams.topics import INCREMENTS


def baseline(
    series: Series, answers: list[int], days: float, covered: float, *, at: int, by: str, reason: str
) -> Baseline:
    """What a series is held against from ``at`` (ms) on; no ``answers`` have it learn one anew."""
    return Baseline(
        survey_id=series.survey,
        dimension=series.dimension,
        segment=series.value,
        answers=answers,
        days=days,
        covered_days=covered,
        set_at=from_ms(at),
        set_by=by[:200],
        reason=reason[:1_000],
    )


def counted(config: Config, board: Board, series: Series, window: Window) -> tuple[list[int], float, float]:
    """A series' answers in a window by score, the days in which so many come, and the days that they cover.

    A series may be younger than the window: of the windows up to this one, but for those that are shorter than a
    day, which has its hours, the highest rate is taken, and what is covered is the shortest that holds as many.
    """
    answers = [*board.windows[window.name].get(series, ())]
    counts = {
        one.length / DAY: sum(board.windows[one.name].get(series, ()))
        for one in config.rolling_windows()
        if one.length == window.length or DAY <= one.length < window.length
    }
    rate = max(n / days for days, n in counts.items())
    covered = min(days for days, n in counts.items() if n == sum(answers))
    return answers, sum(answers) / rate if rate else 1.0, covered


async def publish(config: Config, baselines: Sequence[Baseline]) -> None:
    """Put them among the steps of their series. Raises BrokerUnavailable."""
    publisher = Publisher(config.kafka.bootstrap, config.topics())
    await publisher.start()
    try:
        await publisher.publish([(INCREMENTS, _series(one).key, encode(one)) for one in baselines])
    finally:
        await publisher.stop()


def _series(one: Baseline) -> Series:
    return Series(one.survey_id, one.dimension, one.segment)
