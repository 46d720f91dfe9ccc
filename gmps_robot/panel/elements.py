"""The few kinds of elements the page is laid out with. They hold words of ours and no data: the script fills them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nicegui import ui


@contextmanager
def box(tag: str, name: str, props: str = "", classes: str = "") -> Iterator[ui.element]:
    """Open an element with `name` as id and class."""
    with ui.element(tag).props(f'id="{name}" {props}').classes(f"{name} {classes}") as element:
        yield element


@contextmanager
def view(name: str, label: str) -> Iterator[None]:
    """Open one of the views between which the tabs switch."""
    with ui.element("section").props(
        f'id="view-{name}" role="tabpanel" aria-labelledby="tab-{name}" data-label="{label}" hidden'
    ).classes("view"):
        yield


@contextmanager
def card(name: str, label: str) -> Iterator[None]:
    """Open a framed region with a name for screen readers."""
    with ui.element("section").props(f'id="{name}-card" aria-label="{label}"').classes(f"card {name}-card"):
        yield


def text(tag: str, name: str, content: str, props: str = "", classes: str = "") -> None:
    """Add an element that holds fixed HTML of ours; the script may change it later."""
    ui.html(content, sanitize=False, tag=tag).props(f'id="{name}" {props}').classes(f"{name} {classes}")


def button(action: str, label: str, key: str = "", look: str = "", value: str = "") -> None:
    """Add a button that is sent as POST /api/<action>; `key` is its keyboard shortcut."""
    _button(f'data-action="{action}" data-value="{value}"', label, key, look)


def act(name: str, label: str, key: str = "", look: str = "") -> None:
    """Add a button that the script of its view handles."""
    _button(f'id="{name}" data-act="{name}"', label, key, look)


def _button(props: str, label: str, key: str, look: str) -> None:
    hint = f"<kbd>{key}</kbd>" if key else ""
    shortcut = f'aria-keyshortcuts="{key}" data-key="{key.lower()}"' if key else ""
    # Disabled until the first status says otherwise.
    ui.html(f"<span>{label}</span>{hint}", sanitize=False, tag="button").props(
        f'type="button" {props} {shortcut} disabled'
    ).classes(f"button {look}")


def chart(name: str) -> None:
    """Add an empty chart that the script draws into; the same numbers must also be there as words."""
    with box("div", name, 'aria-hidden="true"', "chart-box"):
        ui.echart({}).classes("chart")
