"""The Faust app: the application's shell. Built on demand, never at import.

It starts, stops and crashes the program's services; it reads no topic. An agent acknowledges what it has not
finished where several records are in flight, and all of an app's agents wait where the buffer of one is full.
"""

from __future__ import annotations

import faust


def create(bootstrap: str, name: str) -> faust.App:
    """An app without agents."""
    app = faust.App(
        name,
        broker=[f"kafka://{address.strip()}" for address in bootstrap.split(",")],
        store="memory://",
        autodiscover=False,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        worker_redirect_stdouts=False,
    )
    app.boot_strategy = app.BootStrategy(app, enable_kafka=False)
    return app
