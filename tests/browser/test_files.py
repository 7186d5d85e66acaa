"""The page's files, read without a browser."""

from __future__ import annotations

import re
from pathlib import Path

import sandbox.slack

PAGE = Path(sandbox.slack.__file__).parent / "page"


def named(pattern: str) -> set[str]:
    return set(re.findall(pattern, (PAGE / "index.html").read_text("utf-8")))


def test_every_module_is_fetched_at_once() -> None:
    """The page names its modules ahead, so that they load side by side and not one after the other."""
    modules = {path.name for path in (PAGE / "scripts").iterdir()}
    assert named(r'rel="modulepreload" href="/page/static/scripts/([a-z]+\.js)"') == modules - {"app.js"}


def test_every_style_is_used() -> None:
    """No style lies about unused."""
    assert named(r'href="/page/static/styles/([a-z]+\.css)"') == {path.name for path in (PAGE / "styles").iterdir()}


def test_no_text_can_become_markup() -> None:
    """Nothing in the page parses text as HTML or runs it, and its policy would refuse to."""
    parsing = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\(|new Function")
    assert [path.name for path in (PAGE / "scripts").iterdir() if parsing.search(path.read_text("utf-8"))] == []
    assert "default-src 'none'; script-src 'self'" in (PAGE / "index.html").read_text("utf-8")


def test_nothing_comes_from_elsewhere() -> None:
    """Fonts, scripts, styles and pictures of the page are its own."""
    elsewhere = re.compile(r"https?://(?!127\.0\.0\.1|localhost|www\.w3\.org|docs\.slack\.dev)[a-z]")
    files = [path for path in PAGE.rglob("*") if path.is_file()]
    assert [path.name for path in files if elsewhere.search(path.read_text("utf-8"))] == []
