"""What the mail says that invites somebody to the staff."""

from typing import Any

from blueprints.booking_words import Details
from blueprints.clock import read_clock
from blueprints.links import public_url, sign_link
from blueprints.mailing import Letter, letter
from domain.words import say_day, say_time
from services.staff_invitations import LETTER, find_written

PURPOSE = "staff-invitation"


@letter(LETTER)
def staff_invitation(payload: dict[str, Any]) -> Letter | None:
    number = int(payload["number"])
    written = find_written(str(payload["invitation"]), number, now=read_clock())
    if written is None:
        return None
    offer, is_useful = written
    ends = offer.expires_at.astimezone(offer.site.zoneinfo)
    token = sign_link(f"{offer.id}:{number}", PURPOSE)
    return Letter(
        to=offer.email,
        name=offer.name,
        subject=f"{offer.invited_by} invites you to work with {offer.organisation}",
        paragraphs=(
            f"{offer.invited_by} would like you to join the staff of {offer.organisation}"
            f"{f' as {offer.title}' if offer.title else ''}.",
        ),
        details=(Details("What you could work with", offer.access),),
        action=("See the invitation", public_url("staff.offer", token=token)),
        small=(
            f"The link works until {say_day(ends.date())}, {say_time(ends)}, once.",
            "If you don't know who this is, there is nothing to do: "
            "nothing happens without the link.",
        ),
        is_useful=is_useful,
        site=offer.site,
    )
