"""What MkDocs does with the pages of docs/ beyond its own: CONTRIBUTING.md, links to source files, formulas.

Named in mkdocs.yml under `hooks`; MkDocs calls each `on_…`.
"""

import html
import logging
import posixpath
import re
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
CONTRIBUTING = "CONTRIBUTING.md"
# Warnings of MkDocs' own loggers fail a strict build.
log = logging.getLogger("mkdocs.hooks.site")

_LINK = re.compile(r"\[([^\]]*)\]\(((?:\.\./)+[^)#\s]*)(#[^)\s]*)?\)")
_FORMULA = re.compile(r'<(div|span) class="arithmatex">\\[\[(](.*?)\\[\])]</\1>', re.DOTALL)


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """CONTRIBUTING.md lies where newcomers look for it, beside README.md."""
    text = (ROOT / CONTRIBUTING).read_text().replace("](docs/", "](")
    files.append(File.generated(config, CONTRIBUTING, content=text))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> str:
    """A link out of docs/ is the file's path: the site does not hold it, but for CONTRIBUTING.md."""

    def path(link: re.Match[str]) -> str:
        folder = posixpath.join("docs", posixpath.dirname(page.file.src_uri))
        text, target = link[1].strip("`"), posixpath.normpath(posixpath.join(folder, link[2]))
        if target == CONTRIBUTING:
            return f"[{text}]({CONTRIBUTING}{link[3] or ''})"
        if not (ROOT / target).exists():
            log.warning("%s links to %s, which is not there", page.file.src_uri, target)
        return f"`{target}`" if text in target else f"{text} (`{target}`)"

    return _LINK.sub(path, markdown)


def on_page_content(content: str, **_: Any) -> str:
    """Formulas as MathML, which browsers draw without a script."""

    def formula(found: re.Match[str]) -> str:
        return convert(html.unescape(found[2]).strip(), display="block" if found[1] == "div" else "inline")

    return _FORMULA.sub(formula, content)
