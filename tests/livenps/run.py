"""The command line as a user calls it."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.real.livenps import NOTHING, livenps


def run(
    *arguments: str, environment: Mapping[str, str] = NOTHING, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end. The environment has no LIVENPS_ variable but those given."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LIVENPS_")}
    clean |= {"COLUMNS": "120", **environment}
    return subprocess.run(
        livenps(*arguments), capture_output=True, text=True, check=False, timeout=60, env=clean, cwd=cwd
    )
