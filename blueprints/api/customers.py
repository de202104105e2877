"""Customers of an organisation: found and read. They come by booking, and change by themselves."""

from collections.abc import Sequence
from typing import Literal

from blueprints.api.kinds import Answer, Day, Many, Moment, ObjectId, One, Text, Uuid
from blueprints.api.operations import Call, operation
from blueprints.api.paging import Paged, say_page
from domain.memberships import Held
from domain.roles import CUSTOMERS
from models import Customer as CustomerRow
from services.customers import find_standing_customer, held_by, page_customers
from services.whereabouts import find_house

TAG = "Customers"


class CustomerMembership(Answer):
    """A membership that a customer holds or held."""

    id: ObjectId
    membership_type_id: Uuid
    name: str
    first_day: Day
    last_day: Day | None
    """Last day, included; null for an open end."""
    state: Literal["active", "paused", "ended"]


class Customer(Answer):
    """Somebody who has booked, with an account or without, the same at all sites."""

    id: ObjectId
    name: str
    email: str
    """Empty when none was given."""
    phone: str
    """Empty when none was given."""
    has_account: bool
    """Whether they sign in; otherwise they book as a guest."""
    memberships: list[CustomerMembership]
    """The latest first."""
    created_at: Moment
    erased_at: Moment | None
    """Since when nothing says any more who this was; null for everybody else."""


class CustomerItem(One[Customer]):
    """A customer."""


class CustomerList(Many[Customer]):
    """A page of customers."""


class CustomerQuery(Paged):
    """Who is wanted."""

    query: Text = ""
    """Words of which name, address, phone or order reference has every one."""
    email: Text | None = None
    """Only who has just this address, in whatever case."""


def _show(row: CustomerRow, held: Sequence[Held]) -> Customer:
    return Customer(
        id=row.id,
        name=row.name,
        email=row.email,
        phone=row.phone,
        has_account=row.account_id is not None,
        memberships=[
            CustomerMembership.model_validate(
                {
                    "id": one.id,
                    "membership_type_id": one.type_id,
                    "name": one.type_name,
                    "first_day": one.first_day,
                    "last_day": one.last_day,
                    "state": one.state,
                }
            )
            for one in held
        ],
        created_at=row.created_at,
        erased_at=row.erased_at,
    )


def _item(call: Call, customer_id: str) -> CustomerItem:
    row = find_standing_customer(call.organisation_id, customer_id)
    return CustomerItem(data=_show(row, held_by(call.organisation_id, [row.id])[row.id]))


@operation(
    "listCustomers",
    "GET",
    "/customers",
    tag=TAG,
    summary="Find customers",
    description="By name, without those who were erased. The right at any site is enough: "
    "customers are the organisation's.",
    right=CUSTOMERS,
    of=find_house,
    query=CustomerQuery,
    gives=CustomerList,
    codes=(400, 401, 403),
    rules=("R1", "R21"),
    is_addition=True,
)
def list_customers(call: Call) -> CustomerList:
    wanted = call.query
    found = page_customers(
        call.organisation_id, search=wanted.query.strip()[:100], email=wanted.email, cut=wanted.cut
    )
    held = held_by(call.organisation_id, [row.id for row in found.rows])
    return say_page(found, CustomerList, lambda row: _show(row, held[row.id]))


@operation(
    "getCustomer",
    "GET",
    "/customers/<customer_id>",
    tag=TAG,
    summary="Fetch one customer",
    description="The id of one who was merged answers with whoever they became: read `id`. "
    "Somebody who was erased is still there, without what says who it was.",
    right=CUSTOMERS,
    of=find_house,
    gives=CustomerItem,
    codes=(401, 403, 404),
    rules=("R1",),
    is_addition=True,
    current=_item,
)
def get_customer(call: Call, customer_id: str) -> CustomerItem:
    return _item(call, customer_id)
