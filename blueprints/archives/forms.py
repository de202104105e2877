from wtforms import StringField

from blueprints.forms import Form


class ArchiveForm(Form):
    key = StringField()
