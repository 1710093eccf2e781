"""A small CSS reader: sheets as nested rules, and what a strict client would call broken."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

_TOKEN = re.compile(
    r"/\*.*?(?:\*/|\Z)|\"(?:[^\"\\\n]|\\.)*+\"|'(?:[^'\\\n]|\\.)*+'|[{};]|[^\"'/{};]++|.",
    re.DOTALL,
)
_DECLARATION = re.compile(r"(?:\"[^\"]*+\"|'[^']*+'|\([^()]*+\)|[^;])++")
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_IMPORTANT = re.compile(r"\s*!\s*important\s*\Z", re.IGNORECASE)


class Declaration(NamedTuple):
    """`name` is in lower case; `value` keeps its letters and holds no "!important"."""

    name: str
    value: str
    important: bool = False

    def __str__(self) -> str:
        """Return it as it stands in a style."""
        return f"{self.name}:{self.value}{' !important' if self.important else ''}"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule. `prelude` is the selector or "@media …"; one of `body` and `rules` is empty."""

    prelude: str
    body: str = ""
    rules: tuple["Rule", ...] = ()

    @property
    def at(self) -> str:
        """The at-rule's name, such as "@media", or ""."""
        return re.split(r"[\s({;]", self.prelude.lower(), maxsplit=1)[0] if self._is_at else ""

    @property
    def _is_at(self) -> bool:
        return self.prelude.startswith("@")

    def __str__(self) -> str:
        """Return it as it stands in a sheet."""
        inside = " ".join(map(str, self.rules)) if self.rules else self.body
        return f"{self.prelude} {{ {inside} }}"


class Sheet(NamedTuple):
    """The rules of a sheet; `is_broken` says that a client may drop all of it."""

    rules: tuple[Rule, ...]
    is_broken: bool


def read_sheet(css: str) -> Sheet:
    """Return the rules of `css`, which may be anything, without its comments."""
    levels: list[tuple[str, list[Rule]]] = [("", [])]
    text, is_broken = "", False
    for piece in _TOKEN.findall(css):
        if piece.startswith("/*"):
            continue
        if piece == "{":
            is_broken |= not text.strip() or _holds_declarations(levels[-1][0])
            levels.append((text.strip(), []))
            text = ""
        elif piece == "}" and len(levels) == 1:
            is_broken, text = True, ""
        elif piece == "}":
            prelude, rules = levels.pop()
            levels[-1][1].append(Rule(prelude, text.strip() if not rules else "", tuple(rules)))
            text = ""
        elif piece == ";" and not _holds_declarations(levels[-1][0]):
            levels[-1][1].append(Rule(text.strip()))
            text = ""
        else:
            is_broken |= piece in ('"', "'")
            text += piece
    return Sheet(tuple(levels[0][1]), is_broken or len(levels) > 1 or bool(text.strip()))


def read_style(style: str) -> tuple[Declaration, ...]:
    """Return the declarations of a style attribute or of a rule's body, in their order."""
    found = []
    for part in _DECLARATION.findall(_COMMENT.sub("", style)):
        name, colon, value = part.partition(":")
        bare = _IMPORTANT.sub("", value)
        if colon and name.strip():
            found.append(Declaration(name.strip().lower(), bare.strip(), bare != value))
    return tuple(found)


def write_style(declarations: Iterable[Declaration]) -> str:
    """Return the declarations as a style attribute holds them."""
    return "; ".join(map(str, declarations))


def _holds_declarations(prelude: str) -> bool:
    """Whether what stands inside the rule are declarations, not rules."""
    return bool(prelude) and not re.match(
        r"@(media|supports|layer|container|document|scope|keyframes|-\w+-\w+)\b", prelude.lower()
    )
