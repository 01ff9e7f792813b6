"""What the customer reads: the standard words of each scale, and an open question for each of its groups."""

from __future__ import annotations

from collections.abc import Mapping

from scoring.scales import Metric

_ALWAYS = {
    "thanks": "Thank you! Your answer helps us to get better.",
    "subject": "One question, ten seconds",
}

# Sources of the questions and their ends: Reichheld, HBR 12/2003 (NPS); Farris et al., "Marketing Metrics" (2010)
# (CSAT); Dixon, Toman, DeLisi, "The Effortless Experience" (2013), CES 2.0 (CES).
WORDING: Mapping[Metric, Mapping[str, str]] = {
    "nps": {
        "question": "How likely are you to recommend us to a friend or colleague?",
        "low": "Not at all likely",
        "high": "Extremely likely",
        "promoter": "Wonderful! What do you like most?",
        "passive": "Thank you. What would make it a 10?",
        "detractor": "We are sorry to hear that. What went wrong?",
        **_ALWAYS,
    },
    "csat": {
        "question": "How satisfied are you with our service?",
        "low": "Very dissatisfied",
        "high": "Very satisfied",
        "satisfied": "Wonderful! What did you like most?",
        "neutral": "Thank you. What would have made it better?",
        "dissatisfied": "We are sorry to hear that. What went wrong?",
        **_ALWAYS,
    },
    "ces": {
        "question": "How far do you agree: it was easy to handle my issue?",
        "low": "Strongly disagree",
        "high": "Strongly agree",
        "easy": "Good to hear! What helped you most?",
        "neutral": "Thank you. What would have made it easier?",
        "difficult": "We are sorry to hear that. What made it hard?",
        **_ALWAYS,
    },
}
