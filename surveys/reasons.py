"""Every reason that a verdict can carry, in the order in which the rules are asked, and what it says in words."""

from __future__ import annotations

from collections.abc import Mapping

NO_TRIGGER = "no_trigger"
OTHER_EVENT = "other_event"
FILTERED = "filtered"
TOO_OLD = "too_old"
UNKNOWN_SURVEY = "unknown_survey"
CANCELLED = "cancelled"
TOO_LATE = "too_late"
UNSUBSCRIBED = "unsubscribed"
NO_ADDRESS = "no_address"
ALREADY_SCHEDULED = "already_scheduled"
QUIET_SURVEY = "quiet_period_survey"
QUIET_ALL = "quiet_period_all"
NOT_SAMPLED = "not_sampled"
DELAY = "delay"
TRIGGERED = "triggered"
DUE = "due"

WORDS: Mapping[str, str] = {
    NO_TRIGGER: "no event triggers this survey",
    OTHER_EVENT: "another event triggers this survey",
    FILTERED: "the event does not meet the survey's conditions (where)",
    TOO_OLD: "the event was older than the survey allows (max_age)",
    UNKNOWN_SURVEY: "the survey is not in the configuration",
    CANCELLED: "an event that cancels the survey came before it was due (cancel)",
    TOO_LATE: "nothing ran when it was due, and a day later it is not sent any more",
    UNSUBSCRIBED: "the customer has unsubscribed",
    NO_ADDRESS: "no mail address is known that works",
    ALREADY_SCHEDULED: "this survey is scheduled for the customer already",
    QUIET_SURVEY: "this survey was sent lately (the survey's quiet_period)",
    QUIET_ALL: "another survey was sent lately or is scheduled (quiet_period over all)",
    NOT_SAMPLED: "the customer is not in the sample (sample)",
    DELAY: "waits until its delay is over (delay)",
    TRIGGERED: "the event triggers it, and no rule forbids it",
    DUE: "its time came, and no rule forbids it",
}
