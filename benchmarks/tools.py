"""What the chosen peers need of this machine before anything is measured, and how to get it."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping

from tests.real.parts import kafka_libs, kafka_version

PACKAGES = {  # Debian's names
    "java": "default-jre-headless",
    "javac": "default-jdk-headless",
    "mvn": "maven",
    "redis-server": "redis-server",
}
BROKER = ("java",)  # the harness's own Kafka


def advice(needed: Mapping[str, Iterable[str]]) -> str:
    """What peers lack of the tools they need, and the command that installs it; empty where nothing lacks."""
    lacking = {who: [tool for tool in tools if not shutil.which(tool)] for who, tools in needed.items()}
    lines = [f"{who} needs what is not on the PATH: {', '.join(tools)}" for who, tools in lacking.items() if tools]
    packages = sorted({PACKAGES[tool] for tools in lacking.values() for tool in tools})
    if packages:
        lines.append(f"To install it: apt-get install {' '.join(packages)}")
    if not kafka_libs().is_dir():
        lines.append(
            f"Kafka {kafka_version()} is not in {kafka_libs()}: tests/real/install.sh fetches it, by Maven"
        )
    return "\n".join(lines)
