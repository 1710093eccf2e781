from collections.abc import Mapping
from pathlib import Path

import pytest

from digest.errors import RenderError
from digest.rendering.environment import make_environment, render_template
from digest.rendering.locales import load_words

NAME = "mail.html.j2"


def write(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def render(*folders: Path, name: str = NAME, **values: object) -> str:
    return render_template(make_environment(folders, load_words(folders, "de")), name, values)


def test_project_s_templates_come_first_file_by_file(tmp_path: Path) -> None:
    own = write(tmp_path / "own", {"parts.html.j2": "own parts"})
    starter = write(
        tmp_path / "starter",
        {NAME: "{% include 'parts.html.j2' %}, starter's frame", "parts.html.j2": "starter's"},
    )
    assert render(own, starter) == "own parts, starter's frame"
    assert render(starter, own) == "starter's, starter's frame"


def test_project_without_templates_uses_the_starter_s(tmp_path: Path) -> None:
    starter = write(tmp_path / "starter", {NAME: "starter"})
    assert render(tmp_path / "nowhere", starter) == "starter"


def test_text_is_escaped_in_html_and_only_there(tmp_path: Path) -> None:
    folder = write(tmp_path, {NAME: "{{ it }}", "mail.txt.j2": "{{ it }}"})
    assert render(folder, it="<b>&") == "&lt;b&gt;&amp;"
    assert render(folder, name="mail.txt.j2", it="<b>&") == "<b>&"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{% if %}", "Expected an expression"),
        ("{{ headline", "expected"),
        ("{% for x in y %}", "Unexpected end of template"),
        ("{{ headlin }}", "'headlin' is undefined"),
        ("{{ mail.headline }}", "has no attribute 'headline'"),
        ("{% include 'nothing.html.j2' %}", "nothing.html.j2 is missing"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ 'x' + 1 }}", "can only concatenate"),
        ("{{ 'x' | nofilter }}", "nofilter"),
        ("{{ [1][7] + 1 }}", "no element 7"),
        ("{{ 'x'.nothing() }}", "has no attribute 'nothing'"),
        ("{% include 'mail.html.j2' %}", "recursion"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "recursion"),
        ("{% for x in range(10**9) %}{% endfor %}", "Range too big"),
        ("{{ mail.__class__.__mro__ }}", "unsafe"),
        ("{{ mail.update(x=1) }}", "unsafe"),
        ("{{ 'x'.__class__ }}", "unsafe"),
    ],
)
def test_fault_of_a_template_is_one_sentence_with_file_and_line(
    tmp_path: Path, line: str, says: str
) -> None:
    folder = write(tmp_path, {NAME: f"first\n{line}\n"})
    with pytest.raises(RenderError) as caught:
        render(folder, mail={"subject": "x"})
    assert f"templates/{NAME}, line " in caught.value.message
    assert says in caught.value.message
    assert caught.value.message.endswith(("Nothing was written.", "nothing was written."))
    assert caught.value.hint


def test_fault_in_an_included_file_names_that_file(tmp_path: Path) -> None:
    folder = write(tmp_path, {NAME: "{% include 'deep/part.html.j2' %}"})
    write(folder, {"deep/part.html.j2": "\n\n{{ nobody }}"})
    with pytest.raises(RenderError, match=r"templates/deep/part\.html\.j2, line 3: 'nobody'"):
        render(folder)


def test_first_template_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(RenderError, match=r"^The template mail\.html\.j2 is missing"):
        render(tmp_path)


def test_template_that_is_no_text_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"caf\xe9")
    with pytest.raises(RenderError, match=rf"templates/{NAME}: .*decode"):
        render(tmp_path)


def test_template_cannot_leave_its_folder(tmp_path: Path) -> None:
    write(tmp_path, {"secret.html.j2": "secret"})
    folder = write(tmp_path / "templates", {NAME: "{% include '../secret.html.j2' %}"})
    with pytest.raises(RenderError, match=r"secret\.html\.j2 is missing"):
        render(folder)


def test_template_speaks_the_mail_s_language_and_escapes_what_it_is_given(tmp_path: Path) -> None:
    catalogue = 'msgid "Hello %(who)s"\nmsgstr "Moin, %(who)s"\n'
    line = "{{ _('Hello %(who)s', who=who) }}"
    folder = write(tmp_path, {"locales/de/mail.po": catalogue, NAME: line, "mail.txt.j2": line})
    assert render(folder, who="<b>") == "Moin, &lt;b&gt;"
    assert render(folder, name="mail.txt.j2", who="<b>") == "Moin, <b>"
