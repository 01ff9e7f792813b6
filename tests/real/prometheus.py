"""A real Prometheus with a configuration of the test's choice."""

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Self

import httpx

from tests.real.ports import free_port
from tests.real.process import Process


class Prometheus(Process):
    """A server over a configuration text and the rule files it names (relative paths)."""

    name = "prometheus"

    def __init__(self, config: str, files: Mapping[str, str] = MappingProxyType({})) -> None:
        super().__init__()
        self.address = f"127.0.0.1:{free_port()}"
        self.url = f"http://{self.address}"
        for name, text in {"prometheus.yml": config, **files}.items():
            (self.directory / name).write_text(text)

    @classmethod
    def scraping(
        cls, targets: Sequence[str], *, rules: str = "groups: []", alertmanager: str = "", every: str = "200ms"
    ) -> Self:
        """Scrape host:port targets at short intervals, and send what the rules find to an Alertmanager."""
        alertmanagers = [{"static_configs": [{"targets": [alertmanager]}]}] if alertmanager else []
        config = {
            "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
            "scrape_configs": [{"job_name": "livenps", "static_configs": [{"targets": list(targets)}]}],
            "rule_files": ["rules.yml"],
            "alerting": {"alertmanagers": alertmanagers},
        }
        return cls(json.dumps(config), {"rules.yml": rules})  # JSON is YAML

    def command(self) -> list[str]:
        return [
            "prometheus",
            f"--config.file={self.directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.directory / 'data'}",
            f"--web.listen-address={self.address}",
            "--log.level=warn",
        ]

    def answers(self) -> bool:
        return is_ready(self.url)

    async def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the samples of an instant query, each with `metric` (labels) and `value` (time, text)."""
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"{self.url}/api/v1/query", params={"query": expression})
        body = answer.json()
        if body["status"] != "success":
            raise ValueError(f"{expression}: {body['error']}")
        result: list[dict[str, Any]] = body["data"]["result"]
        return result


def is_ready(url: str) -> bool:
    """Ask a server of the Prometheus family whether it serves."""
    try:
        return httpx.get(f"{url}/-/ready", timeout=1, trust_env=False).is_success
    except httpx.TransportError:
        return False
