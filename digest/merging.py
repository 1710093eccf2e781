"""Merging: what differs from reader to reader stands as tokens in a variant and is filled last.

A mail is rendered and inlined once. It is then taken apart at its tokens and at its stories, and
put together for each reader by joining strings, four orders of magnitude quicker than inlining
(docs/performance.md). Tokens are letters only, because those survive every inliner, mail client
and URL.
"""

import hashlib
import html
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from digest.model.editions import Variant
from digest.normalising.text import clean_text
from digest.normalising.urls import web_link

NAMES = ("address", "unsubscribe_url", "preferences_url", "rate_url", "web_url")
_MARK = "xDIGEST"
_TOKEN = re.compile(rf"{_MARK}[a-wyz]+x")  # ends at its first x, whatever stands behind it
# What needs no cleaning and no escaping; nearly every value is such, and regular expressions on
# short strings cost next to nothing.
_PLAIN_URL = re.compile(r"https?://[a-z0-9.-]+/[A-Za-z0-9._~/-]*")
_PLAIN_ADDRESS = re.compile(r"[A-Za-z0-9._+-]+@[a-z0-9.-]+")


def token(name: str) -> str:
    """Return the token that stands for `name`."""
    return f"{_MARK}{name.replace('_', '')}x"


TOKENS: Mapping[str, str] = {name: token(name) for name in NAMES}
"""What is filled in for each reader."""


def reader_links(public_url: str, edition: str, reader: str) -> dict[str, str]:
    """Return the values of the URLs in NAMES, for the edition's label and a reader's own token.

    Behind `rate_url` a template puts the story's article and the stars: "/ARTICLE/4".
    """
    return {
        "unsubscribe_url": f"{public_url}/u/{reader}",
        "preferences_url": f"{public_url}/preferences/{reader}",
        "rate_url": f"{public_url}/r/{reader}",
        "web_url": f"{public_url}/archive/{edition}",
    }


BEGIN, END, PLACE = token("begin_story"), token("end_story"), token("place")
MARKS: Mapping[str, str] = {"begin_story": BEGIN, "end_story": END, "place": PLACE}
"""Where a story begins and ends, and where its number stands: a reader may get some stories only.

In HTML the first two stand in comments; no mail holds any of them once it is put together.
"""

CONFIRM_URL, ACCOUNT_URL = token("confirm_url"), token("account_url")
READER = token("reader_token")
"""What is filled in for whoever gets a letter, before it is handed over; no edition holds it."""

MAX_FORMS = 256  # choices of stories that are kept ready; each is as large as the mail

_BORDER = re.compile(rf"(?:<!--)?({BEGIN}|{END})(?:-->)?\n?")


def shown_text(text: str) -> str:
    """Return a stranger's `text` cleaned, on one line, and with no token in it to be filled."""
    return clean_text(text).replace(_MARK, _MARK.lower())


def shown_link(url: str) -> str:
    """Return a stranger's `url` rebuilt, or "" if it is no web link; a token is spelt otherwise."""
    return web_link(url).replace(_MARK, "x%44IGEST")


def hash_parts(*parts: str) -> str:
    """Return the SHA-256, in hexadecimal, of subject, preheader, HTML and text, in that order."""
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()


def count_tokens(text: str) -> dict[str, int]:
    """Return how often each token stands in `text`, in alphabetical order."""
    found = _TOKEN.findall(text)
    return {name: found.count(name) for name in sorted(set(found))}


@dataclass(frozen=True, slots=True)
class _Piece:
    """Part of a body: the frame around the stories (`story` is -1), or one story from 0 on."""

    story: int
    text: str


@dataclass(frozen=True, slots=True)
class _Form:
    """A body for all readers who get the same stories: its parts, and where each value goes.

    `slots` holds for each reader's token in `parts` its index and the name of its value.
    """

    parts: tuple[str, ...]
    slots: tuple[tuple[int, str], ...]

    def filled(self, values: Mapping[str, str]) -> str:
        parts = list(self.parts)
        for index, name in self.slots:
            parts[index] = values[name]
        return "".join(parts)


