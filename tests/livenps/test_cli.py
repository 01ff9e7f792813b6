"""The command line as a whole: help, exit codes, and messages instead of tracebacks."""

import re
import subprocess

import pytest

from livenps.cli import main
from tests.livenps.run import run
from tests.real.livenps import livenps

COMMANDS = [
    "demo",
    "serve",
    "import",
    "score",
    "weighted",
    "verify",
    "rebuild",
    "resume",
    "baseline",
    "report",
    "ask",
    "explain",
    "replay",
    "dead-letters",
    "topics",
    "schema",
    "check-config",
]
RED = "31m"


def test_help_lists_every_command() -> None:
    done = run("--help")
    assert done.returncode == 0
    listed = re.findall(r"^    (\S+)", done.stdout, re.MULTILINE)
    assert [name for name in listed if name != "COMMAND"] == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: livenps {command} ")
    assert "-h, --help" in shown


def test_the_version() -> None:
    done = run("--version")
    assert done.returncode == 0
    assert re.fullmatch(r"livenps \d+\.\d+\.\d+\n", done.stdout)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["fly"], "invalid choice: 'fly'"),
        (["serve", "--port", "70000"], "expected a port from 0 to 65535"),
        (["serve", "--port", "http"], "invalid port value: 'http'"),
        (["serve", "--role", "collect,cook"], "expected some of collect, decide, deliver, score, project, export"),
        (["demo", "--for", "0"], "expected a number of seconds above 0"),
        (["topics", "delete"], "invalid choice: 'delete'"),
        (["schema", "nothing"], "invalid choice: 'nothing'"),
        (["dead-letters"], "the following arguments are required: ACTION"),
        (["dead-letters", "list", "--limit", "0"], "expected a number above 0"),
        (["dead-letters", "list", "--limit", "all"], "invalid count value: 'all'"),
        (["dead-letters", "list", "--since", "yesterday"], 'Expected a duration such as "90s"'),
        (["dead-letters", "list", "--topic", "mails"], "invalid choice: 'mails'"),
        (["dead-letters", "show"], "the following arguments are required: ID"),
    ],
)
def test_a_wrong_call_is_exit_code_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_colours_where_they_are_wanted_only() -> None:
    terminal = {"FORCE_COLOR": "1", "TERM": "xterm"}
    wrong = ["check-config", "missing[red].toml"]
    assert RED in run(*wrong, environment=terminal).stderr
    assert RED not in run(*wrong, environment={**terminal, "NO_COLOR": "1"}).stderr
    assert run(*wrong).stderr == "livenps: missing[red].toml: cannot be read: No such file or directory\n"


def test_a_closed_pipe_is_no_error() -> None:
    with subprocess.Popen(livenps("schema"), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
