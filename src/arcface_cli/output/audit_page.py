"""The audit as one HTML file: no script, no other file, nothing fetched. Crops stand side by side in it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator
from html import escape

from arcface_cli.gallery.audit import Audit, Kind, Suspicion, Typicality
from arcface_cli.gallery.entries import StoredTemplate
from arcface_cli.inputs.names import printable
from arcface_cli.wording import counted

Crop = Callable[[int], bytes | None]
"""Template id -> its aligned face as a PNG, None where there is none to be had."""

MOST_ROWS = 2000
"""Templates in the table at the end, the least typical first."""

TITLES = {
    Kind.MISLABEL: ("Likely mislabels", "More like another subject's centre than like its own."),
    Kind.SPLIT: (
        "One person under two names",
        "The centres of both are as alike as one person's photographs.",
    ),
    Kind.DUPLICATE: ("Near-duplicate photographs", "A copy adds nothing, and makes its subject weigh more."),
    Kind.HUB: (
        "Photographs that attract everybody",
        "The nearest stranger of many subjects: often a poor picture.",
    ),
}

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .2rem; }
p { margin: .2rem 0 .8rem; }
.finding { border: 1px solid var(--line); border-radius: .5rem; padding: .8rem 1rem; margin: .8rem 0; }
.faces { display: flex; flex-wrap: wrap; gap: 1rem 1.8rem; margin: .6rem 0; }
.group h3 { font-size: .9rem; margin: 0 0 .4rem; overflow-wrap: anywhere; }
.group div { display: flex; flex-wrap: wrap; gap: .6rem; } .group { max-width: 100%; }
figure { margin: 0; width: 8.2rem; } figure img, .none { width: 112px; height: 112px; border-radius: .3rem; }
.none { background: var(--soft); display: grid; place-items: center; font-size: .8rem; }
figure.suspect img { outline: 3px solid #d33; } figcaption { font-size: .75rem; overflow-wrap: anywhere; }
code { display: block; background: var(--soft); padding: .3rem .5rem; border-radius: .3rem; margin: .2rem 0;
       white-space: pre-wrap; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; padding: .2rem .5rem;
       border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
td.n, th.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
"""

APART = {
    Kind.MISLABEL: "suspect, enrolled as ",
    Kind.DUPLICATE: "alike, both of ",
    Kind.HUB: "suspect, of ",
}
"""What stands over the suspects of a finding, before their subject's name."""


def audit_page(
    name: str, audit: Audit, templates: dict[int, StoredTemplate], members: dict[str, list[int]], crop: Crop
) -> str:
    """The whole page. name: of the gallery.  members: templates of each subject."""
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        "<meta name=viewport content='width=device-width, initial-scale=1'>",
        f"<title>Audit of {_text(name)}</title><style>{STYLE}</style>",
        f"<h1>Audit of {_text(name)}</h1>",
        f"<p>{counted(len(audit.templates), 'template')} of {counted(len(members), 'subject')}, "
        f"{counted(len(audit.suspicions), 'suspicion')}. "
        "Nothing was changed: look at the faces, and run the command if you agree.</p>",
        *(part for kind in Kind for part in _section(kind, audit, templates, members, crop)),
        "<h2>All templates, the least typical first</h2>",
        _table(audit.templates),
        "</html>\n",
    ]
    return "\n".join(parts)


def _text(text: str) -> str:
    """Anybody's name or path as text of the page: no markup, and no mark that turns the reading direction."""
    return escape(printable(text), quote=True)


def _section(
    kind: Kind,
    audit: Audit,
    templates: dict[int, StoredTemplate],
    members: dict[str, list[int]],
    crop: Crop,
) -> Iterator[str]:
    found = [each for each in audit.suspicions if each.kind is kind]
    title, meaning = TITLES[kind]
    yield f"<section id={kind}><h2>{title}: {len(found)}</h2><p>{meaning}</p>"
    for each in found:
        yield _finding(each, _shown(each, members), templates, crop)
    yield "</section>"


