"""From what happened to a customer to the answer: who is asked, who is not and why, and who answers."""

from __future__ import annotations

from grafana_foundation_sdk.builders import bargauge, stat, table, timeseries
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.generate.board import Column, Row, board, survey
from deploy.grafana.generate.panels import (
    FIRING,
    SURVEY,
    Query,
    bars,
    bars_over_time,
    color,
    number,
    over_time,
    rows,
    steps,
)

# One verdict of each occasion that the survey is about; one that is scheduled gets its verdict when it is due.
DECIDED = f'survey_decisions_total{{{SURVEY},decision=~"asked|not_asked",reason!~"no_trigger|other_event"}}'
ASKED = f'survey_decisions_total{{{SURVEY},decision="asked"}}'
NOT_ASKED = f'survey_decisions_total{{{SURVEY},decision="not_asked",reason!~"no_trigger|other_event"}}'
REQUESTS = f"survey_requests_total{{{SURVEY}}}"
SENT = f'survey_deliveries_total{{{SURVEY},outcome="sent"}}'
OPENED = f"survey_opened_total{{{SURVEY}}}"
ANSWERED = f"survey_answered_total{{{SURVEY}}}"
REACTIONS = ("opened", "responded", "declined", "unsubscribed", "bounced")
OUTCOMES = {"sent": "green", "unknown": "yellow", "failed": "red"}


def dashboard() -> Dashboard:
    facts = Column(4, [_rate(), _invited(), _answered()])
    return board(
        "livenps-funnel",
        "From what happened to a customer to the answer: who is asked, who is not and why, and who answers.",
        [
            Row("From touchpoint to answer", 9, [Column(10, [_funnel()]), facts, Column(10, [_reasons()])]),
            Row("Response", 8, [Column(8, [_pace()]), Column(8, [_rate_over_time()]), Column(8, [_ratios()])]),
            Row("Channels", 7, [Column(24, [_channels()])]),
            Row("Asking", 8, [Column(8, [_touchpoints()]), Column(8, [_decisions()]), Column(8, [_deliveries()])]),
        ],
        [survey()],
        alerts=FIRING,
    )


def _total(series: str, time: str = "$__range") -> str:
    """Replicas count the same."""
    return f"sum(max without (instance) (increase({series}[{time}])))"


def _share(time: str) -> str:
    return f"{_total(ANSWERED, time)} / ({_total(SENT, time)} > 0)"


def _funnel() -> bargauge.Panel:
    panel = bars(
        "Funnel",
        "What came of the occasions to ask the chosen survey within the time range: touchpoints that it waits "
        "for, decisions to ask, requests, invitations that were sent, those that were opened (by mail scanners "
        "too), and answers to them. Prometheus extrapolates counts to the ends of the range: the last digits may "
        "differ.",
        Query(_total(DECIDED), "Touchpoints"),
        Query(_total(ASKED), "Decided to ask"),
        Query(_total(REQUESTS), "Requests"),
        Query(_total(SENT), "Sent"),
        Query(_total(OPENED), "Opened"),
        Query(_total(ANSWERED), "Answered"),
    )
    return panel.decimals(0).thresholds(steps((None, "blue")))


def _reasons() -> bargauge.Panel:
    panel = bars(
        "Why customers were not asked",
        "The rules that decided against asking within the time range, the most frequent first.",
        Query(
            f"sort_desc(sum by (reason) (max without (instance) (increase({NOT_ASKED}[$__range]))) > 0)",
            "{{reason}}",
        ),
    )
    return panel.decimals(0).thresholds(steps((None, "orange"))).no_value("everybody was asked")


def _rate() -> stat.Panel:
    panel = number(
        "Response rate",
        "Answers within the time range, of the invitations that were sent in it. Over a short range it is a "
        "little off: some answer later.",
        Query(_share("$__range"), "response rate"),
        unit="percentunit",
    )
    return panel.decimals(1).no_value("nobody was asked").thresholds(steps((None, "text")))


def _invited() -> stat.Panel:
    panel = number("Invited", "Invitations that were sent within the time range.", Query(_total(SENT), "invited"))
    return panel.decimals(0).thresholds(steps((None, "text")))


def _answered() -> stat.Panel:
    panel = number(
        "Respondents",
        "Invitations that were answered within the time range; answers from elsewhere do not count here.",
        Query(_total(ANSWERED), "answered"),
    )
    return panel.decimals(0).thresholds(steps((None, "text")))


def _pace() -> timeseries.Panel:
    panel = over_time(
        "Respondents against invited",
        "Invitations that were sent and that were answered, per hour.",
        Query(f"3600 * sum(max without (instance) (rate({SENT}[$__rate_interval])))", "invited"),
        Query(f"3600 * sum(max without (instance) (rate({ANSWERED}[$__rate_interval])))", "answered"),
        unit="suffix:/h",
    )
    panel.override_by_name("invited", [color("blue")]).override_by_name("answered", [color("green")])
    return panel.min(0)


def _rate_over_time() -> timeseries.Panel:
    panel = over_time(
        "Response rate of the last day",
        "Answers of the 24 hours before each point, of the invitations that were sent in them.",
        Query(_share("1d"), "response rate"),
        unit="percentunit",
    )
    return panel.min(0).decimals(1)


def _ratios() -> timeseries.Panel:
    panel = over_time(
        "Response ratio by window",
        "Of the customers who were invited within each window, how many have answered, whenever that was. Of a "
        "short window many still have to.",
        Query(f"max by (window) (survey_response_ratio{{{SURVEY}}})", "{{window}}"),
        unit="percentunit",
    )
    return panel.min(0).max(1).decimals(1)


def _channels() -> table.Panel:
    panel = rows(
        "Invitations by channel",
        "What became of the chosen survey's invitations within the time range: sent, opened (mail scanners open "
        "too), responded to on their page or card, declined, unsubscribed by their link, and come back for good, "
        "as was told of mails.",
        by="channel",
        queries={
            "Sent": _by_channel(SENT),
            **{name.title(): _by_channel(f"survey_{name}_total{{{SURVEY}}}") for name in REACTIONS},
        },
    )
    return panel.decimals(0)


def _by_channel(series: str) -> str:
    return f"max by (channel) (increase({series}[$__range]))"


def _touchpoints() -> timeseries.Panel:
    return bars_over_time(
        "Touchpoints of all surveys",
        "What happened to customers, by event; other: events that no survey waits for.",
        Query("max by (event) (increase(survey_touchpoints_total[$__rate_interval]))", "{{event}}"),
    )


def _decisions() -> timeseries.Panel:
    series = DECIDED.replace(',decision!="scheduled"', "")
    return bars_over_time(
        "Decisions",
        "Which rules decided about the touchpoints of the chosen survey; triggered and due: it was asked.",
        Query(f"max by (reason) (increase({series}[$__rate_interval]))", "{{reason}}"),
    )


def _deliveries() -> timeseries.Panel:
    panel = bars_over_time(
        "Deliveries",
        "What became of the requests of the chosen survey, by channel and outcome; unknown: the connection ended "
        "half-way, and it is not tried again.",
        Query(
            f"max by (channel, outcome) (increase(survey_deliveries_total{{{SURVEY}}}[$__rate_interval]))",
            "{{channel}}: {{outcome}}",
        ),
    )
    for outcome, name in OUTCOMES.items():
        panel.override_by_regexp(f"/: {outcome}$/", [color(name)])
    return panel
