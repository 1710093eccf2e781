"""What the API documents as refused in a request to send mail, checked one by one.

Where the documentation leaves room, the stricter reading holds, so that what passes here passes
there. The words of the errors are this program's own; nobody should depend on the provider's.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

MAX_BYTES = 30 * 1024 * 1024
MAX_READERS = 1_000
MAX_HEADROOM_SECONDS = 72 * 3600
MAX_BYTES_A_READER = 10_000  # of substitutions, and of custom arguments
MAX_SUBSTITUTIONS = 10_000

_TOP = frozenset({
    "personalizations", "from", "reply_to", "reply_to_list", "subject", "content", "attachments",
    "template_id", "headers", "categories", "custom_args", "send_at", "batch_id", "asm",
    "ip_pool_name", "mail_settings", "tracking_settings",
})  # fmt: skip
_EACH = frozenset({
    "to", "from", "cc", "bcc", "subject", "headers", "substitutions", "dynamic_template_data",
    "custom_args", "send_at",
})  # fmt: skip
_RESERVED_HEADERS = frozenset({
    "x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type",
    "content-transfer-encoding", "to", "from", "subject", "reply-to", "cc", "bcc",
})  # fmt: skip
# Custom arguments come back flat among an event's own fields, so one of these names is lost.
_EVENT_FIELDS = frozenset({
    "email", "timestamp", "event", "category", "reason", "status", "response", "attempt", "ip",
    "url", "url_offset", "useragent", "type", "tls", "sg_event_id", "sg_message_id",
    "sg_machine_open", "smtp-id", "asm_group_id", "pool", "bounce_classification",
})  # fmt: skip
_ADDRESS = re.compile(r"[^\s@<>,;:()\[\]\\\"]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_BREAK = re.compile(r"[\r\n]")
_TRACKING = frozenset(("click_tracking", "open_tracking", "subscription_tracking", "ganalytics"))
_BYPASSES = ("bypass_spam_management", "bypass_bounce_management", "bypass_unsubscribe_management")

Finding = tuple[str, str | None]
"""What is wrong, and the field where it is, or None."""


def findings(message: Any, *, now: float) -> list[Finding]:
    """Return all that is wrong with a parsed request; nothing when it would be accepted.

    Args:
        message: The parsed body.
        now: Unix time in seconds, for `send_at`.
    """
    if not isinstance(message, dict):
        return [("The body is not an object.", None)]
    people = message.get("personalizations")
    if not isinstance(people, list) or not all(isinstance(each, dict) for each in people):
        return [("The personalizations are a list of objects.", "personalizations")]
    found = [*_check_message(message, people, now)]
    for number, each in enumerate(people):
        found += _check_person(each, message, f"personalizations.{number}", now)
    return [*found, *_check_readers(people)]


def is_sandboxed(message: Mapping[str, Any]) -> bool:
    """Return whether the request is only to be validated."""
    settings = message.get("mail_settings")
    mode = settings.get("sandbox_mode") if isinstance(settings, dict) else None
    return isinstance(mode, dict) and mode.get("enable") is True


def _check_message(
    message: dict[str, Any], people: list[dict[str, Any]], now: float
) -> Iterator[Finding]:
    yield from ((f"There is no field {name!r}.", name) for name in message.keys() - _TOP)
    if not 1 <= len(people) <= MAX_READERS:
        yield "There are 1 to 1,000 personalizations.", "personalizations"
    yield from _check_address(message.get("from"), "from")
    if "reply_to" in message and "reply_to_list" in message:
        yield "Only one of reply_to and reply_to_list may be there.", "reply_to"
    if "reply_to" in message:
        yield from _check_address(message["reply_to"], "reply_to")
    is_inline = not message.get("template_id")
    yield from _check_subject(message, people, is_required=is_inline)
    if is_inline or "content" in message:
        yield from _check_content(message.get("content"))
    yield from _check_headers(message, "headers")
    yield from _check_categories(message.get("categories", []))
    yield from _check_send_at(message, "send_at", now)
    yield from _check_settings(message)
    if "custom_args" in message:
        yield from _check_strings(message["custom_args"], "custom_args")
    if "batch_id" in message and not (isinstance(message["batch_id"], str) and message["batch_id"]):
        yield "A batch id is a text.", "batch_id"


def _check_person(
    each: dict[str, Any], message: dict[str, Any], field: str, now: float
) -> Iterator[Finding]:
    yield from ((f"There is no field {name!r}.", f"{field}.{name}") for name in each.keys() - _EACH)
    if not isinstance(each.get("to"), list) or not each["to"]:
        yield "A personalization has at least one recipient.", f"{field}.to"
    yield from _check_headers(each, f"{field}.headers")
    yield from _check_send_at(each, f"{field}.send_at", now)
    yield from _check_args(each, message, f"{field}.custom_args")
    is_dynamic = str(message.get("template_id", "")).startswith("d-")
    if "dynamic_template_data" in each and not is_dynamic:
        yield "Dynamic data needs a dynamic template.", f"{field}.dynamic_template_data"
    if "substitutions" in each:
        if is_dynamic:
            yield "A dynamic template has no substitutions.", f"{field}.substitutions"
        yield from _check_substitutions(each["substitutions"], f"{field}.substitutions")


def _check_readers(people: list[dict[str, Any]]) -> Iterator[Finding]:
    seen: set[str] = set()
    count = 0
    tags = 0
    for number, each in enumerate(people):
        for kind in ("to", "cc", "bcc"):
            group = each.get(kind, [])
            if not isinstance(group, list):
                yield "Recipients are a list.", f"personalizations.{number}.{kind}"
                continue
            for place, reader in enumerate(group):
                field = f"personalizations.{number}.{kind}.{place}"
                count += 1
                yield from _check_reader(reader, field, seen)
        substitutions = each.get("substitutions")
        tags += len(substitutions) if isinstance(substitutions, dict) else 0
    if count > MAX_READERS:
        yield "A request has 1,000 recipients at most.", "personalizations"
    if tags > MAX_SUBSTITUTIONS:
        yield "A request has 10,000 substitutions at most.", "personalizations"


def _check_reader(reader: Any, field: str, seen: set[str]) -> Iterator[Finding]:
    problems = [*_check_address(reader, field)]
    yield from problems
    if not problems:
        key = reader["email"].lower()
        if key in seen:
            yield "Each address may be there once in a request.", f"{field}.email"
        seen.add(key)


def _check_address(value: Any, field: str) -> Iterator[Finding]:
    if not isinstance(value, dict) or not isinstance(value.get("email"), str):
        yield "An address is an object with an email.", f"{field}.email"
        return
    email = value["email"]
    if len(email) > 320 or not email.isascii() or not _ADDRESS.fullmatch(email):
        yield "Does not contain a valid address.", f"{field}.email"
    if not isinstance(value.get("name", ""), str) or _BREAK.search(value.get("name", "")):
        yield "A name is a text of one line.", f"{field}.name"
    yield from (
        (f"There is no field {name!r}.", f"{field}.{name}")
        for name in value.keys() - {"email", "name"}
    )


def _check_subject(
    message: dict[str, Any], people: list[dict[str, Any]], *, is_required: bool
) -> Iterator[Finding]:
    subjects = [message.get("subject")] if "subject" in message else []
    subjects += [each["subject"] for each in people if "subject" in each]
    if is_required and "subject" not in message and len(subjects) < len(people):
        yield "The subject is required.", "subject"
    for subject in subjects:
        if not isinstance(subject, str) or not subject or len(subject) > 998:
            yield "A subject is a text of 1 to 998 characters.", "subject"
        elif _BREAK.search(subject):
            yield "A subject is one line.", "subject"


def _check_content(content: Any) -> Iterator[Finding]:
    if not isinstance(content, list) or not content:
        yield "At least one part of content is required.", "content"
        return
    kinds = []
    for number, part in enumerate(content):
        field = f"content.{number}"
        if not isinstance(part, dict) or not isinstance(part.get("type"), str):
            yield "A part of content has a type.", f"{field}.type"
            continue
        kinds.append(part["type"])
        if not part["type"] or re.search(r"[;,\r\n]", part["type"]):
            yield "A type has no semicolon, comma or line break.", f"{field}.type"
        if not isinstance(part.get("value"), str) or not part["value"]:
            yield "A part of content has a value of at least one character.", f"{field}.value"
    order = ["text/plain", "text/html"]
    ranks = [order.index(kind) if kind in order else len(order) for kind in kinds]
    if ranks != sorted(ranks):
        yield "The order is text/plain, text/html, then the others.", "content"


def _check_headers(holder: dict[str, Any], field: str) -> Iterator[Finding]:
    if "headers" not in holder:
        return
    headers = holder["headers"]
    problems = [*_check_strings(headers, field, may_be_empty=True)]
    yield from problems
    if problems:
        return
    names = [name.lower() for name in headers]
    if len(names) != len(set(names)):
        yield "A header may be there once.", field
    for name, value in headers.items():
        if not re.fullmatch(r"[!-9;-~]+", name):
            yield "A header's name is ASCII without spaces and colons.", f"{field}.{name}"
        elif name.lower() in _RESERVED_HEADERS:
            yield "This header is reserved.", f"{field}.{name}"
        if _BREAK.search(value) or not value.isascii():
            yield "A header's value is one line of ASCII.", f"{field}.{name}"


def _check_strings(value: Any, field: str, *, may_be_empty: bool = False) -> Iterator[Finding]:
    """Check an object of texts. For other values the API answers with no more than this."""
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        yield "Bad Request", None
    elif not value and not may_be_empty:
        yield "This may not be empty.", field


def _check_args(each: dict[str, Any], message: dict[str, Any], field: str) -> Iterator[Finding]:
    if "custom_args" in each:
        problems = [*_check_strings(each["custom_args"], field)]
        yield from problems
        if problems:
            return
    shared = message.get("custom_args", {})
    merged = (shared if isinstance(shared, dict) else {}) | each.get("custom_args", {})
    if sum(len(f"{name}{value}".encode()) for name, value in merged.items()) > MAX_BYTES_A_READER:
        yield "Custom arguments have 10,000 bytes at most.", field
    for name in merged.keys() & _EVENT_FIELDS:
        yield "An event has a field of this name, so the argument would be lost.", f"{field}.{name}"


def _check_substitutions(value: Any, field: str) -> Iterator[Finding]:
    problems = [*_check_strings(value, field, may_be_empty=True)]
    yield from problems
    if problems:
        return
    if sum(len(f"{tag}{text}".encode()) for tag, text in value.items()) > MAX_BYTES_A_READER:
        yield "Substitutions have 10,000 bytes at most.", field
    for tag in value:
        if not tag or re.search(r"\s", tag):
            yield "A tag has no spaces.", f"{field}.{tag}"


def _check_categories(value: Any) -> Iterator[Finding]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        yield "Categories are a list of texts.", "categories"
        return
    if len(value) > 10 or len(set(value)) < len(value):
        yield "There are 10 categories at most, each once.", "categories"
    if not all(each.isascii() and 0 < len(each) <= 255 for each in value):
        yield "A category has 1 to 255 ASCII characters.", "categories"


def _check_send_at(holder: dict[str, Any], field: str, now: float) -> Iterator[Finding]:
    if "send_at" not in holder:
        return
    value = holder["send_at"]
    if not isinstance(value, int) or isinstance(value, bool):
        yield "A send time is a whole number, in Unix seconds.", field
    elif value < 0:
        yield "A send time is not before 1970.", field
    elif value > now + MAX_HEADROOM_SECONDS:
        yield "A send time is 72 hours ahead at most.", field


def _check_settings(message: dict[str, Any]) -> Iterator[Finding]:
    for group in ("tracking_settings", "mail_settings"):
        settings = message.get(group, {})
        if not isinstance(settings, dict):
            yield "Settings are an object.", group
            continue
        for name, value in settings.items():
            field = f"{group}.{name}"
            if group == "tracking_settings" and name not in _TRACKING:
                yield "There is no such setting.", field
            if not isinstance(value, dict) or not isinstance(value.get("enable", False), bool):
                yield "A setting is an object with enable, true or false.", field
    yield from _check_bypasses(message)
    yield from _check_group(message.get("asm", {"group_id": 0}))
    pool = message.get("ip_pool_name", "pool")
    if not isinstance(pool, str) or not 2 <= len(pool) <= 64:
        yield "A pool's name has 2 to 64 characters.", "ip_pool_name"


def _check_bypasses(message: dict[str, Any]) -> Iterator[Finding]:
    settings = message.get("mail_settings")
    if not isinstance(settings, dict) or not settings.get("bypass_list_management"):
        return
    if any(settings.get(name) for name in _BYPASSES):
        yield "bypass_list_management excludes the other bypasses.", "mail_settings"


def _check_group(value: Any) -> Iterator[Finding]:
    if not isinstance(value, dict) or not isinstance(value.get("group_id"), int):
        yield "A group has a numeric id.", "asm.group_id"
        return
    shown = value.get("groups_to_display", [])
    if not isinstance(shown, list) or len(shown) > 25:
        yield "There are 25 groups to display at most.", "asm.groups_to_display"
