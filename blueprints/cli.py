"""Commands for whoever runs the installation: demo, worker, doctor."""

import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import click
from flask import Flask, current_app
from flask.cli import AppGroup, with_appcontext

from blueprints.acting import console_acts, worker_acts
from blueprints.archive_commands import export_command, import_command
from blueprints.clock import read_clock
from blueprints.mailing import LETTERS
from blueprints.working import DEEDS, drain
from domain.errors import RuleBroken
from domain.roles import read_rights
from domain.words import count
from services.api_tokens import make_token_for
from services.demo import is_empty, list_sign_ins, load_demo
from services.doctor import examine, examine_outbox, find_warnings
from services.founding import Owner, found_organisation
from services.private_links import release_kept_places
from services.scheduling import roll_horizon_forward
from services.second_factor import switch_off_for
from services.sweeping import sweep
from services.waking import release_expired_holds, wake_forgotten

DEMO_FOLDER = Path(__file__).resolve().parent.parent / "demo"
ROUND = 3.0
"""Seconds between the worker's rounds."""
HORIZON_ROUNDS = 1200

demo = AppGroup("demo", help="The demo venues.")


def register_commands(app: Flask) -> None:
    """Add the commands to `flask --app app`."""
    app.cli.add_command(demo)
    app.cli.add_command(found)
    app.cli.add_command(export_command)
    app.cli.add_command(import_command)
    app.cli.add_command(worker)
    app.cli.add_command(api_token)
    app.cli.add_command(doctor)
    app.cli.add_command(second_factor_off)


@demo.command("load")
@click.option("--if-empty", is_flag=True, help="Do nothing when there is an organisation already.")
def load(if_empty: bool) -> None:
    """Load the venues of demo/ with their diary."""
    if not is_empty():
        if if_empty:
            click.echo("sundial: the database has its venues already")
            return
        raise click.ClickException("The database is not empty; the demo is for an empty one.")
    if current_app.config["PRODUCTION"]:
        raise click.ClickException("The demo is not for production.")
    with console_acts("demo load"):
        load_demo(DEMO_FOLDER, now=read_clock(), say=lambda text: click.echo(f"sundial: {text}"))


@demo.command("sign-ins")
def sign_ins() -> None:
    """Print who can sign in to the demo."""
    for name, role, email, password in list_sign_ins(DEMO_FOLDER):
        click.echo(f"  {name:<34} {role:<40} {email:<32} {password}")


@click.command("found")
@click.option("--organisation", prompt="Name of the organisation")
@click.option("--code", prompt="Its short code, like STILL")
@click.option("--site", "name", prompt="Name of the first venue")
@click.option("--place", default="", help="Where it is, shown after its name.")
@click.option("--slug", prompt="Its address, like north-light")
@click.option("--zone", prompt="Time zone, like Europe/London")
@click.option("--currency", prompt="Currency, like GBP")
@click.option("--locale", default="en_GB", show_default=True, help="How amounts are written.")
@click.option("--owner", prompt="Name of the owner")
@click.option("--email", prompt="The owner's email")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@with_appcontext
def found(
    organisation: str, code: str, owner: str, email: str, password_stdin: bool, **site: str
) -> None:
    """Begin: an organisation, its first venue, and an owner who may do everything."""
    password: str
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = click.prompt("The owner's password", hide_input=True, confirmation_prompt=True)
    try:
        with console_acts("found"):
            slug = found_organisation(
                organisation, code, site, Owner(owner, email, password), now=read_clock()
            )
    except RuleBroken as broken:
        raise click.ClickException(f"{broken.field}: {broken.sentence}") from broken
    click.echo(f"sundial: {organisation} stands. Sign in at /staff/{slug}/settings")


@click.command("api-token")
@click.option("--organisation", required=True, help="Its name or short code.")
@click.option("--rights", required=True, help="Like SETTINGS_MANAGE,RESERVATIONS_MANAGE.")
@click.option("--site", default="", help="The address of one venue; without it, all venues.")
@click.option("--name", default="Made at the command line", help="What it is for.")
@with_appcontext
def api_token(organisation: str, rights: str, site: str, name: str) -> None:
    """Make an API token and print it, alone: it is shown this once."""
    try:
        with console_acts("api-token"):
            plain = make_token_for(
                organisation, read_rights(rights), site=site, name=name, now=read_clock()
            )
    except RuleBroken as broken:
        raise click.UsageError(broken.sentence) from broken
    click.echo(plain)


@click.command("worker")
@click.option("--rounds", type=int, default=None, help="Stop after so many rounds.")
def worker(rounds: int | None) -> None:
    """Let go of expired holds, send mail, keep open series scheduled, sweep."""
    stop = threading.Event()

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, ask_to_stop)
    number = 0
    while not stop.is_set() and (rounds is None or number < rounds):
        _one_round(number)
        number += 1
        if number != rounds:
            stop.wait(ROUND)


def _one_round(number: int) -> None:
    _attempt(_release)
    _attempt(drain)
    if number % HORIZON_ROUNDS == 0:
        _attempt(lambda: roll_horizon_forward(now=read_clock()))
        _attempt(lambda: sweep(now=read_clock()))


def _attempt(step: Callable[[], object]) -> None:
    try:
        with worker_acts("worker"):
            step()
    except Exception:
        # The outermost door: a database that is away for a minute must not end the worker.
        current_app.logger.exception("a step of the worker failed; the next round tries again")


def _release() -> None:
    wake_forgotten(read_clock())
    ended = release_expired_holds(read_clock())
    if ended:
        current_app.logger.info("let go of %s expired holds", ended)
    release_kept_places(read_clock())


@click.command("doctor")
def doctor() -> None:
    """Recompute every promise from the facts."""
    wrong = [*examine(now=read_clock()), *examine_outbox(DEEDS, LETTERS)]
    for warning in find_warnings(now=read_clock()):
        click.echo(f"warning: {warning}")
    for sentence in wrong:
        click.echo(sentence)
    if wrong:
        verb = "is" if len(wrong) == 1 else "are"
        raise click.ClickException(f"{count(len(wrong), 'thing')} {verb} wrong.")
    click.echo("sundial: all is well")


@click.command("second-factor-off")
@click.argument("email")
@with_appcontext
def second_factor_off(email: str) -> None:
    """Switch off the app of somebody who lost it and the recovery codes; they are told by mail."""
    try:
        with console_acts("second-factor-off"):
            switch_off_for(email, now=read_clock())
    except RuleBroken as broken:
        raise click.ClickException(broken.sentence) from broken
    click.echo("sundial: switched off; signing in asks for no code any more")
