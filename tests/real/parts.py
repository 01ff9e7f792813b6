"""Which real parts this machine has, and what to do about a missing one."""

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CHROMIUM = "/usr/bin/chromium"


def kafka_version() -> str:
    """Return the version of Kafka that the tests run; the pom is the one place that names it."""
    found = re.search(r"<kafka.version>(.+)</kafka.version>", (HERE / "kafka-pom.xml").read_text())
    if found is None:
        raise RuntimeError("kafka-pom.xml names no kafka.version")
    return found[1]


def kafka_libs() -> Path:
    """Return the directory of Kafka's jars, which install.sh fills."""
    cache = os.environ.get("KAFKA_CACHE") or HERE.parents[1] / ".cache"
    return Path(cache) / f"kafka-{kafka_version()}" / "libs"


def axe() -> Path:
    """Return the script of axe-core, which install.sh fetches; it is the one place that names the version."""
    found = re.search(r"^axe_version=(.+)$", (HERE / "install.sh").read_text(), re.MULTILINE)
    if found is None:
        raise RuntimeError("install.sh names no axe_version")
    return HERE.parents[1] / ".cache" / f"axe-core-{found[1]}" / "axe.min.js"


def _has(*programs: str) -> bool:
    return all(shutil.which(program) for program in programs)


@dataclass(frozen=True)
class Part:
    """A real part: how to see whether it is here, and what it consists of."""

    present: Callable[[], bool]
    what: str


PARTS = {
    "kafka": Part(
        lambda: _has("java") and kafka_libs().is_dir(),
        f"Java 17 or newer and Kafka {kafka_version()} from Maven Central (packages default-jre-headless, maven)",
    ),
    "redis": Part(lambda: _has("redis-server"), "redis-server (package redis-server)"),
    "prometheus": Part(lambda: _has("prometheus", "promtool"), "prometheus and promtool (package prometheus)"),
    "alertmanager": Part(
        lambda: _has("prometheus-alertmanager", "amtool"),
        "prometheus-alertmanager and amtool (package prometheus-alertmanager)",
    ),
    "chromium": Part(lambda: _has(CHROMIUM), f"{CHROMIUM} (package chromium)"),
    "axe": Part(lambda: axe().is_file(), "axe-core from npm (package npm)"),
    "docker-compose": Part(lambda: _has("docker-compose"), "docker-compose (package docker-compose)"),
}


def need(name: str) -> None:
    """Skip the test loudly where a real part is missing; under CI=true that is a failure."""
    part = PARTS[name]
    if part.present():
        return
    reason = f"REAL PART MISSING: {name}. Needed: {part.what}. To install it: tests/real/install.sh"
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
