"""A real Alertmanager with a configuration of the test's choice."""

from tests.real.ports import free_port
from tests.real.process import Process
from tests.real.prometheus import is_ready


class Alertmanager(Process):
    """One server over a configuration text, without clustering."""

    name = "alertmanager"

    def __init__(self, config: str) -> None:
        super().__init__()
        self.address = f"127.0.0.1:{free_port()}"
        self.url = f"http://{self.address}"
        (self.directory / "alertmanager.yml").write_text(config)

    def command(self) -> list[str]:
        return [
            "prometheus-alertmanager",
            f"--config.file={self.directory / 'alertmanager.yml'}",
            f"--storage.path={self.directory / 'data'}",
            f"--web.listen-address={self.address}",
            "--cluster.listen-address=",
            "--log.level=warn",
        ]

    def answers(self) -> bool:
        return is_ready(self.url)
