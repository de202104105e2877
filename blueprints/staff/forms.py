from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import request
from wtforms import BooleanField, PasswordField, StringField
from wtforms.validators import InputRequired

from blueprints.forms import Form, obeys
from domain.editing import EditedMeanwhile
from domain.errors import RuleBroken
from domain.people import check_email, check_name
from domain.roles import choice_of, read_choice, say_rights
from services.staff import Scope

ROLE, RIGHTS = "role-", "rights-"
"""How the fields of a scope begin; its key follows: a site's id, or "all"."""


class AccessForm(Form):
    """Rights by scope; each scope has a role, and ticks that count for an own mixture.

    What is not sent stays as it is (D4): a scope without its role, a mixture without its ticks.
    """

    seen = StringField()
    key = StringField()
    sure = BooleanField()
    title = StringField("What they are")
    # Not sent itself: what is wrong with the rights is said there.
    scopes = StringField("Rights")

    def rights(self, scopes: Sequence[Scope]) -> dict[str, Collection[str]]:
        """The rights that were sent, by the key of their scope; a broken one is refused."""
        held = {scope.key: scope.held for scope in scopes}
        sent: dict[str, Collection[str]] = {}
        for name in request.form:
            key = name.removeprefix(ROLE)
            if key == name:
                continue
            try:
                sent[key] = read_choice(request.form[name], self._ticked(key, held.get(key, ())))
            except RuleBroken as broken:
                self.refuse(broken)
        return sent

    def _ticked(self, key: str, held: Collection[str]) -> Collection[str]:
        if RIGHTS + key not in request.form:
            return held
        return [text for text in request.form.getlist(RIGHTS + key) if text]


class InviteForm(AccessForm):
    email = StringField(
        "Email", [InputRequired(message="Enter their email address."), obeys(check_email)]
    )
    name = StringField("Name")


class TokenForm(AccessForm):
    name = StringField("Name", [obeys(lambda text: check_name(text, who="a name for it"))])
    lasts = StringField("Works for")


class JoinForm(Form):
    """A new account for somebody who was invited."""

    name = StringField("Full name", [obeys(check_name)])
    password = PasswordField("Choose a password")


@dataclass(frozen=True, slots=True)
class Editing:
    """The form as its page shows it; `theirs` is what somebody else saved meanwhile."""

    form: AccessForm
    scopes: Sequence[Scope]
    seen: str = ""
    theirs: Mapping[str, str] = field(default_factory=dict)
    is_sent: bool = False
    asks_sure: bool = False
    status: int = 200

    def choice(self, scope: Scope) -> str:
        """The role that the page shows as chosen."""
        kept = choice_of(scope.held)
        return request.form.get(ROLE + scope.key, kept) if self.is_sent else kept

    def ticked(self, scope: Scope) -> Collection[str]:
        """The rights that the page shows as ticked."""
        if self.is_sent and RIGHTS + scope.key in request.form:
            return request.form.getlist(RIGHTS + scope.key)
        return scope.held


def refused(editing: Editing, broken: RuleBroken, *, status: int = 422) -> Editing:
    """The same page with the refusal; what was typed is kept."""
    form, seen, theirs = editing.form, editing.seen, dict[str, str]()
    if isinstance(broken, EditedMeanwhile):
        form.form_errors.append(broken.sentence)
        theirs = {one.field: _say(one.theirs) for one in broken.differences}
        seen, status = broken.mark, 409
    else:
        form.refuse(broken)
    asks = editing.asks_sure or broken.code == "own_staff_right"
    return Editing(form, editing.scopes, seen, theirs, True, asks, status)


def _say(value: Any) -> str:
    return value if isinstance(value, str) else say_rights(value)
