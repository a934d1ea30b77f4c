"""A grid of observations, class by class, that can be clicked."""

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st
from streamlit.components import v2 as components

HTML = '<div class="atlas"></div>'

CSS = """
.atlas { display: flex; flex-wrap: wrap; gap: 10px; font-family: var(--st-font); }
.group { border: 1px solid var(--st-border-color); border-left: 5px solid var(--colour);
  border-radius: 6px; padding: 8px 8px 6px; }
.group.is-chosen { background: var(--st-secondary-background-color); box-shadow: 0 0 0 2px var(--colour); }
.group > span { display: block; font-size: 12px; color: var(--st-text-color); opacity: .75; margin-bottom: 5px; }
.pictures { display: flex; flex-wrap: wrap; gap: 5px; }
button { all: unset; cursor: pointer; border-radius: 4px; line-height: 0; outline: 2px solid transparent; }
button:hover { outline-color: #b9d6e0; }
button:focus-visible { outline-color: var(--st-text-color); }
button[aria-pressed="true"] { outline: 3px solid var(--st-primary-color); }
img { width: 52px; height: 52px; border-radius: 3px; display: block; }
"""

JS = """
export default function ({ data, parentElement, setTriggerValue }) {
  const atlas = parentElement.querySelector(".atlas");
  atlas.replaceChildren(...data.groups.map((group) => {
    const box = document.createElement("div");
    box.className = group.is_chosen ? "group is-chosen" : "group";
    box.style.setProperty("--colour", group.colour);
    const name = document.createElement("span");
    name.textContent = group.name;
    const pictures = document.createElement("div");
    pictures.className = "pictures";
    pictures.append(...group.pictures.map((picture) => {
      const button = document.createElement("button");
      button.type = "button";
      button.title = picture.title;
      button.setAttribute("aria-label", picture.title);
      button.setAttribute("aria-pressed", String(picture.frame === data.chosen));
      button.onclick = () => setTriggerValue("clicked", picture.frame);
      const image = document.createElement("img");
      image.src = picture.address;
      image.alt = "";
      button.append(image);
      return button;
    }));
    box.append(name, pictures);
    return box;
  }));
}
"""


@dataclass(frozen=True)
class Picture:
    """One observation in the atlas."""

    frame: int
    title: str
    address: str
    """a `data:` address"""


@dataclass(frozen=True)
class Group:
    """Observations that stand together."""

    name: str
    colour: str
    """`#rrggbb`"""
    pictures: tuple[Picture, ...]


def show_atlas(groups: tuple[Group, ...], *, chosen: int, on_click: Callable[[int], None]) -> None:
    """Show the groups with the observation `chosen` marked; a click on another one calls `on_click` with its frame."""

    def clicked() -> None:
        frame = st.session_state["atlas"].clicked
        if frame is not None:
            on_click(int(frame))

    _component()(
        key="atlas",
        data={
            "chosen": chosen,
            "groups": [
                {
                    "name": group.name,
                    "colour": group.colour,
                    "is_chosen": any(picture.frame == chosen for picture in group.pictures),
                    "pictures": [vars(picture) for picture in group.pictures],
                }
                for group in groups
            ],
        },
        on_clicked_change=clicked,
    )


@st.cache_resource
def _component() -> Callable[..., object]:
    return components.component("dtinterp_atlas", html=HTML, css=CSS, js=JS)
