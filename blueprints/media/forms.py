from wtforms import StringField

from blueprints.forms import Form


class PictureForm(Form):
    picture = StringField("Picture")
    alt = StringField("What it shows")
    seen = StringField()
    key = StringField()
