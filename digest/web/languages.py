"""The pages of one newsletter in each language that they can be read in."""

from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from digest.project import Project
from digest.rendering.locales import FALLBACK, PAGES, languages, load_words
from digest.web.pages import Pages


class Languages:
    """Makes the pages of a newsletter, each language when somebody first wants it.

    Args:
        project: Names the newsletter; its folders of templates hold the catalogues.

    Raises:
        RenderError: A catalogue cannot be used.
    """

    def __init__(self, project: Project) -> None:
        letter = project.settings.newsletter
        self._letter = letter
        self._folders = project.template_folders
        self._pages: dict[str, Pages] = {}
        self.own = self._pages[letter.language] = self._made(letter.language)
        self.names = languages(self._folders, PAGES)
        if letter.language not in self.names:
            self.names = {letter.language: self.own.words.name, **self.names}

    def pages(self, language: str) -> Pages:
        """Return the pages in a reader's language; in the newsletter's own where there are none.

        Raises:
            RenderError: Its catalogue cannot be used.
        """
        tags = (language, language.split("-")[0])  # an import may bring any tag
        tag = next((tag for tag in tags if tag in self.names), self._letter.language)
        found = self._pages.get(tag)
        if found is None:
            found = self._pages[tag] = self._made(tag)
        return found

    def desk(self) -> Pages:
        """Return the pages in English, as editors read them."""
        return self._made(FALLBACK)

    def _made(self, tag: str) -> Pages:
        letter = self._letter
        return Pages(
            letter.name,
            load_words(self._folders, tag, PAGES),
            home=urlsplit(letter.public_url).path.rstrip("/"),
            zone=ZoneInfo(letter.timezone),
        )
