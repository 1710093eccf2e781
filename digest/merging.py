"""Merging: what differs from reader to reader stands as tokens in a variant and is filled last.

A mail is inlined once and filled for every reader; a pre-split list makes a fill two orders of
magnitude quicker than inlining (email-html research, 3). Tokens are letters only, because those
survive every inliner, mail client and URL.
"""

import html
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from digest.model.editions import Variant
from digest.normalising.text import clean_text
from digest.normalising.urls import web_link

NAMES = ("address", "unsubscribe_url", "preferences_url", "web_url")
_MARK = "xDIGEST"
_TOKEN = re.compile(rf"{_MARK}[a-wyz]+x")  # ends at its first x, whatever stands behind it


def token(name: str) -> str:
    """Return the token that stands for `name`, one of NAMES."""
    return f"{_MARK}{name.replace('_', '')}x"


TOKENS: Mapping[str, str] = {name: token(name) for name in NAMES}


def shown_text(text: str) -> str:
    """Return a stranger's `text` cleaned, on one line, and with no token in it to be filled."""
    return clean_text(text).replace(_MARK, _MARK.lower())


def shown_link(url: str) -> str:
    """Return a stranger's `url` rebuilt, or "" if it is no web link; a token is spelt otherwise."""
    return web_link(url).replace(_MARK, "x%44IGEST")


def count_tokens(text: str) -> dict[str, int]:
    """Return how often each token stands in `text`, in alphabetical order."""
    found = _TOKEN.findall(text)
    return {name: found.count(name) for name in sorted(set(found))}


@dataclass(frozen=True, slots=True)
class CompiledVariant:
    """A variant taken apart at its tokens, ready to be filled any number of times."""

    html: tuple[str, ...]
    text: tuple[str, ...]

    def fill(self, values: Mapping[str, str]) -> tuple[str, str]:
        """Return HTML and text for one reader.

        Args:
            values: For each of NAMES its value; URLs must be http(s) links.

        Raises:
            ValueError: A value is missing, or a URL is none. Its text does not repeat the value.
        """
        plain = {TOKENS[name]: _checked(name, values) for name in NAMES}
        escaped = {key: html.escape(value) for key, value in plain.items()}
        return _filled(self.html, escaped.__getitem__), _filled(self.text, plain.__getitem__)


def compile_variant(variant: Variant) -> CompiledVariant:
    """Take the variant apart.

    Raises:
        ValueError: It holds a token that nobody fills.
    """
    found = count_tokens(variant.html) | count_tokens(variant.text)
    if unknown := found.keys() - set(TOKENS.values()):
        raise ValueError(f"nobody fills {', '.join(sorted(unknown))}")
    return CompiledVariant(_split(variant.html), _split(variant.text))


def _split(text: str) -> tuple[str, ...]:
    """Return text and tokens in turn, beginning and ending with text."""
    return tuple(re.split(f"({_TOKEN.pattern})", text))


def _filled(parts: tuple[str, ...], value_of: Callable[[str], str]) -> str:
    return "".join(value_of(part) if index % 2 else part for index, part in enumerate(parts))


def _checked(name: str, values: Mapping[str, str]) -> str:
    if name not in values:
        raise ValueError(f"no value for {name}")
    value = web_link(values[name]) if name.endswith("_url") else clean_text(values[name])
    if not value:
        raise ValueError(f"the value for {name} cannot stand in a mail")
    return value
