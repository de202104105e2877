"""Where a page leads and what its forms send, in one pass: a crawl reads thousands of pages."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

LINKS = ("href", "hx-get", "src")


@dataclass(frozen=True)
class Form:
    """A form, as a browser would send it untouched by this one of its buttons."""

    action: str
    fields: tuple[tuple[str, str], ...]
    is_get: bool = False


@dataclass
class _Form:
    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    buttons: list[dict[str, str]] = field(default_factory=list)


class Reading(HTMLParser):
    """One page; `links` and `forms()` once it was fed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self._forms: list[_Form] = []
        self._by_id: dict[str, _Form] = {}
        self._open: _Form | None = None
        self._elsewhere: list[tuple[str, str, dict[str, str]]] = []
        """Controls that name their form: it may stand further down."""
        self._select: dict[str, str] | None = None
        self._options: list[tuple[str | None, bool]] = []
        self._text: list[str] | None = None
        self._area: dict[str, str] = {}
        self.feed(html)
        self.close()
        for name, kind, attributes in self._elsewhere:
            if form := self._by_id.get(name):
                self._add(form, kind, attributes)

    def forms(self, url: str) -> Iterator[Form]:
        """Each form by each of its buttons."""
        for form in self._forms:
            for button in form.buttons:
                own = [(button["name"], button.get("value", ""))] if button.get("name") else []
                action = urljoin(url, button.get("formaction") or form.action)
                yield Form(action, (*form.fields, *own), form.method == "get")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.links += [found[name] for name in LINKS if name in found and found[name][:1] != "#"]
        if tag == "form":
            self._open = _Form(found["action"], found["method"])
            self._forms.append(self._open)
            self._by_id[found.get("id", "")] = self._open
        elif tag in ("input", "button"):
            self._meet(tag, found)
        elif tag == "select":
            self._select, self._options = found, []
        elif tag == "option":
            self._options.append((found.get("value"), "selected" in found))
            self._text = []
        elif tag == "textarea":
            self._area, self._text = found, []

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
        elif tag == "option" and self._options and self._options[-1][0] is None:
            text = " ".join("".join(self._text or []).split())
            self._options[-1] = (text, self._options[-1][1])
        elif tag == "select" and self._select is not None:
            chosen = [value for value, is_chosen in self._options if is_chosen]
            value = (chosen or [value for value, _ in self._options] or [""])[0] or ""
            self._meet("select", {**self._select, "value": value})
            self._select = None
        elif tag == "textarea":
            text = "".join(self._text or []).removeprefix("\n")
            self._meet("textarea", {**self._area, "value": text})
            self._text = None

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def _meet(self, kind: str, attributes: dict[str, str]) -> None:
        if "form" in attributes:
            self._elsewhere.append((attributes["form"], kind, attributes))
        elif self._open is not None:
            self._add(self._open, kind, attributes)

    def _add(self, form: _Form, kind: str, attributes: dict[str, str]) -> None:
        if kind == "button":
            if attributes.get("type", "submit") == "submit" and "disabled" not in attributes:
                form.buttons.append(attributes)
            return
        is_choice = attributes.get("type") in ("checkbox", "radio")
        if "name" in attributes and (not is_choice or "checked" in attributes):
            form.fields.append((attributes["name"], attributes.get("value", "on" * is_choice)))
