"""The ledger: batches, their attempts, and what became of each.

Every change of a batch is one conditional UPDATE whose row count is checked, so that any number of
senders, reapers and people may try it at once and one of them does it.
"""

import datetime as dt
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import sqlalchemy as sa

from digest.errors import Conflict
from digest.model.deliveries import (
    Attempt,
    AttemptOutcome,
    Audience,
    Batch,
    BatchState,
    Claim,
    DeliveryReport,
    Outcome,
    Refused,
    Waves,
)
from digest.model.editions import Edition, EditionState
from digest.storage import accounts, rows, statements
from digest.storage.audit import Audit
from digest.storage.batchwork import (
    change_edition,
    close_attempt,
    consequence,
    finish_edition,
    first_readers_of,
    insert_part,
    move,
    numbers_of,
    open_attempt,
    readers_of,
)
from digest.storage.database import Database
from digest.storage.delivery_tables import attempts, batches
from digest.storage.planning import count_audience, write_plan, zones_of
from digest.storage.slots import keep_slot, take_slot
from digest.storage.tables import editions

# An answer that comes after the lease is still an answer, unless the try was settled meanwhile.
UNSETTLED = frozenset({BatchState.CLAIMED, BatchState.UNKNOWN})
MARK_BYTES = 9


class SqlLedger:
    """See `digest.ports.Ledger` for the promises of each method."""

    def __init__(self, database: Database, audit: Audit | None = None) -> None:
        self._database, self._audit = database, audit
        self._reading, self._writing = database.reading, database.writing

    # Planning

    def audience(self, edition: Edition, *, is_monthly: bool) -> Audience:
        """Count who would get the edition if it were planned now."""
        with self._reading() as connection:
            return count_audience(connection, edition, is_monthly=is_monthly)

    def plan(
        self,
        edition: Edition,
        *,
        is_monthly: bool,
        size: int,
        release_at: dt.datetime | None,
        waves: Waves | None = None,
        confirm: Callable[[Audience], None] | None = None,
    ) -> Audience:
        """Write deliveries, exclusions and batches; make the approved edition planned."""
        planned = replace(edition, state=EditionState.PLANNED, release_at=release_at)
        values = rows.edition_values(planned) | {"revision": edition.revision + 1}
        with self._writing() as connection:
            changed = connection.execute(
                sa.update(editions)
                .where(
                    editions.c.id == edition.id,
                    editions.c.revision == edition.revision,
                    editions.c.state == str(EditionState.APPROVED),
                )
                .values(**values)
            ).rowcount
            if changed != 1:
                raise Conflict(
                    f"Edition {edition.period.label} was changed or planned by somebody else "
                    "meanwhile; this run planned nothing.",
                    hint="Look at it: digest delivery status",
                )
            audience = write_plan(
                self._database, connection, edition, is_monthly=is_monthly, size=size, waves=waves
            )
            if confirm is not None:
                confirm(audience)
            if self._audit is not None:
                told = f"{audience.planned} of {audience.candidates} readers"
                self._audit.record(
                    connection, edition.newsletter, edition.period.label, "planned", [told]
                )
            return audience

    def zones(self, newsletter: str) -> list[str]:
        """Return the time zones of the readers who have not left, "" for the newsletter's own."""
        with self._reading() as connection:
            return zones_of(connection, newsletter)

    def change_state(self, edition_id: int, states: Iterable[str], to: str) -> bool:
        """Bring the edition from one of `states` to `to`."""
        with self._writing() as connection:
            changed = change_edition(connection, edition_id, states, to)
            if changed and self._audit is not None:
                self._audit.record_state(connection, edition_id)
            return changed

    def finish(self, edition_id: int) -> bool:
        """Bring an edition whose batches are all settled to done, or to attention.

        One that had ended, and of which a batch is planned again, becomes paused.
        """
        with self._writing() as connection:
            changed = finish_edition(connection, edition_id)
            if changed and self._audit is not None:
                self._audit.record_state(connection, edition_id)
            return changed

    def state(self, edition_id: int) -> str:
        """Return where the edition stands."""
        with self._reading() as connection:
            query = sa.select(editions.c.state).where(editions.c.id == edition_id)
            return str(connection.execute(query).scalar_one())

    # Claiming

    def claim(
        self,
        edition_id: int,
        *,
        holder: str,
        reservation: str,
        release_at: dt.datetime | None,
        now: dt.datetime,
        lease: dt.timedelta,
    ) -> Claim | None:
        """Claim the next planned batch of a sending edition and open its attempt, durably."""
        with self._writing() as connection:
            chosen = {"edition": edition_id, "now": now}
            row = connection.execute(statements.next_batch(), chosen).one_or_none()
            if row is None:
                return None
            readers, withdrawn = readers_of(connection, row)
            if release_at is not None and row.wave_at is not None:
                release_at = max(release_at, row.wave_at)
            claim = Claim(
                batch_id=row.id,
                attempt=row.attempt + 1,
                variant=row.variant,
                lease_until_at=now + lease,
                readers=readers,
                reservation=reservation,
                release_at=release_at,
                mark=secrets.token_urlsafe(MARK_BYTES),
            )
            state = BatchState.CLAIMED if readers else BatchState.ACCEPTED
            moved = move(
                connection,
                row.id,
                {BatchState.PLANNED},
                row.attempt,
                state=state,
                attempt=claim.attempt,
                holder=holder,
                lease_until_at=claim.lease_until_at,
            )
            if not moved:
                return None
            open_attempt(connection, claim, withdrawn=withdrawn, now=now)
            return claim

    def record(self, claim: Claim, outcome: Outcome, *, now: dt.datetime) -> bool:
        """Close the attempt with its outcome and move the batch accordingly."""
        state, closed, not_before = consequence(outcome)
        with self._writing() as connection:
            moved = move(
                connection,
                claim.batch_id,
                UNSETTLED,
                claim.attempt,
                state=state,
                not_before_at=not_before,
            )
            if moved:
                close_attempt(
                    connection,
                    claim.batch_id,
                    claim.attempt,
                    outcome=closed,
                    status=getattr(outcome, "status", None),
                    reference=getattr(outcome, "reference", ""),
                    reason=getattr(outcome, "reason", ""),
                    body_sha256=getattr(outcome, "body_sha256", ""),
                    finished_at=now,
                )
            return moved

    def split(self, claim: Claim, outcome: Refused, *, now: dt.datetime) -> bool:
        """Replace a refused batch of two or more readers by two planned halves."""
        with self._writing() as connection:
            row = connection.execute(sa.select(batches).where(batches.c.id == claim.batch_id)).one()
            ids = numbers_of(connection, row)
            if len(ids) < 2 or not move(
                connection,
                claim.batch_id,
                UNSETTLED,
                claim.attempt,
                state=BatchState.SPLIT,
            ):
                return False
            close_attempt(
                connection,
                claim.batch_id,
                claim.attempt,
                outcome=AttemptOutcome.REFUSED,
                status=outcome.status,
                reason=outcome.reason,
                finished_at=now,
            )
            middle = len(ids) // 2
            for half in (ids[:middle], ids[middle:]):
                insert_part(connection, row, half)
            return True

    # Settling

    def reap(self, edition_id: int, *, now: dt.datetime, is_alone: bool, holder: str = "") -> int:
        """Make claims unknown whose holder is gone: lease over, or any claim if `is_alone`."""
        gone = [
            batches.c.edition_id == edition_id,
            batches.c.state == str(BatchState.CLAIMED),
            batches.c.holder != holder,
        ]
        if not is_alone:
            gone.append(batches.c.lease_until_at < now)
        with self._writing() as connection:
            found = connection.execute(
                sa.update(batches)
                .where(*gone)
                .values(state=str(BatchState.UNKNOWN))
                .returning(batches.c.id, batches.c.attempt)
            ).all()
            for row in found:
                close_attempt(
                    connection,
                    row.id,
                    row.attempt,
                    outcome=AttemptOutcome.UNKNOWN,
                    reason="its run ended before an answer was recorded",
                    finished_at=now,
                )
            return len(found)

    def unknown(self, edition_id: int) -> list[tuple[Batch, Attempt]]:
        """Return the unknown batches with their last attempt, in order."""
        with self._reading() as connection:
            return accounts.unknown(connection, edition_id)

    def readers_of(self, batch_id: int, *, limit: int) -> list[tuple[int, str, str]]:
        """Return some of the batch's readers as a claim would."""
        with self._reading() as connection:
            row = connection.execute(sa.select(batches).where(batches.c.id == batch_id)).one()
            return first_readers_of(connection, row, limit)

    def settle(
        self, batch_id: int, attempt: int, outcome: str, *, by: str, note: str, now: dt.datetime
    ) -> bool:
        """Settle an unknown batch: outcome accepted, fenced (back to planned) or abandoned."""
        closed = AttemptOutcome(outcome)
        to = {
            AttemptOutcome.ACCEPTED: BatchState.ACCEPTED,
            AttemptOutcome.FENCED: BatchState.PLANNED,
            AttemptOutcome.ABANDONED: BatchState.ABANDONED,
            AttemptOutcome.RESENT: BatchState.PLANNED,
        }[closed]
        with self._writing() as connection:
            # A try that was certainly cancelled may have been answered late, with a yes.
            late = {BatchState.ACCEPTED} if closed is AttemptOutcome.FENCED else set()
            moved = move(connection, batch_id, {BatchState.UNKNOWN} | late, attempt, state=to)
            if moved:
                values = {"outcome": closed, "settled_by": by, "finished_at": now}
                if note:
                    values["reason"] = note
                close_attempt(connection, batch_id, attempt, **values)
            return moved

    def held_slots(self, *, now: dt.datetime) -> int:
        """Return how many cancelled hand-overs the provider still holds until their release."""
        query = sa.select(sa.func.count()).where(
            attempts.c.outcome == str(AttemptOutcome.FENCED),
            attempts.c.reservation != "",
            attempts.c.release_at > now,
        )
        with self._reading() as connection:
            return int(connection.execute(query).scalar_one())

    def next_wait(self, edition_id: int) -> dt.datetime | None:
        """Return when the earliest planned batch may be claimed, or the first lease ends."""
        with self._reading() as connection:
            query = statements.next_wait()
            found: dt.datetime | None = connection.execute(query, {"edition": edition_id}).scalar()
            return found

    def cancel(self, edition_id: int, *, now: dt.datetime) -> tuple[int, list[Attempt]]:
        """Cancel the planned batches; return their readers, and the attempts still to recall."""
        is_planned = batches.c.state == str(BatchState.PLANNED)
        with self._writing() as connection:
            cancelled = connection.execute(
                sa.update(batches)
                .where(batches.c.edition_id == edition_id, is_planned)
                .values(state=str(BatchState.CANCELLED))
                .returning(batches.c.readers)
            ).scalars()
            readers = sum(cancelled)
            return readers, accounts.held(connection, edition_id, now)

    def recall(self, attempt: Attempt, *, now: dt.datetime) -> bool:
        """Record that an accepted hand-over was cancelled at the provider before its release."""
        accepted = {BatchState.ACCEPTED}
        with self._writing() as connection:
            moved = move(
                connection, attempt.batch_id, accepted, attempt.number, state=BatchState.CANCELLED
            )
            if moved:
                close_attempt(
                    connection,
                    attempt.batch_id,
                    attempt.number,
                    outcome=AttemptOutcome.FENCED,
                    settled_by="cancel",
                    finished_at=now,
                )
            return moved

    def accepted_variants(self, edition_id: int) -> set[str]:
        """Return the keys of the edition's variants of which a batch was accepted."""
        query = sa.select(batches.c.variant).where(
            batches.c.edition_id == edition_id, batches.c.state == str(BatchState.ACCEPTED)
        )
        with self._reading() as connection:
            return set(connection.execute(query.distinct()).scalars())

    def may_have_reached(self, edition_id: int) -> bool:
        """Tell whether any reader may have the edition, or get it, by one try or another."""
        with self._reading() as connection:
            return accounts.may_have_reached(connection, edition_id)

    # Accounts

    def report(self, edition: Edition) -> DeliveryReport:
        """Return the edition's account."""
        with self._reading() as connection:
            return accounts.report(connection, edition)

    def event_counts(self, edition_id: int) -> Mapping[str, int]:
        """Return how many deliveries stand where, by what the provider reported."""
        with self._reading() as connection:
            return accounts.event_counts(connection, edition_id)

    def take_slot(self, readers: int, *, rate: float, now: dt.datetime) -> dt.datetime:
        """Book the next free slot of the shared rate limit; return when it begins."""
        with self._writing() as connection:
            return take_slot(self._database, connection, readers, rate=rate, now=now)

    def delay_slot(self, until: dt.datetime) -> None:
        """Let nobody hand over before `until`: the provider asked everybody to wait."""
        with self._writing() as connection:
            keep_slot(self._database, connection, until)

    def handed_over_since(self, since: dt.datetime) -> int:
        """Return how many readers were handed over from `since` on, in all editions."""
        outcomes = (AttemptOutcome.ACCEPTED, AttemptOutcome.OPEN, AttemptOutcome.UNKNOWN)
        query = sa.select(sa.func.coalesce(sa.func.sum(attempts.c.readers), 0)).where(
            attempts.c.outcome.in_([str(outcome) for outcome in outcomes]),
            attempts.c.finished_at.is_(None) | (attempts.c.finished_at >= since),
        )
        with self._reading() as connection:
            return int(connection.execute(query).scalar_one())
