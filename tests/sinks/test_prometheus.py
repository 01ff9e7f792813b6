"""The board as metrics: families, labels and values, read with Prometheus' own parser."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from platform import python_version
from types import MappingProxyType
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from scoring.board import Board, Cohort, Count, Progress
from scoring.scales import CES, CSAT, NPS, SCALES, Scale
from scoring.segments import Dimension, Dimensions, Series
from sinks.prometheus import COUNTERS, MARKERS, OF_ANSWERS, Pipeline, exposition
from streams.events import Marker
from streams.times import from_ms
from streams.watch import Reading
from surveys.survey import Survey
from tests.make import NOW
from tests.scoring.scores import adjusted_wald

Sample = tuple[str, frozenset[tuple[str, str]]]
PLAN = Dimensions((Dimension("plan"),))
NOBODY = [0] * 11


def histogram(promoters: int = 0, passives: int = 0, detractors: int = 0) -> list[int]:
    return [detractors, *[0] * 6, passives, 0, 0, promoters]


def board(
    windows: Mapping[str, Mapping[Series, Sequence[int]]],
    first: Mapping[Series, Sequence[int]] | None = None,
    counts: Mapping[Count, int] | None = None,
    progress: Mapping[int, Progress] | None = None,
) -> Board:
    return Board(NOW, {"all": {}, **windows}, first or {}, counts or {}, progress or {})


def scrape(
    shown: Board,
    surveys: Mapping[str, Scale] = MappingProxyType({"nps": NPS}),
    dimensions: Dimensions = PLAN,
    pipeline: Pipeline | None = None,
    zeros: Iterable[Count] = (),
    watched: Mapping[Series, Reading] | None = None,
) -> dict[Sample, float]:
    """What a scrape reads: sample name and labels -> value."""
    configured = {id_: Survey(id=id_, metric=scale.name, team="shop") for id_, scale in surveys.items()}
    text = exposition(shown, configured, dimensions, pipeline or Pipeline(), zeros, watched or {}).decode()
    families = list(text_string_to_metric_families(text))
    assert all(family.documentation for family in families)
    samples = [sample for family in families for sample in family.samples]
    found: dict[Sample, float] = {(one.name, frozenset(one.labels.items())): one.value for one in samples}
    assert len(found) == len(samples)  # Prometheus refuses a scrape that names a series twice
    return found


def value(found: Mapping[Sample, float], name: str, **labels: str) -> float | None:
    return found.get((name, frozenset(labels.items())))


def names(found: Mapping[Sample, float]) -> set[str]:
    return {name for name, _ in found}


def test_a_score_with_its_interval_and_its_answers() -> None:
    found = scrape(board({"24h": {Series("nps"): histogram(43, 48, 9)}}))
    labels = {"survey": "nps", "window": "24h"}
    assert value(found, "nps_score", **labels) == 34
    lower, upper = adjusted_wald(43, 9, 100)
    assert value(found, "nps_score_lower_bound", **labels) == pytest.approx(lower)
    assert value(found, "nps_score_upper_bound", **labels) == pytest.approx(upper)
    for group, n in (("promoter", 43), ("passive", 48), ("detractor", 9)):
        assert value(found, "nps_window_responses", **labels, group=group) == n


def test_the_newest_answer_of_each_survey_is_an_instant() -> None:
    shown = replace(board({}), newest={"nps": NOW, "happy": NOW - 60_000, "gone": NOW})
    found = scrape(shown, surveys={"nps": NPS, "happy": CSAT, "quiet": NPS})
    assert value(found, "nps_newest_response_timestamp_seconds", survey="nps") == NOW / 1_000
    assert value(found, "csat_newest_response_timestamp_seconds", survey="happy") == NOW / 1_000 - 60
    assert len([name for name, _ in found if "newest" in name]) == 2


def test_which_program_it_is() -> None:
    labels = {"version": version("livenps"), "python": python_version()}
    assert value(scrape(board({})), "livenps_build_info", **labels) == 1
    assert 'livenps_build_info{python="' in exposition(None, {}, PLAN, Pipeline()).decode()


def test_without_answers_there_is_no_score_but_a_count_of_none() -> None:
    found = scrape(board({"24h": {}, "7d": {Series("nps"): NOBODY}}))
    assert not {name for name in names(found) if "score" in name}
    for window in ("24h", "7d", "all"):
        assert value(found, "nps_window_responses", survey="nps", window=window, group="promoter") == 0


def test_a_window_without_answers_beside_one_with() -> None:
    found = scrape(board({"1h": {}, "24h": {Series("nps"): histogram(1)}}))
    assert value(found, "nps_score", survey="nps", window="24h") == 100
    assert value(found, "nps_score", survey="nps", window="1h") is None


def test_counters_of_configured_surveys_start_at_zero() -> None:
    found = scrape(board({}), surveys={"one": NPS, "two": NPS})
    for survey in ("one", "two"):
        for group in ("promoter", "passive", "detractor"):
            assert value(found, "nps_responses_total", survey=survey, group=group) == 0


def test_other_counters_start_at_zero_where_they_are_named() -> None:
    zeros = [("survey_deliveries_total", "nps", "mail", "sent"), ("survey_touchpoints_total", "other")]
    found = scrape(board({}, counts={("survey_touchpoints_total", "other"): 3}), zeros=zeros)
    assert value(found, "survey_deliveries_total", survey="nps", channel="mail", outcome="sent") == 0
    assert value(found, "survey_touchpoints_total", event="other") == 3


def test_who_answers_of_those_invited_is_a_ratio() -> None:
    invited = {"24h": {"nps": Cohort(8, 2), "gone": Cohort(1, 1)}, "7d": {"nps": Cohort(0, 0)}}
    found = scrape(replace(board({}), cohorts=invited))
    assert value(found, "survey_response_ratio", survey="nps", window="24h") == 0.25
    assert [name for name, _ in found].count("survey_response_ratio") == 1


def test_who_was_invited_and_who_answered_is_exposed_by_name() -> None:
    """Counters have no `other`: it would fall when a value gets a name of its own."""
    sent = {("survey_segment_requests_total", "nps", "plan", f"p{n:02}"): 100 - n for n in range(60)}
    counts = {**sent, ("survey_segment_answered_total", "nps", "plan", "p00"): 3}
    found = scrape(board({}, counts=counts))
    labels = {"survey": "nps", "dimension": "plan"}
    assert value(found, "survey_segment_requests_total", **labels, segment="p49") == 51
    assert value(found, "survey_segment_requests_total", **labels, segment="p50") is None
    assert value(found, "survey_segment_requests_total", **labels, segment="other") is None
    assert value(found, "survey_segment_answered_total", **labels, segment="p00") == 3


def test_a_dimension_that_is_not_exported_is_in_no_metric() -> None:
    """Accounts are many: the API has them, Prometheus would have a series of each."""
    some = histogram(2, 1, 1)
    pair = "plan x account_id"
    every = {Series("nps", "plan", "pro"): some, Series("nps", "account_id", "a-1"): some}
    every[Series("nps", pair, "pro|a-1")] = some
    counts = {("survey_segment_requests_total", "nps", name, "a-1"): 3 for name in ("plan", "account_id")}
    counts["nps_segment_corrections_total", "nps", "account_id", "a-1", "promoter", "passive"] = 1
    dimensions = Dimensions((Dimension("plan"), Dimension("account_id", export=False)), (("plan", "account_id"),))
    found = scrape(board({"all": every}, first=every, counts=counts), dimensions=dimensions)
    exposed = {dict(labels)["dimension"] for _, labels in found if "dimension" in dict(labels)}
    assert exposed == {"plan"}
    assert value(found, "survey_segment_requests_total", survey="nps", dimension="plan", segment="a-1") == 3


def test_accepted_answers_are_counted_apart_from_those_in_a_window() -> None:
    series = Series("nps")
    found = scrape(board({"all": {series: histogram(0, 0, 5)}}, first={series: histogram(2, 1, 2)}))
    assert value(found, "nps_responses_total", survey="nps", group="promoter") == 2
    assert value(found, "nps_window_responses", survey="nps", window="all", group="promoter") == 0


def test_segments_have_the_same_with_their_labels() -> None:
    series = Series("nps", "plan", "pro")
    found = scrape(board({"all": {series: histogram(3, 0, 1)}}, first={series: histogram(4)}))
    labels = {"survey": "nps", "dimension": "plan", "segment": "pro"}
    assert value(found, "nps_segment_score", **labels, window="all") == 50
    assert value(found, "nps_segment_window_responses", **labels, window="all", group="detractor") == 1
    assert value(found, "nps_segment_responses_total", **labels, group="promoter") == 4


def test_what_segments_add_to_a_change() -> None:
    """Each plan's score rose, and the score of all fell: more answers came from the plan that scores less."""

    def answers(shares: Mapping[str, tuple[int, int]]) -> dict[Series, Sequence[int]]:
        """By plan, how many answers there are, and their NPS."""
        parts = {
            Series("nps", "plan", plan): histogram(n * (100 + nps) // 200, 0, n * (100 - nps) // 200)
            for plan, (n, nps) in shares.items()
        }
        return {Series("nps"): [sum(column) for column in zip(*parts.values(), strict=True)], **parts}

    before, after = {"pro": (700, 60), "free": (300, 0)}, {"pro": (400, 64), "free": (600, 4)}
    older, recent = answers(before), answers(after)
    month = {one: [old + new for old, new in zip(older[one], recent[one], strict=True)] for one in older}
    found = scrape(board({"30d": month, "24h": recent, "all": month}))

    def added(part: str) -> float:
        labels = {"survey": "nps", "dimension": "plan"}
        return sum(value(found, f"nps_segment_change_{part}", **labels, segment=plan) or 0 for plan in before)

    assert added("within") == pytest.approx(4)
    assert added("mix") == pytest.approx(-18)
    assert value(found, "nps_score", survey="nps", window="24h") == 42 + 4 - 18


def test_without_answers_on_both_sides_there_is_no_change() -> None:
    plan = {Series("nps"): histogram(1), Series("nps", "plan", "pro"): histogram(1)}
    for windows in ({"30d": plan, "24h": {}}, {"30d": plan, "24h": plan}, {"24h": plan}):
        assert not any("change" in name for name in names(scrape(board(windows))))


def test_what_is_watched_is_told_with_its_threshold() -> None:
    watched = {
        Series("nps"): Reading(40.0, 12.5, 0.5, 4500.0, drop_alarmed=False, rise_alarmed=False),
        Series("nps", "plan", "pro"): Reading(50.0, 5000.0, 1.0, 900.0, drop_alarmed=True, rise_alarmed=False),
    }
    found = scrape(board({"24h": {}}), watched=watched)
    assert value(found, "nps_baseline", survey="nps") == 40
    assert value(found, "nps_drop_evidence", survey="nps") == 12.5
    assert value(found, "nps_rise_evidence", survey="nps") == 0.5
    assert value(found, "nps_drop_evidence_threshold", survey="nps") == 4500
    segment = {"survey": "nps", "dimension": "plan", "segment": "pro"}
    assert value(found, "nps_segment_baseline", **segment) == 50
    assert value(found, "nps_segment_drop_evidence", **segment) == 5000
    assert value(found, "nps_segment_drop_evidence_threshold", **segment) == 900
    assert value(found, "nps_drop_alarmed", survey="nps") == value(found, "nps_rise_alarmed", survey="nps") == 0
    assert value(found, "nps_segment_drop_alarmed", **segment) == 1


def test_who_hears_of_a_survey_and_what_it_shall_score() -> None:
    surveys = {"a": Survey(id="a", team="shop", target=40), "b": Survey(id="b")}
    text = exposition(board({"24h": {}}), surveys, PLAN, Pipeline()).decode()
    assert 'survey_team_info{survey="a",team="shop"} 1.0' in text
    assert 'survey_team_info{survey="b",team="support"} 1.0' in text
    assert [line for line in text.splitlines() if line.startswith("nps_target")] == ['nps_target{survey="a"} 40.0']


def test_what_is_not_shown_is_other_in_gauges_and_left_out_of_counters() -> None:
    sizes = {"big": histogram(5), "small": histogram(0, 0, 2), "tiny": histogram(1)}
    every = {Series("nps", "plan", name): counts for name, counts in sizes.items()}
    found = scrape(board({"all": every}, first=every), dimensions=Dimensions((Dimension("plan", limit=1),)))
    segments = {dict(labels)["segment"] for name, labels in found if name == "nps_segment_score"}
    assert segments == {"big", "other"}
    other = {"survey": "nps", "window": "all", "dimension": "plan", "segment": "other"}
    assert value(found, "nps_segment_window_responses", **other, group="detractor") == 2
    assert value(found, "nps_segment_window_responses", **other, group="promoter") == 1
    counted = {dict(labels)["segment"] for name, labels in found if name == "nps_segment_responses_total"}
    assert counted == {"big"}  # what falls out of a sum would make a counter fall


def test_corrections_of_segments_are_counted_where_the_segment_is_shown_by_name() -> None:
    sizes = {"big": histogram(5), "small": histogram(2)}
    every = {Series("nps", "plan", name): counts for name, counts in sizes.items()}
    corrected = [("nps", "plan", "big"), ("nps", "plan", "small"), ("nps", "shoe", "42"), ("old", "plan", "big")]
    counts: dict[Count, int] = {
        ("nps_segment_corrections_total", *series, "passive", "promoter"): n
        for n, series in enumerate(corrected, start=3)
    }
    found = scrape(board({"all": every}, counts=counts), dimensions=Dimensions((Dimension("plan", limit=1),)))
    corrections = {labels: n for (name, labels), n in found.items() if name == "nps_segment_corrections_total"}
    labels = {"survey": "nps", "dimension": "plan", "segment": "big"}
    groups = {"from_group": "passive", "to_group": "promoter"}
    assert corrections == {frozenset({**labels, **groups}.items()): 3}


def test_corrections_of_surveys_that_are_gone_are_not_exposed() -> None:
    groups = ("passive", "promoter")
    counts = {("nps_corrections_total", survey, *groups): 3 for survey in ("nps", "old")}
    found = scrape(board({}, counts=counts))
    assert [labels for name, labels in found if name == "nps_corrections_total"] == [
        frozenset({"survey": "nps", "from_group": "passive", "to_group": "promoter"}.items())
    ]


def test_surveys_and_dimensions_that_are_not_configured_are_not_exposed() -> None:
    old = {Series("old"): histogram(1), Series("nps", "shoe", "42"): histogram(1)}
    found = scrape(board({"all": old}, first=old))
    assert not [labels for _, labels in found if ("survey", "old") in labels or ("dimension", "shoe") in labels]


def test_texts_from_outside_are_escaped() -> None:
    hostile = 'a"b\\c\nd{e="f"} 1\n# HELP'
    series = Series("nps", "plan", hostile)
    found = scrape(board({"all": {series: histogram(1)}}))
    labels = {"survey": "nps", "window": "all", "dimension": "plan", "segment": hostile}
    assert value(found, "nps_segment_score", **labels) == 100


@pytest.mark.parametrize("name", COUNTERS)
def test_every_counter_carries_its_labels(name: str) -> None:
    labels, _ = COUNTERS[name]
    values = ["v0", "plan", "v2"][: len(labels)]
    found = scrape(board({}, counts={(name, *values): 7}))
    assert value(found, name, **dict(zip(labels, values, strict=True))) == 7


def test_counts_of_no_known_name_are_not_exposed() -> None:
    assert "nonsense_total" not in names(scrape(board({}, counts={("nonsense_total", "x"): 1})))


def test_the_pipeline() -> None:
    pipeline: dict[str, Any] = {
        "lag": {("touchpoints", 0): 5, ("touchpoints", 1): 0},
        "last_processed": {"touchpoints": 1_772_366_400.25},
        "stopped": {("touchpoints", 0): True, ("touchpoints", 1): False},
        "delivery": {("mail", 0): 3},
    }
    found = scrape(board({}), pipeline=Pipeline(**pipeline))
    assert value(found, "livenps_lag_records", topic="touchpoints", partition="0") == 5
    assert value(found, "livenps_delivery_lag_records", channel="mail", partition="0") == 3
    assert value(found, "livenps_last_processed_timestamp_seconds", topic="touchpoints") == 1_772_366_400.25
    assert value(found, "livenps_partition_stopped", topic="touchpoints", partition="0") == 1
    assert value(found, "livenps_partition_stopped", topic="touchpoints", partition="1") == 0


def test_lag_that_is_not_known_is_no_number() -> None:
    assert "livenps_lag_records" not in names(scrape(board({})))


def test_while_a_partition_recovers_nothing_is_exposed_that_its_answers_count_in() -> None:
    every = {Series("nps"): histogram(5), Series("nps", "plan", "pro"): histogram(5)}
    counts: dict[Count, int] = {
        (name, "nps", "plan", "pro")[: 1 + len(labels)]: 7 for name, (labels, _) in COUNTERS.items()
    }
    counts["nps_corrections_total", "nps", "passive", "promoter"] = 7
    complete = board({"24h": every, "all": every}, every, counts, {0: Progress(10), 1: Progress(10)})
    partial = replace(complete, progress={0: Progress(10), 1: Progress(4, until=10)})
    found = scrape(partial)
    gone = names(scrape(complete)) - names(found)
    assert gone == {name for name in names(scrape(complete)) if name.startswith("nps")} | OF_ANSWERS
    assert value(found, "survey_touchpoints_total", event="nps") == 7
    recovering = [value(found, "livenps_recovering", topic="survey.responses", partition=p) for p in "01"]
    assert recovering == [0, 1]


def test_a_partition_that_nobody_has_begun_to_count_hides_the_scores_too() -> None:
    found = scrape(board({"24h": {}}, progress={0: Progress(10), 1: Progress(None)}))
    assert not {name for name in names(found) if name.startswith("nps")}
    assert value(found, "livenps_recovering", topic="survey.responses", partition="1") == 1


# other scales

SURVEYS = {"likely": NPS, "happy": CSAT, "handled": CES}
ANSWERS = {  # by score from 0 on
    "likely": [1, 0, 0, 0, 0, 0, 0, 1, 0, 1, 1],
    "happy": [0, 1, 0, 1, 1, 1, 0, 0, 0, 0, 0],
    "handled": [0, 1, 0, 0, 1, 1, 0, 1, 0, 0, 0],
}
EVERY = {
    Series(survey, *segment): answers
    for survey, answers in ANSWERS.items()
    for segment in ((), ("plan", "pro"), ("plan", "free"))
}


def of_all_scales(surveys: Mapping[str, Scale] = SURVEYS) -> dict[Sample, float]:
    """A scrape in which every family of every scale has a sample."""
    counts = {
        (f"{scale.name}{kind}_corrections_total", survey, *segment, *[*scale.groups][:2]): 2
        for survey, scale in SURVEYS.items()
        for kind, segment in (("", ()), ("_segment", ("plan", "pro")))
    }
    month = {series: [2 * n for n in histogram] for series, histogram in EVERY.items()}
    shown = board({"24h": EVERY, "30d": month, "all": month}, first=EVERY, counts=counts)
    reading = Reading(4.5, 1.0, 2.0, 900.0, drop_alarmed=False, rise_alarmed=True)
    watched = dict.fromkeys(EVERY, reading)
    return scrape(shown, surveys, watched=watched)


@pytest.mark.parametrize(
    ("survey", "score", "groups"),
    [
        ("likely", 25, {"promoter": 2, "passive": 1, "detractor": 1}),
        ("happy", 50, {"satisfied": 2, "neutral": 1, "dissatisfied": 1}),
        ("handled", 4.25, {"easy": 2, "neutral": 1, "difficult": 1}),
    ],
)
def test_a_survey_is_in_the_families_of_its_metric(survey: str, score: float, groups: dict[str, int]) -> None:
    found, metric = of_all_scales(), SURVEYS[survey].name
    window, segment = (
        {"survey": survey, "window": "24h"},
        {"survey": survey, "dimension": "plan", "segment": "pro"},
    )
    for prefix, labels in ((metric, window), (f"{metric}_segment", {**segment, **window})):
        assert value(found, f"{prefix}_score", **labels) == score
        lower, upper = (value(found, f"{prefix}_score_{end}_bound", **labels) for end in ("lower", "upper"))
        assert lower is not None
        assert upper is not None
        assert lower < score < upper
        for group, n in groups.items():
            assert value(found, f"{prefix}_window_responses", **labels, group=group) == n
    best, middle, _ = groups
    for prefix, labels in ((metric, {"survey": survey}), (f"{metric}_segment", segment)):
        for group, n in groups.items():
            assert value(found, f"{prefix}_responses_total", **labels, group=group) == n
        assert value(found, f"{prefix}_corrections_total", **labels, from_group=best, to_group=middle) == 2
        assert value(found, f"{prefix}_baseline", **labels) == 4.5
        assert value(found, f"{prefix}_drop_evidence", **labels) == 1
        assert value(found, f"{prefix}_rise_evidence", **labels) == 2
        assert value(found, f"{prefix}_drop_evidence_threshold", **labels) == 900
        assert value(found, f"{prefix}_rise_alarmed", **labels) == 1
    for part in ("within", "mix"):
        assert value(found, f"{metric}_segment_change_{part}", **segment) == 0


def test_every_scale_has_the_same_families() -> None:
    found = names(of_all_scales())
    kinds = {metric: {name.removeprefix(metric) for name in found if name.startswith(metric)} for metric in SCALES}
    assert kinds["nps"] == kinds["csat"] == kinds["ces"] != set()


@pytest.mark.parametrize("left", SURVEYS)
def test_a_metric_without_a_survey_has_no_families(left: str) -> None:
    scale = SURVEYS[left]
    found = of_all_scales({survey: its for survey, its in SURVEYS.items() if survey != left})
    assert not {name for name in names(found) if name.startswith(scale.name)}
    assert not [labels for _, labels in found if ("survey", left) in labels]
    assert f"# HELP {scale.name}_" not in exposition(board({}), {}, PLAN, Pipeline()).decode()


def test_a_survey_whose_metric_was_changed_shows_what_its_scale_has() -> None:
    """What was answered on the old scale, up to a rebuild, is in no family."""
    before = {Series("s"): histogram(3, 0, 2), Series("s", "plan", "pro"): histogram(3, 0, 2)}
    counts = {("nps_corrections_total", "s", "passive", "promoter"): 3}
    shown = board({"24h": before, "30d": before, "all": before}, first=before, counts=counts)
    found = scrape(shown, {"s": CSAT})
    assert not {name for name in names(found) if name.startswith("nps") or "score" in name or "change" in name}
    assert value(found, "csat_window_responses", survey="s", window="24h", group="satisfied") == 0


# markers


def markers(shown: Iterable[Marker]) -> list[tuple[str, str, float]]:
    """Title, survey and time (s) of each marker that a scrape reads."""
    text = exposition(board({}), {}, PLAN, Pipeline(), markers=[*shown]).decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    samples = families["livenps_marker_timestamp_seconds"].samples
    return [(one.labels["title"], one.labels["survey"], one.value) for one in samples]


def test_markers_are_the_newest_ones() -> None:
    shown = [Marker(marker_id=f"m{n}", title=f"release {n}", at=from_ms(NOW - n)) for n in range(3 * MARKERS)]
    shown[1] = Marker(marker_id="own", title="<b>prices</b>", at=from_ms(NOW - 1), survey_id="nps")
    found = markers(shown)
    assert len(found) == MARKERS
    assert ("release 0", "", NOW / 1_000) in found
    assert ("<b>prices</b>", "nps", (NOW - 1) / 1_000) in found
    assert f"release {MARKERS}" not in {title for title, _, _ in found}


def test_a_marker_of_the_same_name_is_exposed_once_at_its_last_time() -> None:
    twice = [Marker(marker_id=f"m{n}", title="sale", at=from_ms(NOW - n)) for n in range(2)]
    assert markers(twice) == [("sale", "", NOW / 1_000)]
