"""The program itself, as a user starts it: a process over a configuration file."""

import json
import os
import sys
import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx

from tests.real.ports import free_port
from tests.real.process import Process

ROOT = Path(__file__).parents[2]
SECRET = "a secret of the tests, of 32 characters"
VARIABLES = tuple(name for name in os.environ if name.startswith("LIVENPS_"))
NOTHING: Mapping[str, Any] = MappingProxyType({})


class Livenps(Process):
    """`livenps serve` over the default configuration, with what a test changes in it."""

    name = "livenps"

    def __init__(
        self,
        changes: Mapping[str, Any] = NOTHING,
        *,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] = NOTHING,
    ) -> None:
        super().__init__()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.config = self.directory / "livenps.toml"
        self.config.write_text(configuration(changes))
        self._arguments = arguments
        self._environment = {
            "LIVENPS_SECRET": SECRET,
            "PYTHONWARNINGS": "default",
            "PYTHONPATH": str(ROOT),  # this tree's program, whichever one is installed
            **environment,
        }

    def command(self) -> list[str]:
        return [
            "env",
            *(f"--unset={name}" for name in VARIABLES),
            *(f"{name}={value}" for name, value in self._environment.items()),
            *livenps("serve", "--config", str(self.config), "--port", str(self.port), *self._arguments),
        ]

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5, trust_env=False).is_success
        except httpx.TransportError:
            return False

    def signal(self, number: int) -> None:
        """Send a signal, without waiting for what it does."""
        self._running_child().send_signal(number)

    def exit_code(self) -> int:
        """Wait for the end of the program, and return its exit code."""
        assert self._child is not None
        return self._child.wait(self.patience)

    def lines(self) -> list[dict[str, Any]]:
        """The JSON lines of the log so far."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]


def livenps(*arguments: str) -> list[str]:
    """The command line of the program."""
    return [sys.executable, "-m", "livenps", *arguments]


def configuration(changes: Mapping[str, Any] = NOTHING) -> str:
    """The default configuration as TOML; tables of `changes` are merged into it, all else takes its place."""
    default = tomllib.loads(files("livenps").joinpath("default.toml").read_text())
    return "".join(f"{key} = {_toml(value)}\n" for key, value in merged(default, changes).items())


def merged(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Put tables into each other, all the way down; what is no table takes the place of what was there."""
    result = {**values, **changes}
    for key in values.keys() & changes.keys():
        if isinstance(values[key], dict) and isinstance(changes[key], Mapping):
            result[key] = merged(values[key], changes[key])
    return result


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)  # texts, numbers and booleans are written alike
