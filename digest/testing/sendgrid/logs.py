"""The provider's log of mails, and the small language in which it is asked."""

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from digest.testing.sendgrid.account import Account, Request
from digest.testing.sendgrid.messages import Mail

_CONDITION = re.compile(
    r"\s*(?P<field>\w+)\s*(?P<operator>>=|<=|=|>|<|\bIN\b)\s*"
    r"(?:(?P<time>TIMESTAMP\s+)?(?P<value>\"[^\"]*\"|'[^']*')|\((?P<list>[^()]*)\))\s*"
    r"(?P<and>\bAND\b|$)"
)
_OPERATORS = {
    "sg_message_id": ("=",),
    "subject": ("=",),
    "to_email": ("=",),
    "reason": ("=",),
    "status": ("IN",),
    "categories": ("IN",),
    "sg_message_id_created_at": (">", "<", ">=", "<="),
}
_STATUS = {"sent": "delivered", "scheduled": "processed", "cancelled": "dropped"}


@dataclass(frozen=True, slots=True)
class _Condition:
    field: str
    operator: str
    values: tuple[str, ...]
    moment: dt.datetime | None


def find(account: Account, query: str, *, limit: int, delay: dt.timedelta) -> list[dict[str, Any]]:
    """Return the logged mails that fit, at most `limit`; what is younger than `delay` is not there.

    Raises:
        ValueError: The query is not in the documented language.
    """
    conditions = _read(query)
    found: list[dict[str, Any]] = []
    for request in _logged(account, delay):
        if not _may_fit(account, request, conditions):
            continue
        for mail in account.mails_of(request):
            row = _row(request, mail)
            if all(_fits(condition, row, mail, request) for condition in conditions):
                found.append(row)
            if len(found) >= limit:
                return found
    return found


def show(account: Account, sg_message_id: str, *, delay: dt.timedelta) -> dict[str, Any] | None:
    """Return all that is logged of one mail, or None."""
    for request in _logged(account, delay):
        if sg_message_id.startswith(f"{request.message_id}."):
            for mail in account.mails_of(request):
                if mail.sg_message_id == sg_message_id:
                    return _row(request, mail) | _details(request, mail)
    return None


def _logged(account: Account, delay: dt.timedelta) -> Iterator[Request]:
    now = account.now()
    for request in account.requests():
        if request.accepted_at is not None and request.accepted_at + delay <= now:
            yield request


def _row(request: Request, mail: Mail) -> dict[str, Any]:
    return {
        "from_email": mail.sender,
        "sg_message_id": mail.sg_message_id,
        "subject": mail.subject,
        "to_email": mail.to,
        "status": _STATUS[request.state],
        "sg_message_id_created_at": _created(request).isoformat().replace("+00:00", "Z"),
    }


def _details(request: Request, mail: Mail) -> dict[str, Any]:
    event = {"sent": "delivered", "scheduled": "processed", "cancelled": "cancel_drop"}
    moment = int(_created(request).timestamp())
    return {
        "api_key_id": "standin",
        "client_ip": "127.0.0.1",
        "category": list(mail.categories),
        "custom_args": dict(mail.custom_args),
        "events": [{"event": event[request.state], "timestamp": moment, "email": mail.to}],
    }


def _created(request: Request) -> dt.datetime:
    return request.accepted_at or request.received_at


def _read(query: str) -> list[_Condition]:
    conditions = []
    place = 0
    while query.strip():
        match = _CONDITION.match(query, place)
        if match is None:
            raise ValueError(f"The query cannot be read from character {place + 1} on.")
        conditions.append(_condition(match))
        place = match.end()
        if not match["and"]:
            break
    return conditions


def _condition(match: re.Match[str]) -> _Condition:
    field, operator = match["field"], match["operator"]
    if operator not in _OPERATORS.get(field, ()):
        raise ValueError(f"There is no condition {field} {operator}.")
    if (operator == "IN") != (match["list"] is not None):
        raise ValueError(f"What follows {field} {operator} cannot be compared with it.")
    if match["list"] is not None:
        return _Condition(field, operator, tuple(re.findall(r"'([^']*)'", match["list"])), None)
    moment = None
    if field == "sg_message_id_created_at":
        if not match["time"]:
            raise ValueError("A moment is written TIMESTAMP and a quoted time.")
        moment = dt.datetime.fromisoformat(match["value"][1:-1])
        if moment.tzinfo is None:
            raise ValueError("A moment has a zone, as in 2027-03-28T01:00:00Z.")
    return _Condition(field, operator, (match["value"][1:-1],), moment)


def _may_fit(account: Account, request: Request, conditions: list[_Condition]) -> bool:
    """Leave out quickly what is not to the address in question."""
    wanted = [condition.values[0] for condition in conditions if condition.field == "to_email"]
    return all(account.names(request, address) for address in wanted)


def _fits(condition: _Condition, row: dict[str, Any], mail: Mail, request: Request) -> bool:
    if condition.moment is not None:
        created = _created(request)
        return {
            ">": created > condition.moment,
            "<": created < condition.moment,
            ">=": created >= condition.moment,
            "<=": created <= condition.moment,
        }[condition.operator]
    if condition.field == "categories":
        return bool(set(mail.categories) & set(condition.values))
    value = str(row.get(condition.field, ""))
    if condition.field == "to_email":
        return value.lower() == condition.values[0].lower()
    return value in condition.values
