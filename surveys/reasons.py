"""Every reason that a verdict can carry, in the order in which the rules are asked, and what it says in words."""

from __future__ import annotations

from collections.abc import Mapping

NO_TRIGGER = "no_trigger"
OTHER_EVENT = "other_event"
FILTERED = "filtered"
TOO_OLD = "too_old"
UNKNOWN_SURVEY = "unknown_survey"
CANCELLED = "cancelled"
MERGED = "merged"
TOO_LATE = "too_late"
EXCLUDED_CUSTOMER = "excluded_customer"
EXCLUDED_CONTACT = "excluded_contact"
EXCLUDED_DOMAIN = "excluded_domain"
SUPPRESSED = "suppressed"
UNSUBSCRIBED = "unsubscribed"
NO_ADDRESS = "no_address"
NO_CONSENT = "no_consent"
ALREADY_SCHEDULED = "already_scheduled"
ACCOUNT_AGE = "account_age"
QUIET_SURVEY = "quiet_period_survey"
AFTER_ANSWER_SURVEY = "after_answer_survey"
AFTER_DECLINE_SURVEY = "after_decline_survey"
AFTER_IGNORED_SURVEY = "after_ignored_survey"
QUIET_ALL = "quiet_period_all"
AFTER_ANSWER_ALL = "after_answer_all"
AFTER_DECLINE_ALL = "after_decline_all"
AFTER_IGNORED_ALL = "after_ignored_all"
AT_MOST = "at_most"
NOT_SAMPLED = "not_sampled"
CAP_SURVEY = "cap_survey"
CAP_ALL = "cap_all"
NO_REMINDER = "no_reminder"
INVITED_AGAIN = "invited_again"
ANSWERED = "answered"
DECLINED = "declined"
BOUNCED = "bounced"
DELAY = "delay"
SENDING_HOURS = "sending_hours"
TRIGGERED = "triggered"
DUE = "due"
REMINDER = "reminder"

WORDS: Mapping[str, str] = {
    NO_TRIGGER: "no event triggers this survey",
    OTHER_EVENT: "another event triggers this survey",
    FILTERED: "the event does not meet the survey's conditions (where)",
    TOO_OLD: "the event was older than the survey allows (max_age)",
    UNKNOWN_SURVEY: "the survey is not in the configuration",
    CANCELLED: "an event that cancels the survey came before it was due (cancel)",
    MERGED: "the customer was merged into another one, for whom it is decided",
    TOO_LATE: "nothing ran when it was due, and a day later it is not sent any more",
    EXCLUDED_CUSTOMER: "the customer is excluded (exclude.customers)",
    EXCLUDED_CONTACT: "what is known of the contact excludes it (exclude.where)",
    EXCLUDED_DOMAIN: "the domain of the mail address is excluded (exclude.domains)",
    SUPPRESSED: "the customer or the mail address stands on the suppression list",
    UNSUBSCRIBED: "the customer has unsubscribed",
    NO_ADDRESS: "no address is known that works, or no telephone number with its country's code",
    NO_CONSENT: "the customer has refused the survey's channels, or not agreed to them (consent, opt_in)",
    ALREADY_SCHEDULED: "this survey is scheduled for the customer already",
    ACCOUNT_AGE: "the account is too young, or its age is not known (min_account_age)",
    QUIET_SURVEY: "this survey was sent lately (the survey's quiet_period)",
    AFTER_ANSWER_SURVEY: "this survey was answered lately (the survey's after_answer)",
    AFTER_DECLINE_SURVEY: "this survey was declined lately (the survey's after_decline)",
    AFTER_IGNORED_SURVEY: "this survey was sent lately and had no answer (the survey's after_ignored)",
    QUIET_ALL: "some survey was sent lately, or waits to be sent (quiet_period over all)",
    AFTER_ANSWER_ALL: "some survey was answered lately (after_answer over all)",
    AFTER_DECLINE_ALL: "some survey was declined lately (after_decline over all)",
    AFTER_IGNORED_ALL: "some survey was sent lately and had no answer (after_ignored over all)",
    AT_MOST: "the customer was asked as often as may be in this time (at_most)",
    NOT_SAMPLED: "the customer is not in the sample (sample, sampling)",
    CAP_SURVEY: "as many as may be were sent of this survey today (the survey's per_day)",
    CAP_ALL: "as many surveys as may be were sent today (per_day over all)",
    NO_REMINDER: "the survey has no reminder any more (reminder)",
    INVITED_AGAIN: "this survey was sent again before its reminder was due",
    ANSWERED: "the customer has answered",
    DECLINED: "the customer has declined",
    BOUNCED: "the invitation came back",
    DELAY: "waits until its delay is over (delay)",
    SENDING_HOURS: "waits for the sending hours where the customer lives (sending)",
    TRIGGERED: "the event triggers it, and no rule forbids it",
    DUE: "its time came, and no rule forbids it",
    REMINDER: "nothing came back by the time of the reminder (reminder)",
}
