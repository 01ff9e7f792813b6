"""GET /v1/scores: its exact shape, its filters, and what it says where there is nothing."""

from datetime import UTC, datetime

import pytest

from scoring.intervals import adjusted_wald
from tests.web.api import GROUPS, Api

NOTHING = {"nps": None, "lower": None, "upper": None, "promoters": 0, "passives": 0, "detractors": 0, "n": 0}
WINDOWS = ("1h", "24h", "7d", "30d", "90d", "all")
DIMENSIONS = ("plan", "region", "age", "plan x region")
