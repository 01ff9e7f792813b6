"""Whether what the other dashboards show is up to date, of all surveys."""

from __future__ import annotations

from grafana_foundation_sdk.builders import stat, statetimeline, table, timeseries
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.generate.board import Column, Row, board
from deploy.grafana.generate.panels import (
    Query,
    alerts,
    bars_over_time,
    number,
    over_time,
    states_over_time,
    steps,
)

FIRING = 'alertstate="firing",alertname=~"Livenps.+"'
BY_PARTITION = "max by (topic, partition)"
BY_SURVEY = '{__name__=~"(nps|csat|ces)_responses_total"}'
SET_ASIDE = "max without (instance) (increase(livenps_dead_letters_total[{}]))"


def dashboard() -> Dashboard:
    now = [_processes(), _waiting(), _outbox(), _stopped(), _recovering(), _set_aside()]
    return board(
        "livenps-pipeline",
        "Whether what the other dashboards show is up to date: it is about all surveys.",
        [
            Row("Now", 4, [Column(4, [panel]) for panel in now]),
            Row("Progress", 8, [Column(8, [_lag()]), Column(8, [_last()]), Column(8, [_events()])]),
            Row(
                "Trouble",
                8,
                [Column(8, [_states()]), Column(8, [_dead_letters()]), Column(8, [_outbox_over_time()])],
            ),
            Row("Processes", 8, [Column(8, [_up()]), Column(8, [_scrapes()]), Column(8, [_alerts()])]),
        ],
        [],
        alerts=FIRING,
    )


def _count(title: str, description: str, expression: str, *, warn: float, alarm: float) -> stat.Panel:
    """Green as long as it is below both."""
    panel = number(title, description, Query(expression, title.lower())).decimals(0)
    levels = [(warn, "yellow"), (alarm, "red")] if warn < alarm else [(alarm, "red")]
    return panel.thresholds(steps((None, "green"), *levels))


def _processes() -> stat.Panel:
    panel = number(
        "Processes",
        "How many processes of livenps answer Prometheus. None: no score is shown.",
        Query('sum(up{job="livenps"})', "up"),
    )
    return panel.decimals(0).no_value("0").thresholds(steps((None, "red"), (1, "green")))


def _waiting() -> stat.Panel:
    return _count(
        "Records waiting",
        "Records in Kafka that are not yet processed, over all topics. It should return to 0 again and again.",
        f"sum({BY_PARTITION} (livenps_lag_records))",
        warn=100,
        alarm=1_000,
    )


def _outbox() -> stat.Panel:
    return _count(
        "Outbox",
        "Batches whose returned events are not yet on Kafka.",
        f"sum({BY_PARTITION} (livenps_outbox_entries))",
        warn=10,
        alarm=100,
    )


def _stopped() -> stat.Panel:
    return _count(
        "Stopped partitions",
        "Partitions that may not go on by themselves: /readyz and the log say why.",
        f"sum({BY_PARTITION} (livenps_partition_stopped))",
        warn=1,
        alarm=1,
    )


def _recovering() -> stat.Panel:
    return _count(
        "Recovering partitions",
        "Partitions whose answers are being counted again; until all are, no score is shown.",
        f"sum({BY_PARTITION} (livenps_recovering))",
        warn=1,
        alarm=1,
    )


def _set_aside() -> stat.Panel:
    return _count(
        "Dead letters",
        "Records that could not be processed, within the time range. The first of its kind is not "
        "counted: its series begins with it.",
        f"sum({SET_ASIDE.format('$__range')}) or vector(0)",
        warn=1,
        alarm=100,
    )


def _lag() -> timeseries.Panel:
    panel = over_time(
        "Records waiting by topic",
        "Records in Kafka that are not yet processed.",
        Query(f"sum by (topic) ({BY_PARTITION} (livenps_lag_records))", "{{topic}}"),
    )
    return panel.min(0).decimals(0)


def _last() -> timeseries.Panel:
    panel = over_time(
        "Since the last record",
        "How long ago the last batch of a topic was applied. It grows while nothing comes in; while records wait "
        "it means a stall.",
        Query("time() - max by (topic) (livenps_last_processed_timestamp_seconds > 0)", "{{topic}}"),
        unit="s",
    )
    return panel.min(0)


def _events() -> timeseries.Panel:
    panel = over_time(
        "Events",
        "Touchpoints and answers per second, and answers that came too late for every window.",
        Query("sum(max by (event) (rate(survey_touchpoints_total[$__rate_interval])))", "touchpoints"),
        Query(f"sum(max by (survey, group) (rate({BY_SURVEY}[$__rate_interval])))", "answers"),
        Query("max(rate(livenps_late_responses_total[$__rate_interval]))", "late answers"),
        unit="ops",
    )
    return panel.min(0)


def _states() -> statetimeline.Panel:
    return states_over_time(
        "Stopped or recovering",
        "Of each topic, whether a partition had to stop, and whether answers were counted again.",
        Query("max by (topic) (livenps_partition_stopped)", "{{topic}}"),
        Query("2 * max by (topic) (livenps_recovering)", "{{topic}} counted again"),
        states={0: ("no", "green"), 1: ("stopped", "red"), 2: ("recovering", "yellow")},
    )


def _dead_letters() -> timeseries.Panel:
    panel = bars_over_time(
        "Dead letters by topic and reason",
        "Records that could not be processed: `livenps dead-letters` shows them.",
        Query(f"max by (topic, reason) ({SET_ASIDE.format('$__rate_interval')})", "{{topic}}: {{reason}}"),
    )
    return panel.no_value("none")


def _outbox_over_time() -> timeseries.Panel:
    panel = over_time(
        "Outbox by topic",
        "Batches whose returned events are not yet on Kafka. Under load it is seldom empty.",
        Query(f"sum by (topic) ({BY_PARTITION} (livenps_outbox_entries))", "{{topic}}"),
    )
    return panel.min(0).decimals(0)


def _up() -> statetimeline.Panel:
    return states_over_time(
        "Up",
        "Which processes answered Prometheus. One that cannot reach Redis does not.",
        Query('up{job="livenps"}', "{{instance}}"),
        states={0: ("down", "red"), 1: ("up", "green")},
    )


def _scrapes() -> timeseries.Panel:
    panel = over_time(
        "Time of a scrape",
        "How long a process took to answer Prometheus; it gives up after 10 s.",
        Query('max by (instance) (scrape_duration_seconds{job="livenps"})', "{{instance}}"),
        unit="s",
    )
    return panel.min(0)


def _alerts() -> table.Panel:
    return alerts("What fires now about the pipeline.", FIRING, "alertname", "topic", "partition", "reason")
