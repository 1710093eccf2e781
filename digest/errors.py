"""The errors of `digest`, sorted by the question "what now?".

DigestError
├── ConfigError            correct the settings or the project
├── UsageError             correct the command
├── NothingToSend          wait, or widen the edition's rules
├── ChecksFailed           mend the edition or the templates
├── NotApproved            approve the edition, or confirm the number of readers
├── TransportError         the provider
├── HeldElsewhere          let the other run finish
├── TooMany                wait
├── LinkEnded              ask for a new link
├── SourceError            one source failed; the others go on
│   ├── SourceUnavailable  it may answer later
│   │   └── SourceMissing  there is no such page, at least for now
│   ├── SourceGone         it says that it is gone for ever
│   ├── SourceRefused      it is not allowed, too large, too slow or too hostile
│   └── SourceMalformed    it answers, but not with a feed
├── RenderError            correct the template named
└── StoreError             the database
    ├── NotFound
    ├── Conflict           somebody saved a newer revision
    └── SchemaMismatch     upgrade the database or the program

Each error's text says what happened and what is unharmed; `hint` says what to do next.
"""

import datetime as dt


class DigestError(Exception):
    """Base of all errors that a person can act on."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(DigestError):
    """The settings or the project are wrong; nothing was done."""


class UsageError(DigestError):
    """The command asks for something that does not exist; nothing was done."""


class NothingToSend(DigestError):
    """There is no edition, or it has too few stories."""


class ChecksFailed(DigestError):
    """The mail has an error that readers would see."""


class NotApproved(DigestError):
    """The edition is not approved, or whoever sends it did not confirm the number of readers."""


class TransportError(DigestError):
    """The provider refuses or does not answer; what is not handed over stays planned.

    `needs_person` says that trying again changes nothing: a key or a setting is wrong. `retry_at`
    is the aware UTC instant that the provider asks to wait for, if it named one.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        needs_person: bool = False,
        retry_at: dt.datetime | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.needs_person = needs_person
        self.retry_at = retry_at


class HeldElsewhere(DigestError):
    """Another run of `digest` is doing this right now."""


class TooMany(DigestError):
    """Somebody asked too often; nothing was done. `until` is when they may ask again, aware UTC."""

    def __init__(self, message: str, *, hint: str = "", until: dt.datetime | None = None) -> None:
        super().__init__(message, hint=hint)
        self.until = until


class LinkEnded(DigestError):
    """A link that was good once is not any more; nothing was done.

    `at` is when it ended, aware UTC, and None where nobody knows any more. `is_used` says that it
    ended because somebody used it.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        at: dt.datetime | None = None,
        is_used: bool = False,
    ) -> None:
        super().__init__(message, hint=hint)
        self.at = at
        self.is_used = is_used


class SourceError(DigestError):
    """One source could not be used; other sources are unaffected.

    `not_before_at` is the aware UTC instant that the source asks us to wait for, if it named one.
    """

    def __init__(
        self, message: str, *, hint: str = "", not_before_at: dt.datetime | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.not_before_at = not_before_at


class SourceUnavailable(SourceError):
    """The source did not answer, or answered with a passing fault."""


class SourceMissing(SourceUnavailable):
    """The source answered 404: it may be back, or have moved."""


class SourceGone(SourceError):
    """The source answered 410: it is gone and should be paused."""


class SourceRefused(SourceError):
    """The source broke a limit that keeps this program safe."""


class SourceMalformed(SourceError):
    """The source's answer cannot be read as what it is configured to be."""


class RenderError(DigestError):
    """A template cannot be rendered."""


class StoreError(DigestError):
    """The database refused or failed; the transaction was rolled back."""


class NotFound(StoreError):
    """The named thing is not in the store."""


class Conflict(StoreError):
    """Somebody else saved a newer revision; nothing was overwritten."""


class SchemaMismatch(StoreError):
    """The database's schema is older or newer than this program's."""
