"""Telling editors by mail what becomes of an edition. No reader gets such a mail."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace

import structlog

from digest.errors import DigestError
from digest.model.deliveries import Accepted, Addressee, DeliveryReport, Handover, Mail
from digest.model.editions import Edition
from digest.model.notices import Notice, NoticeKind
from digest.normalising.addresses import parse_address
from digest.periods import send_at
from digest.ports import Transport
from digest.services.editors import EditorLinks
from digest.services.mails import list_id, public_url
from digest.services.outlook import moment, outlook, sentence, time_left
from digest.settings import Settings

AGAIN = (
    "Who has it does not get it twice. The schedule goes on with it by itself where it can; "
    "digest delivery status says how it stands."
)

log = structlog.get_logger(__name__)


class NoticeService:
    """Writes to the editors of one newsletter.

    Args:
        settings: The newsletter's, with its editors.
        render: Makes HTML and text of a notice about an edition.
        transport: Returns what hands mails over; asked for only when there is somebody to tell.
        links: Returns what makes the editors' links.
        ahead: Returns how long before its send time an edition begins to be handed over.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        render: Callable[[Edition, Notice], tuple[str, str]],
        transport: Callable[[], Transport],
        links: Callable[[], EditorLinks],
        ahead: Callable[[Edition], dt.timedelta],
    ) -> None:
        self._settings = settings
        self._render = render
        self._transport = transport
        self._links = links
        self._ahead = ahead

    def tell(
        self,
        kind: NoticeKind,
        edition: Edition,
        *,
        now: dt.datetime,
        reason: str = "",
        report: DeliveryReport | None = None,
    ) -> int:
        """Hand over a mail to each editor; what fails is logged, and raises nothing.

        Nothing is counted in the ledger, and nothing remembered: who calls twice tells twice.

        Args:
            kind: What they are told of.
            edition: As stored.
            now: Aware instant.
            reason: Why, in a sentence for people.
            report: The account of a send.

        Returns:
            How many mails the transport took.
        """
        editors = self._settings.editor
        if not editors:
            return 0
        try:
            notice = self._notice(kind, edition, now=now, reason=reason, report=report)
            transport, links = self._transport(), self._links()
            mails = [
                (editor, self._mail(edition, replace(notice, link=links.link(edition, editor))))
                for editor in editors
            ]
        except DigestError as error:
            _not_sent(kind, edition, error.message)
            return 0
        taken = 0
        for editor, mail in mails:
            readers = [Addressee(0, parse_address(editor.address), editor.name, "")]
            outcome = transport.submit(
                Handover(mail=mail, batch=0, attempt=1, readers=readers, is_test=True), now=now
            )
            if isinstance(outcome, Accepted):
                taken += 1
            else:
                _not_sent(kind, edition, getattr(outcome, "reason", "it gave no answer"))
        log.info("editors_told", kind=str(kind), edition=edition.period.label, mails=taken)
        return taken

    def _mail(self, edition: Edition, notice: Notice) -> Mail:
        html, text = self._render(edition, notice)
        letter = self._settings.newsletter
        return Mail(
            newsletter=letter.slug,
            edition=edition.period.label,
            sender=letter.sender,
            subject=notice.subject,
            html=html,
            text=text,
            public_url=public_url(letter),
            list_id=list_id(letter),
            is_notice=True,
        )

    def _notice(
        self,
        kind: NoticeKind,
        edition: Edition,
        *,
        now: dt.datetime,
        reason: str,
        report: DeliveryReport | None,
    ) -> Notice:
        label = edition.period.label
        due = outlook(edition, self._settings.schedule, now=now, ahead=self._ahead(edition))
        why = sentence(reason)
        match kind:
            case NoticeKind.DRAFTED:
                return self._drafted(edition, (why, due))
            case NoticeKind.WAITING:
                return self._waiting(edition, (why, due), now=now)
            case NoticeKind.HELD:
                return _notice(f"{label} is held", (why, due))
            case NoticeKind.SKIPPED:
                return _notice(f"{label} does not go out", (why,))
            case NoticeKind.LEAD_CHANGED:
                first = edition.stories[0].headline if edition.stories else ""
                lead = f"Now this stands first: {sentence(first)}" if first else ""
                lines = (why, lead, due)
                return _notice(f"{label} has another lead", lines, is_listing=True)
            case NoticeKind.SENT:
                return _sent(label, why, report)
            case NoticeKind.STOPPED:
                lines = (why, _account(report) if report else "", AGAIN)
                return _notice(f"Sending of {label} stopped", lines)

    def _drafted(self, edition: Edition, lines: tuple[str, ...]) -> Notice:
        label = edition.period.label
        count = len(edition.stories)
        at = moment(send_at(edition.period, self._settings.schedule), edition)
        waits = "waits for you" if self._settings.schedule.unattended == "hold" else "is drafted"
        what = f"It has {count} {'story' if count == 1 else 'stories'}, and its subject is:"
        notice = _notice(
            f"{label} is drafted", (f"{what} {sentence(edition.subject)}", *lines), is_listing=True
        )
        return replace(notice, subject=f"{label} {waits}: goes {at}")

    def _waiting(self, edition: Edition, lines: tuple[str, ...], *, now: dt.datetime) -> Notice:
        label = edition.period.label
        left = send_at(edition.period, self._settings.schedule) - now
        notice = _notice(f"Nobody has approved {label} yet", lines, is_listing=True)
        if left <= dt.timedelta():
            return notice
        return replace(notice, subject=f"{label} still waits for you: {time_left(left)} left")


def _notice(title: str, lines: tuple[str, ...], *, is_listing: bool = False) -> Notice:
    kept = tuple(line for line in lines if line)
    return Notice(subject=title, title=title, lines=kept, is_listing=is_listing)


def _sent(label: str, why: str, report: DeliveryReport | None) -> Notice:
    title = f"{label} went out"
    if report is None:
        return _notice(title, (why,))
    notice = _notice(title, (why, _account(report)))
    subject = f"{title} to {report.accepted:,} {_readers(report.accepted)}"
    if report.unknown:
        subject += f"; of {report.unknown:,} nobody knows"
    return replace(notice, subject=subject)


def _account(report: DeliveryReport) -> str:
    """Return the account of a send as one sentence: all that was planned, and what became of it."""
    parts = [
        (report.accepted, "accepted by the provider"),
        (sum(report.refused.values()), "refused"),
        (report.unknown, "unknown"),
        (sum(report.withdrawn.values()), "left since it was planned"),
        (report.abandoned, "given up"),
        (report.cancelled, "cancelled"),
        (report.pending, "not handed over yet"),
    ]
    always = {"accepted by the provider", "refused", "unknown"}
    told = ", ".join(f"{number:,} {what}" for number, what in parts if number or what in always)
    return f"Of {report.planned:,} {_readers(report.planned)}: {told}."


def _readers(number: int) -> str:
    return "reader" if number == 1 else "readers"


def _not_sent(kind: NoticeKind, edition: Edition, reason: str) -> None:
    log.error("notice_not_sent", kind=str(kind), edition=edition.period.label, reason=reason)
