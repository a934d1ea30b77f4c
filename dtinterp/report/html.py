"""Words and attributes become markup in which nothing is left unescaped."""

from collections.abc import Iterable
from html import escape
from typing import TypeAlias


class Html(str):
    """Markup that was built here; every other string is text and is escaped."""

    __slots__ = ()


Content: TypeAlias = Html | str
Attribute: TypeAlias = str | int | float | bool | None

VOID = {"br", "hr", "img", "meta", "link", "use"}
"""Elements that have no end tag."""


def element(tag: str, *content: Content, **attributes: Attribute) -> Html:
    """Return `<tag …>content</tag>`.

    A trailing underscore of an attribute's name is dropped and the others become hyphens (`class_`, `aria_label`).
    Attributes that are None or False are left out, and True ones stand bare.
    """
    opening = f"<{tag}{''.join(_attribute(name, value) for name, value in attributes.items())}>"
    return Html(opening if tag in VOID else f"{opening}{join(content)}</{tag}>")


def join(parts: Iterable[Content], between: Content = "") -> Html:
    """Return the parts one after the other, text escaped."""
    return Html(_markup(between).join(_markup(part) for part in parts))


def words(*parts: Content) -> Html:
    """Return a run of text and markup."""
    return join(parts)


def _markup(part: Content) -> str:
    return part if isinstance(part, Html) else escape(part, quote=False)


def _attribute(name: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    written = name.rstrip("_").replace("_", "-")
    return f" {written}" if value is True else f' {written}="{escape(str(value))}"'