def _shown(found: Suspicion, members: dict[str, list[int]]) -> list[int]:
    """The templates to look at: the suspects, then some of each subject that they are compared with."""
    beside = [number for subject in found.subjects for number in members.get(subject, [])[:3]]
    return list(dict.fromkeys([*found.templates, *beside]))[:8]


def _finding(found: Suspicion, shown: Iterable[int], templates: dict[int, StoredTemplate], crop: Crop) -> str:
    own = "" if found.own is None else f", own centre {found.own:.3f}"
    faces = "".join(_groups(found, shown, templates, crop))
    commands = "".join(f"<code>{_text(line)}</code>" for line in found.commands)
    return (
        f"<div class=finding data-templates='{' '.join(map(str, found.templates))}'>"
        f"<b>{_suspects(found)}</b> {_text(found.reason)} (similarity {found.similarity:.3f}{own})"
        f"<div class=faces>{faces}</div>{commands}</div>"
    )


def _groups(
    found: Suspicion, shown: Iterable[int], templates: dict[int, StoredTemplate], crop: Crop
) -> Iterator[str]:
    """The faces of each subject side by side; a suspect that is to be told from them stands before all."""
    groups: dict[tuple[bool, str], list[str]] = {}
    for number in shown:
        template, is_suspect = templates[number], number in found.templates
        apart = is_suspect and found.kind is not Kind.SPLIT
        face = _face(number, template, crop(number), is_suspect)
        groups.setdefault((apart, template.subject), []).append(face)
    for (apart, subject), faces in groups.items():
        title = f"{APART[found.kind] if apart else ''}{_text(subject)}"
        yield f"<div class=group><h3>{title}</h3><div>{''.join(faces)}</div></div>"


def _suspects(found: Suspicion) -> str:
    return "" if found.kind is Kind.SPLIT else f"Template {found.templates[0]}"


def _face(number: int, template: StoredTemplate, png: bytes | None, is_suspect: bool) -> str:
    picture = "<div class=none>no crop</div>"
    if png is not None:
        data = base64.b64encode(png).decode("ascii")
        picture = f"<img alt='face of template {number}' src='data:image/png;base64,{data}'>"
    path = template.source_path.decode("utf-8", "surrogateescape")
    kind = " class=suspect" if is_suspect else ""
    return (
        f"<figure{kind}>{picture}<figcaption>template {number}<br>"
        f"<span title='{_text(path)}'>{_text(path.rpartition('/')[2])}</span>"
        "</figcaption></figure>"
    )


def _table(templates: Iterable[Typicality]) -> str:
    ranked = sorted(templates, key=lambda each: 2.0 if each.own is None else each.own)
    rows = "".join(_row(each) for each in ranked[:MOST_ROWS])
    more = f"<p>and {len(ranked) - MOST_ROWS} more</p>" if len(ranked) > MOST_ROWS else ""
    head = _cells(
        "th", ("template", "subject", "own centre", "nearest other", "similarity", "nearest stranger of")
    )
    return f"<div class=wide><table>{head}{rows}</table></div>{more}"


NUMBERS = (0, 2, 4, 5)
"""Columns of the table that hold numbers."""


def _row(each: Typicality) -> str:
    values = (
        str(each.template_id),
        each.subject,
        "" if each.own is None else f"{each.own:.3f}",
        "" if each.nearest is None else each.nearest,
        "" if each.nearest_similarity is None else f"{each.nearest_similarity:.3f}",
        str(each.attracts),
    )
    return _cells("td", values)


def _cells(tag: str, values: tuple[str, ...]) -> str:
    """A row of the table."""
    cells = (
        f"<{tag}{' class=n' if column in NUMBERS else ''}>{_text(value)}</{tag}>"
        for column, value in enumerate(values)
    )
    return f"<tr>{''.join(cells)}</tr>"
