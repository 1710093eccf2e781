"""Editors and their links: who may act on an edition by the link in a mail."""

from collections.abc import Sequence

from digest.model.editions import Edition
from digest.normalising.addresses import address_key, parse_address
from digest.services.mails import public_url
from digest.settings import EditorSettings, Settings
from digest.tokens import BadToken, KeyRing, Tokens

PLACE = "desk/edition"


class EditorLinks:
    """Makes the links of a newsletter's editors, and says whose a token is.

    A link is one editor's and one edition's. It dies when the editor is taken out of the settings.

    Args:
        settings: The newsletter's, with its editors.
        tokens: Makes and reads tokens.
        keys: Tell editors apart.
    """

    def __init__(self, settings: Settings, tokens: Tokens, keys: KeyRing) -> None:
        self._tokens = tokens
        self._start = f"{public_url(settings.newsletter)}/{PLACE}"
        self._numbers = {
            editor.address: keys.editor_number(address_key(parse_address(editor.address)))
            for editor in settings.editor
        }
        self._editors = {self._numbers[editor.address]: editor for editor in settings.editor}

    @property
    def numbers(self) -> Sequence[int]:
        """The editors' numbers, each once; see `KeyRing.editor_number`."""
        return tuple(self._editors)

    def editor(self, number: int) -> EditorSettings | None:
        """Return the editor with that number, None if nobody has it now."""
        return self._editors.get(number)

    def link(self, edition: Edition, editor: EditorSettings) -> str:
        """Return the address of the page for this editor, "" for an edition that is not stored."""
        if edition.id is None:
            return ""
        token = self._tokens.editor(edition.id, self._numbers[editor.address])
        return f"{self._start}/{token}"

    def read(self, token: str) -> tuple[int, EditorSettings]:
        """Return the edition's id, which need not exist any more, and the editor.

        Raises:
            BadToken: It is no such token, or nobody's who is an editor now.
        """
        edition_id, number = self._tokens.read_editor(token)
        editor = self.editor(number)
        if editor is None:
            raise BadToken
        return edition_id, editor