@dataclass(frozen=True, slots=True)
class CompiledVariant:
    """A variant taken apart, ready to be put together for any number of readers.

    Safe to use from many threads. `stories` is how many stories can be chosen from.
    """

    stories: int
    _html: tuple[_Piece, ...] = field(repr=False)
    _text: tuple[_Piece, ...] = field(repr=False)
    _forms: dict[tuple[int, ...] | None, tuple[_Form, _Form]] = field(
        default_factory=dict, repr=False
    )

    def fill(
        self, values: Mapping[str, str], *, kept: tuple[int, ...] | None = None
    ) -> tuple[str, str]:
        """Return HTML and text for one reader.

        Args:
            values: For each of NAMES its value; URLs must be http(s) links.
            kept: The stories that this reader gets, by their index from 0, ascending; they are
                numbered anew. None: all.

        Raises:
            ValueError: A value is missing, a URL is none, or there are no such stories. Its text
                does not repeat the value.
        """
        plain: dict[str, str] = {}
        escaped: dict[str, str] = {}
        for name in NAMES:
            plain[name], escaped[name] = _checked(name, values)
        html_form, text_form = self._forms.get(kept) or self._form(kept)
        return html_form.filled(escaped), text_form.filled(plain)

    def whole(self) -> tuple[str, str]:
        """Return HTML and text with all stories, the readers' tokens still in them."""
        html_form, text_form = self._form(None)
        return html_form.filled(TOKENS), text_form.filled(TOKENS)

    def _form(self, kept: tuple[int, ...] | None) -> tuple[_Form, _Form]:
        chosen = tuple(range(self.stories)) if kept is None else kept
        if chosen != tuple(story for story in range(self.stories) if story in chosen):
            raise ValueError("there are no such stories in that order")
        if len(self._forms) >= MAX_FORMS:
            self._forms.clear()
        forms = _assembled(self._html, chosen), _assembled(self._text, chosen)
        self._forms[kept] = forms
        return forms


def compile_variant(variant: Variant) -> CompiledVariant:
    """Take the variant apart.

    Raises:
        ValueError: It holds a token that nobody fills, or its stories are not marked alike in HTML
            and text.
    """
    found = count_tokens(variant.html) | count_tokens(variant.text)
    if unknown := found.keys() - {*TOKENS.values(), *MARKS.values()}:
        raise ValueError(f"nobody fills {', '.join(sorted(unknown))}")
    in_html, in_text = tuple(_pieces(variant.html)), tuple(_pieces(variant.text))
    if any(piece.story < 0 and PLACE in piece.text for piece in (*in_html, *in_text)):
        raise ValueError("a story's number stands outside the stories")
    stories = _last_story(in_html)
    if stories != _last_story(in_text):
        raise ValueError("HTML and text mark different stories")
    return CompiledVariant(stories, in_html, in_text)


def _pieces(body: str) -> Iterator[_Piece]:
    """Cut `body` at the borders of its stories."""
    stories = 0
    is_inside = False
    cut = _BORDER.split(body)
    yield _Piece(-1, cut[0])
    for border, text in zip(cut[1::2], cut[2::2], strict=True):
        if (border == BEGIN) is is_inside:
            raise ValueError("a story begins or ends in another one")
        is_inside = border == BEGIN
        yield _Piece(stories if is_inside else -1, text)
        stories += is_inside
    if is_inside:
        raise ValueError("a story does not end")


def _last_story(pieces: Sequence[_Piece]) -> int:
    return 1 + max(piece.story for piece in pieces)


def _assembled(pieces: Sequence[_Piece], kept: Sequence[int]) -> _Form:
    """Put the frame and the kept stories together, with the numbers of the latter."""
    numbers = {story: str(number) for number, story in enumerate(kept, 1)}
    body = "".join(
        piece.text if piece.story < 0 else piece.text.replace(PLACE, numbers[piece.story])
        for piece in pieces
        if piece.story < 0 or piece.story in numbers
    )
    parts = re.split(f"({_TOKEN.pattern})", body)
    names = {value: name for name, value in TOKENS.items()}
    slots = tuple((index, names[part]) for index, part in enumerate(parts) if index % 2)
    return _Form(tuple(parts), slots)


def _checked(name: str, values: Mapping[str, str]) -> tuple[str, str]:
    """Return a value as it stands in text and in HTML."""
    value = values.get(name)
    if value is None:
        raise ValueError(f"no value for {name}")
    is_url = name.endswith("_url")
    if (_PLAIN_URL if is_url else _PLAIN_ADDRESS).fullmatch(value):
        return value, value
    value = web_link(value) if is_url else clean_text(value)
    if not value:
        raise ValueError(f"the value for {name} cannot stand in a mail")
    return value, html.escape(value)
