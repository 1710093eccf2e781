"""Telling editors by mail what becomes of an edition. No reader gets such a mail."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import replace

from digest.model.deliveries import (
    Addressee,
    DeliveryReport,
    Handover,
    Mail,
    Outcome,
    Refused,
)
from digest.model.editions import Edition, EditionState
from digest.model.notices import Event, Notice, NoticeKind
from digest.normalising.addresses import parse_address
from digest.periods import send_at
from digest.ports import Transport
from digest.services.editors import EditorLinks
from digest.services.mails import list_id, public_url
from digest.services.outlook import ACTIONABLE, moment, outlook, sentence, standing, time_left
from digest.settings import Settings

AGAIN = (
    "Who has it does not get it twice. The schedule goes on with it by itself where it can; "
    "digest delivery status says how it stands."
)

STILL = (
    "Nothing is drafted and nothing goes out until somebody decides. What the provider has already "
    "may still go out.",
    "Look whether the next edition went out already: digest edition list. If it did, skip it: "
    "digest edition skip. Then, if all is as it should be, let the schedule go on: digest schedule "
    "accept",
)
LATE = dt.timedelta(minutes=15)
ENDED = frozenset({EditionState.DONE, EditionState.ATTENTION, EditionState.CANCELLED})


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

    def editors(self) -> Sequence[int]:
        """Return the editors' numbers, each once; see `KeyRing.editor_number`.

        Raises:
            ConfigError: The keys of the links cannot be used.
        """
        return self._links().numbers if self._settings.editor else ()

    def tell(
        self,
        event: Event,
        edition: Edition,
        number: int,
        *,
        now: dt.datetime,
        report: DeliveryReport | None = None,
    ) -> Outcome:
        """Hand over one mail to the editor with that number, and say what became of it.

        Nothing is counted in the ledger, and nothing remembered: who calls twice tells twice.

        Args:
            event: What they are told of.
            edition: As it is now; one that is not stored, where the event is about none.
            number: The editor's.
            now: Aware instant. What happened some time before says so.
            report: The account of a send, as it is now.

        Raises:
            ConfigError: The transport or the keys of the links cannot be used.
            RenderError: The template is broken.
        """
        links = self._links()
        editor = links.editor(number)
        if editor is None:
            return Refused(reason="There is no such editor now.")
        notice = self._notice(event, edition, now=now, report=report)
        mail = self._mail(edition, replace(notice, link=links.link(edition, editor)))
        readers = [Addressee(0, parse_address(editor.address), editor.name, "")]
        return self._transport().submit(
            Handover(mail=mail, batch=0, attempt=1, readers=readers, is_test=True), now=now
        )

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
        self, event: Event, edition: Edition, *, now: dt.datetime, report: DeliveryReport | None
    ) -> Notice:
        late = ""
        if now - event.at >= LATE:
            late = f"This mail comes late: what it tells happened {moment(event.at, edition)}."
        why = sentence(event.reason)
        if event.kind is NoticeKind.STANDS_STILL:
            title = f"The schedule of {self._settings.newsletter.name} stands still"
            return _notice(title, (late, why, *STILL))
        due = outlook(edition, self._settings.schedule, now=now, ahead=self._ahead(edition))
        match event.kind:
            case NoticeKind.DRAFTED:
                return self._drafted(edition, (late, why, due))
            case NoticeKind.WAITING:
                return self._waiting(edition, (late, why, due), now=now)
            case _:
                return _happened(event.kind, edition, (late, why), due, report)

    def _drafted(self, edition: Edition, lines: tuple[str, ...]) -> Notice:
        label = edition.period.label
        count = len(edition.stories)
        at = moment(send_at(edition.period, self._settings.schedule), edition)
        is_theirs = self._settings.schedule.unattended == "hold"
        is_waiting = is_theirs and edition.state is not EditionState.APPROVED
        what = f"It has {count} {'story' if count == 1 else 'stories'}, and its subject is:"
        notice = _notice(
            f"{label} is drafted", (f"{what} {sentence(edition.subject)}", *lines), is_listing=True
        )
        waits = "waits for you" if is_waiting else "is drafted"
        return replace(notice, subject=f"{label} {waits}: goes {at}")

    def _waiting(self, edition: Edition, lines: tuple[str, ...], *, now: dt.datetime) -> Notice:
        label = edition.period.label
        left = send_at(edition.period, self._settings.schedule) - now
        notice = _notice(f"Nobody has approved {label} yet", lines, is_listing=True)
        return replace(notice, subject=f"{label} still waits for you: {time_left(left)} left")


def _happened(
    kind: NoticeKind,
    edition: Edition,
    lines: tuple[str, ...],
    due: str,
    report: DeliveryReport | None,
) -> Notice:
    """Return the notice of what became of an edition, true also if more has become of it since."""
    label, now = edition.period.label, standing(edition)
    match kind:
        case NoticeKind.HELD if edition.state is EditionState.HELD:
            return _notice(f"{label} is held", (*lines, due))
        case NoticeKind.HELD:
            return _notice(f"{label} was held", (*lines, now, due))
        case NoticeKind.SKIPPED if edition.state is EditionState.SKIPPED:
            return _notice(f"{label} does not go out", lines)
        case NoticeKind.SKIPPED:
            return _notice(f"{label} was skipped", (*lines, now, due))
        case NoticeKind.LEAD_CHANGED:
            first = edition.stories[0].headline if edition.stories else ""
            lead = f"Now this stands first: {sentence(first)}" if first else ""
            since = "" if edition.state in ACTIONABLE else now
            return _notice(f"{label} has another lead", (*lines, lead, since, due), is_listing=True)
        case NoticeKind.STOPPED:
            account = _account(report) if report else ""
            rest = (now, account) if edition.state in ENDED else (account, AGAIN)
            return _notice(f"Sending of {label} stopped", (*lines, *rest))
        case _:
            return _sent(label, lines, report)


def _notice(title: str, lines: tuple[str, ...], *, is_listing: bool = False) -> Notice:
    kept = tuple(line for line in lines if line)
    return Notice(subject=title, title=title, lines=kept, is_listing=is_listing)


def _sent(label: str, lines: tuple[str, ...], report: DeliveryReport | None) -> Notice:
    title = f"{label} went out"
    if report is None:
        return _notice(title, lines)
    notice = _notice(title, (*lines, _account(report)))
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
