"""Sampling towards a margin of error: a simulated shop, and what is counted on the way."""

import heapq
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from zlib import crc32

import pytest

from scoring.scales import NPS
from scoring.segments import OTHER, Dimension, Dimensions
from scoring.weighted import Weighted
from streams.events import Answered, Contact, Verdict
from streams.times import DAY, Duration, from_ms
from surveys.draws import ANSWERED, DRAWN, ELIGIBLE, MOST, Cell, Draws, Steered
from surveys.sampling import Sampling, sampled
from tests.make import NOW, survey

PERIOD = 30 * DAY
MARGIN = 10.0
STEERED = survey(sampling=Sampling(MARGIN, "plan", Duration(PERIOD)))
PLAN = Dimensions((Dimension("plan"),))
ASKED = Verdict(survey_id="nps", decision="asked", reason="triggered", request_id="r")
LEFT_OUT = Verdict(survey_id="nps", decision="not_asked", reason="not_sampled")


@dataclass
class Partition:
    """The counts of one partition, as the state keeps them."""

    steered: Steered
    counts: Counter[Cell] = field(default_factory=Counter)
    met: dict[Cell, set[str]] = field(default_factory=lambda: defaultdict(set))

    def draws(self, now: int) -> Draws:
        return Draws(self.steered, self.counts, now)

    def apply(self, draws: Draws) -> None:
        self.counts.update(draws.added)
        for cell, customers in draws.eligible.items():
            self.met[cell] |= customers
            self.counts[cell] = len(self.met[cell])


def answered(at: int, plan: str = "pro", score: int | None = 9) -> Answered:
    return Answered(
        event_id="e",
        customer_id="c",
        survey_id="nps",
        occurred_at=from_ms(at),
        segments={"plan": plan},
        score=score,
    )


# the simulation

SIZES = {"free": 10_000, "pro": 4_000, "team": 1_500, "few": 40}  # customers in a period
MIXES = {"free": (0.3, 0.4), "pro": (0.6, 0.1), "team": (0.5, 0.2), "few": (0.5, 0.2)}  # promoters, detractors
RESPONSE, PARTITIONS, PERIODS = 0.3, 2, 2


@dataclass
class Shop:
    """Everybody comes at any time of a period, some again; three in ten answer, about a day later."""

    asked: Counter[tuple[int, str]] = field(default_factory=Counter)
    answers: dict[tuple[int, str], list[tuple[int, float]]] = field(default_factory=lambda: defaultdict(list))

    def open(self) -> None:
        chance = random.Random(5)
        partitions = [Partition(Steered([STEERED], PLAN, PARTITIONS)) for _ in range(PARTITIONS)]
        begin = NOW // PERIOD * PERIOD + PERIOD
        happens: list[tuple[int, str, int, float]] = []  # when, who, and the score where it is an answer
        for customer in (f"{plan}-{n}" for plan, size in SIZES.items() for n in range(size)):
            for number in range(PERIODS):
                for _ in range(1 + (chance.random() < 0.3)):
                    happens.append((begin + number * PERIOD + chance.randrange(PERIOD), customer, -1, 0.0))
        heapq.heapify(happens)
        done: set[tuple[int, str]] = set()
        while happens:
            at, customer, score, weight = heapq.heappop(happens)
            period, plan = (at - begin) // PERIOD, customer.partition("-")[0]
            partition = partitions[crc32(customer.encode()) % PARTITIONS]
            draws = partition.draws(at)
            if score >= 0:
                draws.answered(answered(at, plan, score))
                self.answers[period, plan].append((score, weight))
            elif (period, customer) not in done:  # as in a quiet period
                rate = draws.rate(STEERED, Contact(), {"plan": plan}, at)
                going = sampled(customer, "nps", rate, at, PERIOD)
                draws.decided(customer, Contact(), {"plan": plan}, [ASKED if going else LEFT_OUT], at)
                if going:
                    done.add((period, customer))
                    self.asked[period, plan] += 1
                    if chance.random() < RESPONSE:
                        later = at + round(chance.expovariate(1 / DAY))
                        heapq.heappush(happens, (later, customer, self.score(plan, chance.random()), 1 / rate))
            partition.apply(draws)

    @staticmethod
    def score(plan: str, chance: float) -> int:
        promoters, detractors = MIXES[plan]
        return 10 if chance < promoters else 0 if chance < promoters + detractors else 8


