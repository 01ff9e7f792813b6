"""What a soak tells at its end."""

import pytest

from tests.faults.soak import Report, text


@pytest.mark.parametrize(
    ("differences", "interrupted", "verdict"),
    [([], False, "PASSED"), ([], True, "INTERRUPTED"), (["1h: 3\nnot 4"], True, "FAILED")],
)
def test_a_report_begins_with_its_verdict(differences: list[str], interrupted: bool, verdict: str) -> None:
    report = Report(7, 1.2, 21_700, 1, {"redis full": 2}, differences, interrupted=interrupted)
    report.redis_mb = {"start": 1.5, "most": 1_024.0, "end": 3.0}
    lines = text(report).splitlines()
    count = len(differences)
    assert lines[0] == f"{verdict}: 21,700 records in 1.2 min with seed 7; comparisons: 1, differences: {count}"
    assert ("  not 4" in lines) == bool(differences)
    assert "    2  redis full" in lines
    assert "MB in Redis: 1.5 at the start, 1,024.0 at the most, 3.0 at the end" in lines
