"""An organisation out of this installation as one file, and into an empty one."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import click
from flask.cli import with_appcontext

from blueprints.acting import console_acts
from blueprints.clock import read_clock
from domain.errors import RuleBroken
from domain.words import count
from services.archive_import import Report, import_archive
from services.archive_owner import Owner
from services.archive_writing import list_parts, write_archive
from services.archives import find_organisation_named
from services.doctor import examine

MOST_JOINED = 20
"""So many addresses are named."""


def _say(text: str) -> None:
    click.echo(f"sundial: {text}")


@click.command("export")
@click.option("--organisation", required=True, help="Its code, or the slug of one of its sites.")
@click.option(
    "--to", "target", required=True, type=click.Path(path_type=Path), help="The new file."
)
@with_appcontext
def export_command(organisation: str, target: Path) -> None:
    """Write a whole organisation into one archive."""
    if target.exists():
        raise click.ClickException(f"{target} is there already.")
    part = target.with_name(f"{target.name}.part")
    try:
        organisation_id = find_organisation_named(organisation)
        parts = len(list_parts(organisation_id))
        # It holds everything about everybody: nobody else on this machine may read it.
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            made = write_archive(
                organisation_id,
                file,
                now=read_clock(),
                reach=lambda number, name: _say(f"{number + 1} of {parts}: {name}"),
            )
        part.rename(target)
    except RuleBroken as broken:
        raise click.ClickException(broken.sentence) from broken
    except OSError as error:
        raise click.ClickException(f"{error.strerror}: {error.filename or target}") from error
    finally:
        part.unlink(missing_ok=True)
    _say(f"{made.rows:,} rows, {target.stat().st_size:,} bytes in {target}")
    _say_sums(made.ledger)


@click.command("import")
@click.argument("archive", type=click.File("rb"))
@click.option("--dry-run", is_flag=True, help="Say what would be, and change nothing.")
@click.option("--owner", default="", help="An address that gets every right at all its sites.")
@click.option("--name", default="", help="The owner's name, where the archive knows none.")
@click.option("--password-stdin", is_flag=True, help="Read the owner's password from there.")
@with_appcontext
def import_command(
    archive: IO[bytes], dry_run: bool, owner: str, name: str, password_stdin: bool
) -> None:
    """Take an archive of a whole organisation in: all of it, or nothing."""
    if password_stdin and not owner:
        raise click.UsageError("--password-stdin goes with --owner.")
    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else ""
    with console_acts("import"):
        report = import_archive(
            archive,
            owner=Owner(owner, name, password) if owner else None,
            is_rehearsal=dry_run,
            now=read_clock(),
            say=_say,
        )
    _say_report(report)
    if report.faults:
        what = count(len(report.faults), "thing")
        raise click.ClickException(f"{what} against it. Nothing was taken in.")
    if dry_run:
        _say("nothing speaks against it. This was a dry run: nothing was changed.")
        return
    for sentence in examine(now=read_clock()):
        click.echo(f"warning: {sentence}")
    _say(f"{report.organisation} is here. Its staff sign in at /staff/sign-in")


def _say_report(report: Report) -> None:
    if report.organisation:
        _say(f"{report.organisation}, archive of {report.made_at}, venues {_join(report.slugs)}")
    for table, number in report.counts.items():
        click.echo(f"  {number:>9,}  {table}")
    _say_sums(report.ledger)
    for address in report.joined[:MOST_JOINED]:
        click.echo(f"joined: {address} has an account here already, and keeps it")
    if len(report.joined) > MOST_JOINED:
        click.echo(f"joined: and {len(report.joined) - MOST_JOINED} more")
    if report.owner:
        _say(report.owner)
    for fault in report.faults:
        click.echo(f"fault: {fault}")


def _say_sums(ledger: Mapping[str, Mapping[str, int]]) -> None:
    for currency, sums in sorted(ledger.items()):
        said = ", ".join(f"{kind} {amount}" for kind, amount in sorted(sums.items()))
        _say(f"ledger in {currency}, minor units: {said}")


def _join(names: tuple[str, ...]) -> str:
    return ", ".join(f"/{name}" for name in names) or "none"