@pytest.mark.slow
def test_segments_of_very_different_size_reach_the_margin_and_the_large_ones_are_asked_seldom() -> None:
    shop = Shop()
    shop.open()
    shares = {key: n / SIZES[key[1]] for key, n in shop.asked.items()}
    for period in range(PERIODS):
        for plan in ("free", "pro", "team"):
            lower, upper = Weighted.of(NPS, [(score, 1.0) for score, _ in shop.answers[period, plan]]).interval
            assert MARGIN * 0.85 < (upper - lower) / 2 < MARGIN * 1.1
        assert shares[period, "free"] < 0.12
        assert shares[period, "free"] < shares[period, "pro"] < shares[period, "team"] / 2
        assert shares[period, "few"] > 0.8  # what cannot be reached: nearly everybody

        true = sum(size * 100 * (MIXES[plan][0] - MIXES[plan][1]) for plan, size in SIZES.items()) / sum(
            SIZES.values()
        )
        together = [one for plan in SIZES for one in shop.answers[period, plan]]
        lower, upper = Weighted.of(NPS, together).interval
        assert lower < true < upper
        lower, _ = Weighted.of(NPS, [(score, 1.0) for score, _ in together]).interval
        assert lower > true  # small segments, which have better scores, count for too much


# what is counted


def test_who_could_be_asked_counts_once_and_an_invitation_each_time() -> None:
    partition = Partition(Steered([STEERED], PLAN, 1))
    held = Verdict(survey_id="nps", decision="not_asked", reason="cap_all")
    quiet = Verdict(survey_id="nps", decision="not_asked", reason="quiet_period_survey")
    other = Verdict(survey_id="other", decision="asked", reason="triggered", request_id="r")
    for customer, verdict in (
        ("a", LEFT_OUT),
        ("a", ASKED),
        ("b", held),
        ("c", quiet),
        ("d", other),
        ("a", ASKED),
    ):
        draws = partition.draws(NOW)
        draws.decided(customer, Contact(attributes={"plan": "free"}), {"plan": "pro"}, [verdict], NOW)
        partition.apply(draws)
    for score in (9, None):
        draws = partition.draws(NOW)
        draws.answered(answered(NOW, score=score))
        partition.apply(draws)
    [here, _] = partition.steered.rounds(NOW)
    assert partition.counts == {
        Cell(here, "pro", ELIGIBLE): 2,
        Cell(here, "pro", DRAWN): 2,
        Cell(here, "pro", ANSWERED): 2,
        Cell(here, "pro", "9"): 1,
    }


@pytest.mark.parametrize(("days", "counted"), [(0, True), (30, True), (60, False), (90, False)])
def test_only_this_period_and_the_one_before_are_counted(days: int, counted: bool) -> None:
    """What is read of a log from its start, or imported, may be older."""
    draws = Partition(Steered([STEERED], PLAN, 1)).draws(NOW)
    at = NOW - days * DAY
    draws.decided("a", Contact(), {}, [ASKED], at)
    draws.answered(answered(at))
    assert bool(draws.added) == bool(draws.eligible) == counted


def test_too_many_segments_are_one() -> None:
    partition = Partition(Steered([STEERED], PLAN, 1))
    for number in range(MOST + 20):
        draws = partition.draws(NOW)
        draws.decided(f"c{number}", Contact(), {"plan": f"p{number}"}, [ASKED], NOW)
        partition.apply(draws)
    assert len({cell.segment for cell in partition.counts}) == MOST + 1
    [here, _] = partition.steered.rounds(NOW)
    assert partition.counts[Cell(here, OTHER, DRAWN)] == 20


def test_a_survey_without_steering_has_its_share_and_counts_nothing() -> None:
    plain = survey(sample=0.3)
    draws = Draws(Steered([plain], PLAN, 1), {}, NOW)
    assert draws.rate(plain, Contact(), {"plan": "pro"}, NOW) == 0.3
    draws.decided("a", Contact(), {"plan": "pro"}, [ASKED], NOW)
    draws.answered(answered(NOW))
    assert (dict(draws.added), draws.eligible) == ({}, {})
