"""Mail addresses: which can be mailed, and when two spellings are one reader."""

import re
from collections.abc import Iterable, Iterator

from email_validator import EmailNotValidError, validate_email

# Nine of ten addresses are such, and need no closer look. Up to this length none of the limits of
# RFC 5321 (4.5.3.1) can be broken.
_PLAIN = re.compile(
    r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*"
    r"@(?:[a-z0-9]+(?:-[a-z0-9]+)*\.)+(?!(?:arpa|invalid|local|localhost|onion)\Z)[a-z]{2,}"
)
_PLAIN_LENGTH = 64

_TOKEN = "xDIGEST"  # noqa: S105  # what stands in a mail for a value; see digest.merging


def parse_address(text: str) -> str:
    """Return one mail address as it is stored: the domain in lower case, and in ASCII.

    Nobody is asked whether it exists. `.test` is a domain like any other.

    Raises:
        ValueError: It cannot be mailed; its text says why and does not repeat the address.
    """
    written = text.strip()
    local, at, domain = written.rpartition("@")
    address = f"{local}@{domain.lower()}"
    if not (len(address) <= _PLAIN_LENGTH and _PLAIN.fullmatch(address)):
        if not at:
            raise ValueError("the address has no @" if written else "there is no address")
        if not local.isascii():
            raise ValueError("the address has letters before the @ that cannot be mailed")
        address = f"{local}@{_ascii_domain(written)}"
    if _TOKEN in address or "=?" in address:  # the latter begins an encoded word (RFC 2047)
        raise ValueError("the address holds text that has a meaning of its own in a mail")
    return address


def address_key(address: str) -> str:
    """Return what is equal for two spellings of a parsed address: one reader is mailed once.

    A server may tell upper from lower case before the @ (RFC 5321, 2.4); none that people use does.
    """
    return address.casefold()


def faults_of(addresses: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield the number, from 1 on, of each address that cannot be mailed or comes again, and why.

    The words do not repeat the address.
    """
    known: set[str] = set()
    for number, text in enumerate(addresses, 1):
        try:
            key = address_key(parse_address(text))
        except ValueError as error:
            yield number, f"cannot be used: {error}"
            continue
        if key in known:
            yield number, "is there twice; each needs its own"
        known.add(key)


def _ascii_domain(address: str) -> str:
    try:
        found = validate_email(
            address,
            allow_smtputf8=False,
            check_deliverability=False,
            strict=True,  # the part before the @ has its limit
            test_environment=True,
        )
    except EmailNotValidError:
        # Its text may repeat a part of the address.
        raise ValueError("the address is not one that can be mailed") from None
    if "." not in found.ascii_domain:
        raise ValueError("the address has no whole domain behind the @")
    return found.ascii_domain
