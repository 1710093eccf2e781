"""The stand-in as a process of its own: `python -m digest.testing.sendgrid`."""

import argparse
import datetime as dt
import json
import signal
import sys
from pathlib import Path

from digest.testing.sendgrid.account import KEEPS
from digest.testing.sendgrid.clocks import RunningClock
from digest.testing.sendgrid.faults import Script, read_script
from digest.testing.sendgrid.standin import SendgridStandIn


def main() -> int:
    """Serve until the process is asked to stop; return its exit code, 2 where it cannot.

    The first line on stdout is a JSON object with `url`, `api_key` and `webhook_public_key`.
    """
    options = _options().parse_args()
    try:
        script = read_script(options.script.read_text("utf-8")) if options.script else Script()
    except (OSError, ValueError) as error:
        sys.stderr.write(f"The script cannot be used: {error}\n")
        return 2
    clock = RunningClock(speed=options.speed)
    standin = SendgridStandIn(
        checks=options.checks,
        keep=options.keep,
        now=clock,
        cancel_lead=dt.timedelta(minutes=options.cancel_lead),
        holds=options.holds,
        log_delay=dt.timedelta(seconds=options.log_delay),
        api_key=options.api_key,
        port=options.port,
    )
    standin.follow(script)
    ends = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # for its threads, too: one waits for them here
    try:
        with standin:
            _announce(standin)
            signal.sigwait(ends)
    except (OSError, OverflowError) as error:
        sys.stderr.write(f"The stand-in cannot serve: {error}\n")
        return 2
    return 0


def _announce(standin: SendgridStandIn) -> None:
    first = {
        "url": standin.url,
        "api_key": standin.api_key,
        "webhook_public_key": standin.webhook.public_key,
    }
    sys.stdout.write(json.dumps(first) + "\n")
    sys.stdout.flush()


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m digest.testing.sendgrid",
        description="A stand-in for SendGrid on loopback, which delivers to nobody.",
    )
    parser.add_argument("--port", type=int, default=0, help="where to listen; 0: any free port")
    parser.add_argument("--script", type=Path, help="a JSON file with the faults")
    parser.add_argument("--api-key", default="", help="the only key let in; made up by default")
    parser.add_argument("--keep", choices=KEEPS, default="mails", help="how much to remember")
    parser.add_argument(
        "--no-checks", dest="checks", action="store_false", help="take what the API would refuse"
    )
    parser.add_argument("--speed", type=float, default=1.0, help="how fast its clock runs")
    parser.add_argument(
        "--cancel-lead",
        type=float,
        default=10.0,
        help="minutes before a release in which a cancel has no effect",
    )
    parser.add_argument("--holds", type=int, default=10, help="batches held at a time")
    parser.add_argument(
        "--log-delay", type=float, default=0.0, help="seconds until a mail is logged"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
