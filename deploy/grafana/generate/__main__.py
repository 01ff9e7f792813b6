"""Write the dashboards that Grafana is provisioned with: ``make dashboards``."""

from __future__ import annotations

import json
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.grafana.generate import funnel, overview, pipeline, segments

FOLDER = Path(__file__).parents[1] / "dashboards"
DASHBOARDS = (overview.dashboard, segments.dashboard, funnel.dashboard, pipeline.dashboard)


def files() -> dict[str, str]:
    """The text of each file by its name."""
    built = [dashboard() for dashboard in DASHBOARDS]
    return {f"{one.uid}.json": json.dumps(one, cls=JSONEncoder, indent=2) + "\n" for one in built}


if __name__ == "__main__":
    for name, text in files().items():
        (FOLDER / name).write_text(text)
