"""digest itself: planned, then handed over by its own service and transport.

`python -m bench.sending.product FOLDER READERS LABEL IN_FLIGHT HOLD`.
"""

import datetime as dt
import sys
import threading
import time
from pathlib import Path

import msgspec

from bench.sending.figures import measured
from bench.sending.scene import mail_parts
from digest.app import App
from digest.cli.logs import start_logging
from digest.clocks import SystemClock
from digest.model.editions import WHOLE, Edition, EditionState, FrozenVariant, Variant
from digest.project import load
from digest.services.sending import SendingService
from digest.settings import DeliverySettings
from digest.testing.factories import NOON, make_edition, make_period

HOLD = dt.timedelta(minutes=20)
HASH = "0" * 64


def main() -> None:
    """Plan an edition of its own, and hand it over."""
    folder, readers, label = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    in_flight, is_held = int(sys.argv[4]), sys.argv[5] == "hold"
    start_logging(0)
    project = load(folder, {"DIGEST_SENDGRID__API_KEY": "SG.none"})
    with App(project, SystemClock()) as app:
        service = _service(app, in_flight)
        edition = _approved(app, label)
        release_at = app.clock.now() + HOLD if is_held else None
        began = time.perf_counter()
        audience = service.plan(edition, release_at=release_at)
        planning = time.perf_counter() - began
        assert audience.planned == readers
        stop = threading.Event()
        with measured(readers, planning=planning):
            stopped = service.run(
                _stored(app, label), stop=stop, wait=stop.wait, progress=lambda _readers: None
            )
        assert stopped is None


def _service(app: App, in_flight: int) -> SendingService:
    rules = msgspec.structs.replace(app.project.settings.delivery, in_flight=in_flight)
    assert isinstance(rules, DeliverySettings)
    return SendingService(
        app.store,
        app.ledger,
        app.transport,
        app.tokens,
        app.clock,
        msgspec.structs.replace(app.project.settings, delivery=rules),
        frozen=lambda edition: app.store.variants(edition.id or 0),
    )


def _approved(app: App, label: str) -> Edition:
    """Store an approved edition whose mail is as large as a real one."""
    html, text = mail_parts()
    variant = Variant(subject="S", preheader="", html=html, text=text, tokens={}, sha256=HASH)
    weeks = dt.timedelta(weeks=int(label[-2:]))  # no two editions have one period
    period = make_period(label=label, start=NOON - weeks, end=NOON - weeks + dt.timedelta(days=7))
    draft = make_edition(0, period=period, state=EditionState.APPROVED, sha256=HASH)
    return app.store.freeze(draft, [FrozenVariant(key=WHOLE, variant=variant)])


def _stored(app: App, label: str) -> Edition:
    found = app.store.edition(app.project.settings.newsletter.slug, label)
    assert found is not None
    return found


if __name__ == "__main__":
    main()
