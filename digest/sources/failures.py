"""What can go wrong between this program and a host, in words for people."""

import datetime as dt
import http
import socket
import ssl
from http.client import HTTPException, LineTooLong

from digest.errors import SourceError, SourceGone, SourceMissing, SourceRefused, SourceUnavailable

UNHARMED = "Nothing was changed."
HINTS = {
    401: "The address wants a login. Ask the site for a feed that is open.",
    403: "The site turns programs away. Ask its owner, or remove the source.",
    404: "Look on the site for the feed's new address and correct `url`.",
    410: "Look on the site for another feed, or remove the source.",
}


def raise_unless_good(host: str, status: int) -> None:
    """Raise for every final status but 200, 203 and 304."""
    if status in (200, 203, 304):
        return
    kinds = {404: SourceMissing, 410: SourceGone}
    kind = kinds.get(status, SourceUnavailable)
    hint = HINTS.get(status, "The next collect asks again.")
    raise kind(f"{host} answered {status_words(status)}. {UNHARMED}", hint=hint)


def status_words(status: int) -> str:
    """Name a status with the words of the standard: the server's own words are not to be shown."""
    try:
        return f"{status} {http.HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def busy(host: str, what: str, until: dt.datetime | None) -> SourceUnavailable:
    """Return what to raise while the host wants to be left alone, until an instant if known."""
    hint = f"digest waits until {until:%Y-%m-%d %H:%M} UTC." if until else "Collect again later."
    return SourceUnavailable(f"{host} {what}. {UNHARMED}", hint=hint, not_before_at=until)


def refused(what: str, hint: str) -> SourceRefused:
    """Return what to raise when a limit that keeps this program safe is broken."""
    return SourceRefused(f"{what}. {UNHARMED}", hint=hint or "Tell the site, or remove the source.")


def stopped() -> SourceUnavailable:
    """Return what to raise once the run was told to stop."""
    return SourceUnavailable(f"The run was stopped. {UNHARMED}", hint="Run it again to go on.")


def too_large(host: str, limit: int) -> SourceRefused:
    """Return what to raise for a body over `limit` bytes."""
    return refused(
        f"{host} sent more than {limit / 2**20:.3g} MB", "Use a feed with fewer or shorter entries."
    )


def too_many_headers(host: str) -> SourceRefused:
    """Return what to raise for headers over the limits."""
    return refused(f"{host} sent more or longer headers than any feed needs", "")


def unasked(host: str) -> SourceUnavailable:
    """Return what to raise for a 304 to a request that named nothing known."""
    return SourceUnavailable(
        f"{host} answered that nothing has changed, but was never asked before. {UNHARMED}",
        hint="Tell the site: it answers 304 to a request without conditions.",
    )


def too_slow(host: str, seconds: float, *, answered: bool) -> SourceError:
    """Return what to raise at the total deadline."""
    if answered:
        return refused(f"{host} needed more than {seconds:g} seconds to send its answer", "")
    return SourceUnavailable(
        f"{host} gave no answer within {seconds:g} seconds. {UNHARMED}",
        hint="The next collect asks again.",
    )


def broken(host: str, error: Exception, connect_seconds: float) -> SourceError:
    """Say in plain words how a connection failed."""
    # http.client has no class of its own for more than a hundred headers.
    if isinstance(error, LineTooLong) or type(error) is HTTPException:
        return too_many_headers(host)
    hint = "The next collect asks again."
    match error:
        case socket.gaierror():
            what, hint = (
                "is not a name that can be found",
                "Check `url` and this computer's network.",
            )
        case ssl.SSLCertVerificationError():
            what, hint = "has no certificate that can be trusted", "Check `url`, or tell the site."
        case TimeoutError():
            what = f"did not connect within {connect_seconds:g} seconds"
        case ConnectionRefusedError():
            what = "refused the connection"
        case ssl.SSLError():
            what = "could not agree on encryption"
        case _:
            what = "broke off before its answer was complete"
    return SourceUnavailable(f"{host} {what}. {UNHARMED}", hint=hint)
