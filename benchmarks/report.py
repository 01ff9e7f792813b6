"""Where every benchmark leaves what it has measured, with the machine and the time. It imports nothing heavy."""

from __future__ import annotations

import argparse
import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("results")


def write(name: str, found: dict[str, Any], directory: Path = RESULTS) -> Path:
    """Write what was measured as JSON, behind when and on which machine."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{name}.json"
    path.write_text(json.dumps(dated(found), indent=2) + "\n")
    return path


def dated(found: dict[str, Any]) -> dict[str, Any]:
    return {"at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine(), **found}


def machine() -> str:
    """What the numbers were measured on."""
    model = next(
        (text.partition(": ")[2] for text in _lines("/proc/cpuinfo") if text.startswith("model name")),
        platform.processor(),
    )
    memory = next((int(text.split()[1]) for text in _lines("/proc/meminfo") if text.startswith("MemTotal")), 0)
    return f"{os.cpu_count()} cores ({model.strip()}), {memory / 2**20:.0f} GB, Python {platform.python_version()}"


def positive(text: str) -> int:
    """A number on the command line."""
    number = int(text.replace("_", "").replace(",", ""))
    if number < 1:
        raise argparse.ArgumentTypeError("expected a number above 0")
    return number


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()
