"""Logging: quiet by default, on stderr, one line an event; never an address, a token or a body."""

import logging
import sys

import structlog


def start_logging(verbose: int) -> None:
    """Send events to stderr: warnings only, with -v the story of the run, with -vv everything."""
    level = {0: logging.WARNING, 1: logging.INFO}.get(verbose, logging.DEBUG)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    # These libraries would log addresses and headers.
    for name in ("urllib3", "python_http_client", "CSSUTILS"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
