"""`livenps check-config`: tells file, key, what was expected and what stands there, with exit code 2."""

import json
from pathlib import Path

import pytest

from tests.livenps.run import run


def test_the_default_is_fine() -> None:
    done = run("check-config")
    assert done.returncode == 0
    assert done.stdout == (
        "the default configuration is fine.\n"
        "  survey post-purchase: Order Delivered, by log\n"
        "  survey relationship: no trigger, by log\n"
        "  survey support: Ticket Solved, by log\n"
        "  windows: 1h, 24h, 7d, 30d, 90d, all\n"
        "  dimensions: plan, region, age, plan x region\n"
    )


def test_a_survey_on_a_schedule_is_not_told_as_one_that_nothing_triggers(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('surveys = [{id = "nps", every = "90d", starts = 2026-12-01}]\n')
    assert "  survey nps: every 90d from 2026-12-01 on, by log\n" in run("check-config", str(file)).stdout


def test_as_json(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('surveys = [{id = "nps", trigger = "Paid"}]\nwindows = {24h = "1h", 1h = "1m"}\n')
    done = run("check-config", str(file), "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {
        "surveys": {"nps": {"trigger": "Paid", "channels": ["log"]}},
        "windows": ["1h", "24h"],
        "dimensions": [],
        "warnings": [],
    }


def test_a_warning_does_not_refuse(tmp_path: Path) -> None:
    question = '[[surveys.questions]]\nid = "q{}"\nkind = "text"\ntext = "?"\n'
    file = tmp_path / "mine.toml"
    file.write_text('[[surveys]]\nid = "nps"\n' + "".join(question.format(n) for n in range(4)))
    done = run("check-config", str(file))
    assert done.returncode == 0
    assert "  warning: surveys[0].questions: nps asks up to 6 questions (promoter); after 5" in done.stdout


@pytest.mark.parametrize("command", [["check-config"], ["check-config", "--config"], ["serve", "--config"]])
def test_an_error_says_where_and_what_and_starts_nothing(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "mine.toml").write_text('[kafka]\npartitions = "four"\n')
    done = run(*command, "mine.toml", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "livenps: mine.toml: kafka.partitions: expected a whole number, found 'four'\n"


def test_an_error_of_the_environment_names_the_variable() -> None:
    done = run("check-config", environment={"LIVENPS_SECRET": "short"})
    assert done.returncode == 2
    assert done.stderr == "livenps: LIVENPS_SECRET: expected a text of length >= 32\n"
