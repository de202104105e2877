from wtforms import BooleanField, PasswordField, StringField

from blueprints.forms import Form, obeys
from domain.people import check_email, check_name


class RegisterForm(Form):
    name = StringField("Full name", [obeys(check_name)])
    email = StringField("Email", [obeys(check_email)])


class AddressForm(Form):
    """Where a link is to go."""

    email = StringField("Email", [obeys(check_email)])


class OpenAccountForm(Form):
    name = StringField("Full name", [obeys(check_name)])
    password = PasswordField("Password")
    remember = BooleanField("Keep me signed in here")


class ArriveForm(Form):
    """The button of a sign-in link."""

    remember = BooleanField("Keep me signed in here")


class NewPasswordForm(Form):
    password = PasswordField("New password")


class NameForm(Form):
    name = StringField("Full name", [obeys(check_name)])


class ChangeAddressForm(Form):
    email = StringField("New email", [obeys(check_email)])
    address_password = PasswordField("Your password")


class ChangePasswordForm(Form):
    current = PasswordField("Password now")
    password = PasswordField("New password")


class CloseForm(Form):
    password = PasswordField("Your password")


class CodeForm(Form):
    """A code of the app, or a recovery code."""

    code = StringField("Code")


class PasskeyForm(Form):
    """What the browser's script fills in, and the name that its owner gives."""

    name = StringField("Name")
    credential = StringField("Answer of the device")
    ticket = StringField("Ticket")


class PasskeyNameForm(Form):
    name = StringField("Name")
