from flask import request
from wtforms import StringField

from blueprints.forms import Form, obeys
from blueprints.webhooks.area import is_private_allowed
from domain.people import check_name
from domain.webhooks import read_kinds, read_url
from services.webhooks import WebhookLine, Wish

ALL = "all"


class KeyForm(Form):
    """A button: pressed twice it is one deed."""

    key = StringField()


class WebhookForm(Form):
    key = StringField()
    name = StringField("Name", [obeys(lambda text: check_name(text, who="a name for it"))])
    url = StringField(
        "Address", [obeys(lambda text: read_url(text, is_private_allowed=is_private_allowed()))]
    )
    where = StringField("Where")
    kinds = StringField("Events", [obeys(lambda _: read_kinds(sent_kinds()))])

    def wish(self) -> Wish:
        """What was sent, as the service takes it."""
        where = self.where.data or ""
        return Wish(
            self.name.data or "",
            self.url.data or "",
            sent_kinds(),
            None if where == ALL else where,
        )


def sent_kinds() -> list[str]:
    """The events that were ticked."""
    return [kind for kind in request.form.getlist("kinds") if kind]


def form_of(line: WebhookLine) -> WebhookForm:
    """The form as it opens for one that there is."""
    return WebhookForm(formdata=None, name=line.name, url=line.url, where=line.site_id or ALL)
