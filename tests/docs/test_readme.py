"""The README and the pages beside it are held to what the program does."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from console_blocks import Shown, first_untrue_line, shown_commands
from help_pages import (
    CHECKOUT,
    CLI_PAGE,
    README,
    WRITTEN_WITH,
    Command,
    cli_page,
    commands,
    options_of,
    readme_block,
)
from shell_sandbox import Sandbox

PAGES = sorted([README, CHECKOUT / "CHANGELOG.md", *(CHECKOUT / "docs").glob("*.md")])
SET_UP = ["pip install '.[cpu]' && arcface demo", "pip install '.[cpu,test]' && pytest"]
DEMO = "arcface demo -o tour"
SECONDS_FOR_DEMO = 100
PORTRAITS = {
    "obama.jpg": "obama/obama_0000.jpg",
    "obama2.jpg": "obama/obama_0001.jpg",
    "obama3.jpg": "obama/obama_0002.jpg",
    "biden.jpg": "biden/biden_0004.jpg",
}
"""What stands in for the demo's photographs where no package index can be reached."""

same_typer = pytest.mark.skipif(
    WRITTEN_WITH not in CLI_PAGE.read_text(encoding="utf-8"),
    reason=f"the help in the docs was laid out by other versions than {WRITTEN_WITH}: run make docs",
)


def test_the_readme_begins_with_the_two_commands_that_do_all_the_set_up() -> None:
    assert [shown.command for shown in shown_commands(README)][:2] == SET_UP


@pytest.fixture(scope="module")
def tour(
    sandbox: Sandbox, import_pack: Callable[[Path], None], shared_folder: Path | None
) -> Iterator[tuple[Sandbox, bool]]:
    """A sandbox in which the README's demo has run, and whether it ran on its own photographs."""
    if shared_folder is not None:
        import_pack(shared_folder / "models")
    try:
        its_own = sandbox.run(DEMO, timeout_s=SECONDS_FOR_DEMO).status == 0
    except subprocess.TimeoutExpired:
        its_own = False
    if not its_own and shared_folder is None:
        pytest.skip("the demo's weights and portraits can't be fetched, and none are beside the checkout")
    if not its_own and shared_folder is not None:
        (sandbox.folder / "tour" / "photos").mkdir(parents=True, exist_ok=True)
        for name, portrait in PORTRAITS.items():
            shutil.copyfile(
                shared_folder / "data" / "portraits" / portrait, sandbox.folder / "tour" / "photos" / name
            )
    yield sandbox, its_own


@pytest.fixture(scope="module")
def shared_folder(request: pytest.FixtureRequest) -> Path | None:
    """The folder of real photographs and weights, or None where it isn't."""
    try:
        folders = [request.getfixturevalue(name) for name in ("shared_data", "shared_models")]
    except pytest.skip.Exception:
        return None
    return Path(folders[0]).parent


def test_the_readme_shows_what_its_commands_print(tour: tuple[Sandbox, bool]) -> None:
    sandbox, its_own = tour
    told = [shown for shown in shown_commands(README) if not shown.command.startswith("pip ")]
    assert len(told) >= 9
    for shown in told:
        if shown.command == DEMO and not its_own:
            continue
        if shown.command == DEMO:
            shutil.rmtree(sandbox.folder / "tour")
        ran = sandbox.run(shown.command, terminal=True)
        assert ran.status == 0, (shown.command, ran.output)
        untrue = first_untrue_line(shown, ran.output, 0.02 if its_own else None)
        assert untrue is None, f"$ {shown.command}\nREADME: {untrue}\n{ran.output}"


def test_every_verb_is_part_of_the_readmes_tour() -> None:
    told = " ".join(shown.command for shown in shown_commands(README))
    assert all(f"arcface {verb} " in told for verb in ("align", "embed", "enroll", "identify", "verify"))


@same_typer
def test_the_readmes_help_is_the_programs() -> None:
    assert readme_block() in README.read_text(encoding="utf-8"), "run make docs"


@same_typer
def test_the_page_of_commands_is_what_help_prints() -> None:
    assert CLI_PAGE.read_text(encoding="utf-8") == cli_page(), "run make docs"


ALL_COMMANDS = [pytest.param(path, command, id=" ".join(path) or "arcface") for path, command in commands()]


@pytest.mark.parametrize(("path", "command"), ALL_COMMANDS)
def test_every_option_of_a_command_stands_in_its_section(path: Command, command: object) -> None:
    heading = "## " + " ".join(("arcface", *path))
    sections = dict(
        re.findall(r"^(## .*?)\n(.*?)(?=^## |\Z)", CLI_PAGE.read_text(encoding="utf-8"), re.M | re.S)
    )
    assert heading in sections
    missing = [name for name in options_of(command) if name.startswith("-") and name not in sections[heading]]
    assert not missing


def _links(page: Path) -> list[str]:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not link.startswith(("http", "mailto:"))]


def _anchors(page: Path) -> set[str]:
    """Names that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_inside_the_project_leads_somewhere(page: Path) -> None:
    for link in _links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link}"
        assert not anchor or anchor in _anchors(target), f"{page.name}: {link}"


@pytest.mark.parametrize("page", sorted((CHECKOUT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_every_page_is_on_the_map(page: Path) -> None:
    assert page.name == "index.md" or page.name in _links(CHECKOUT / "docs" / "index.md")


def _commands_on(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Command lines of arcface in the code of a page, and the words of each up to the next | or ;."""
    text = page.read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"^```(?:sh|bash|console)?\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    for line in [*code.splitlines(), *re.findall(r"`([^`]+)`", prose)]:
        for words in re.findall(r"(?:^|[\s(])arcface ((?:'[^']*'|[^'|;&#)])*)", line):
            yield line, re.sub(r"'[^']*'", "X", words).split()


@pytest.mark.parametrize("page", [page for page in PAGES if page != CLI_PAGE], ids=lambda page: page.name)
def test_commands_on_a_page_use_flags_that_there_are(page: Path) -> None:
    known = dict(commands())
    for line, words in _commands_on(page):
        path = max((path for path in known if tuple(words[: len(path)]) == path), key=len)
        flags = [word.partition("=")[0] for word in words if re.fullmatch(r"-{1,2}[a-zA-Z0][\w=-]*", word)]
        wrong = [flag for flag in flags if flag not in (*options_of(known[path]), "--help", "-h")]
        assert not wrong, f"{page.name}: {line}"
        assert path or not words or words[0].startswith("-") or words[0].isupper(), f"{page.name}: {line}"


def test_the_page_on_installing_names_every_extra() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    page = (CHECKOUT / "docs" / "install.md").read_text(encoding="utf-8")
    told = {word for extras in re.findall(r"\.\[([\w,]+)\]", page) for word in extras.split(",")}
    assert told == set(project["optional-dependencies"])


def test_an_untrue_line_is_noticed() -> None:
    shown = Shown(
        "arcface verify a b", ["answer  similarity", "same    0.6236", "…", "took 0.1 s, 9.0 a second"]
    )
    true = "answer similarity\nsame 0.6230\nnoise\ntook 7.7 s, 1.2 a second\n"
    assert first_untrue_line(shown, true, 0.02) is None
    assert first_untrue_line(shown, true.replace("0.6230", "0.7"), 0.02) == "same    0.6236"
    assert first_untrue_line(shown, true.replace("same", "other"), None) == "same    0.6236"
    assert first_untrue_line(shown, "answer similarity\nnoise\nsame 0.6236", 0.02) == "same    0.6236"
