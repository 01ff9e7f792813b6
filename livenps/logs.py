"""Log lines: for people on a terminal, JSON elsewhere."""

from __future__ import annotations

import logging
import os
import sys

import structlog

# aiokafka writes hundreds of lines a second while Kafka is away; ours say once which lane waits for what.
_QUIET = {
    "aiokafka": logging.CRITICAL,
    "faust": logging.ERROR,
    "mode": logging.ERROR,
    "uvicorn": logging.ERROR,
    "httpx": logging.ERROR,  # it would log survey links, which carry their token
    "redis": logging.ERROR,
}


def configure(level: str = "INFO") -> None:
    """Send everything to stderr; colours only on a terminal and without ``NO_COLOR``."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    for name, lowest in _QUIET.items():
        logging.getLogger(name).setLevel(lowest)
    terminal = sys.stderr.isatty()
    colors = terminal and not os.environ.get("NO_COLOR")
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S" if terminal else "iso", utc=not terminal),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(colors=colors) if terminal else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
