"""A form being edited: the cards as they were sent, moved about without losing a letter."""

import re
from dataclasses import dataclass

from flask import request

from domain.intake import MAX_FIELDS, WITH_OPTIONS, Field, fresh_id

_CARD = re.compile(r"id-([0-9]{1,4})")
MOST_CARDS = MAX_FIELDS + 10
"""Beyond this a request was not made by our page; the rule itself speaks at 41."""


@dataclass(frozen=True, slots=True)
class Card:
    """One question's card; the options are a text with one on each line."""

    id: str
    label: str = ""
    kind: str = "text"
    help: str = ""
    required: bool = True
    asked_of: str = "booker"
    options: str = ""

    @classmethod
    def of(cls, field: Field) -> "Card":
        return cls(
            field.id,
            field.label,
            field.kind,
            field.help,
            field.required,
            field.asked_of,
            "\n".join(field.options),
        )

    @classmethod
    def sent(cls, number: str) -> "Card":
        def text(name: str) -> str:
            return request.form.get(f"{name}-{number}", "")

        return cls(
            text("id"),
            text("label"),
            text("kind"),
            text("help"),
            f"required-{number}" in request.form,
            text("asked_of"),
            text("options"),
        )

    @property
    def field(self) -> Field:
        """The question as typed; options typed for another kind stay on the card alone."""
        options = self.options.splitlines() if self.kind in WITH_OPTIONS else ()
        return Field(
            self.id,
            self.label,
            self.kind,
            self.help,
            self.required,
            self.asked_of,
            tuple(line for line in options if line.strip()),
        )


def sent_cards() -> list[Card]:
    """The cards of this request, in the order of their numbers."""
    numbers = [found[1] for name in request.form if (found := _CARD.fullmatch(name))]
    return [Card.sent(number) for number in sorted(set(numbers), key=int)[:MOST_CARDS]]


def arranged(cards: list[Card], what: str, known: set[str]) -> list[Card]:
    """The cards after a press of add, remove-2, up-2 or down-2; any other word changes nothing."""
    if what == "add" and len(cards) < MAX_FIELDS:
        return [*cards, Card(fresh_id({*known, *(card.id for card in cards)}))]
    found = re.fullmatch(r"(remove|up|down)-([0-9]{1,3})", what)
    if found is None or int(found[2]) >= len(cards):
        return cards
    at = int(found[2])
    rest = [*cards[:at], *cards[at + 1 :]]
    if found[1] == "remove":
        return rest
    to = max(0, at - 1) if found[1] == "up" else at + 1
    return [*rest[:to], cards[at], *rest[to:]]
