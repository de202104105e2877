"""A session type as it is sent and answered (2.1)."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from blueprints.api.kinds import (
    Answer,
    Currency,
    Duration,
    Flag,
    Many,
    Moment,
    ObjectId,
    ObjectIds,
    One,
    Positive,
    Shape,
    Text,
    Uuid,
    UuidInBody,
    Uuids,
    absent,
)
from blueprints.api.price_rules import PriceRule
from blueprints.api.recurrence_group_shapes import SessionRecurrenceGroup
from blueprints.api.summaries import CategorySummary, Media

ADDITION: dict[str, Any] = {"x-addition": True}

Visibility = Literal["public", "link_only", "private"]
VisibilityInput = Literal["public", "link_only", "private", "hidden", "members_only"]
CustomerCancellation = Literal["allowed", "disallowed", "unpaid"]


class MembershipBookingWindow(Shape):
    """Booking window of one membership type."""

    membership_type_id: UuidInBody
    max_advance_bookings_interval: Duration | None = None
    """How early members of this type may book. Null is no limit."""
    min_advance_bookings_interval: Duration | None = None
    """How late members of this type may book. Null is until the start."""


class OfferingRef(Shape):
    """Another offering to suggest."""

    offering_type: Text
    """Kind of offering, such as `session`."""
    offering_id: Text
    offering_name: Annotated[Text, Field(json_schema_extra={"readOnly": True})] = ""
    """What it is called; for a session that of its type."""
    display_name: Text | None = None
    """What it is called here instead."""
    offering_config: dict[str, Any] | None = None


class SeoMeta(Shape):
    """Title and description for browsers and search engines."""

    title: Text | None = None
    description: Text | None = None


class SessionType(Answer):
    """An offering that sessions are occurrences of."""

    NOT_ITS_VERSION: ClassVar[frozenset[str]] = frozenset(
        ("image", "categories", "recurrence_groups", "price_rules")
    )

    id: ObjectId
    organisation_id: Uuid
    site_id: Uuid
    """The one site that offers it."""
    name: Annotated[Text, Field(min_length=1)]
    """Name shown to customers and staff."""
    description: Text
    """Long text for customers, in Markdown."""
    summary: Annotated[Text, Field(json_schema_extra=ADDITION)]
    """One or two sentences for lists."""
    slug: Annotated[Text, Field(json_schema_extra=ADDITION)]
    """The last part of its page's address in the shop."""
    product_code: Text | None
    """Code for a till or property system."""
    external_id: Text | None
    """The id an integration knows this offering by."""
    currency: Currency
    """ISO 4217, lower case."""
    hidden_on_schedule: Flag
    """Left out of the staff calendar; customers see and book it."""
    image_id: Uuid | None
    image: Media | None
    """The picture; null when there is none."""
    offered_online: Flag
    """Whether customers can book it on the shopfront."""
    private: Flag
    """Older form of `visibility`: true unless that is `public`."""
    visibility: Visibility
    """Where the type shows on the shopfront."""
    duration: Positive
    """Minutes each session lasts."""
    max_baskets_per_session: Positive | None
    """How many parties may book one session. Null is no limit."""
    max_advance_bookings_interval: Duration | None
    """How long before the start booking opens. Null is no limit."""
    min_advance_bookings_interval: Duration | None
    """How long before the start booking closes. Null is until the start."""
    customers_only: Flag
    """Booking needs a signed-in customer account."""
    members_only: Flag
    """Booking needs an active membership."""
    max_bookings_per_member: Positive | None
    """How many bookings one member may hold on one session. Null is no limit."""
    permitted_membership_type_ids: list[Uuid]
    """Membership types that count for `members_only`. Empty is any active one."""
    membership_booking_windows_enabled: Flag
    """Whether the windows per membership type are in force."""
    membership_booking_windows: list[MembershipBookingWindow]
    """Booking windows that replace the general one for members of a type."""
    customer_cancellation_permitted: CustomerCancellation
    """Whether customers may cancel online; `unpaid`: while nothing has been paid on the order."""
    customer_cancellation_min_duration: Duration | None
    """How long before the start a customer can still cancel. Null is until the start."""
    waitlist_enabled: Flag
    """Full sessions take names for a waiting list."""
    min_guests: Positive
    """Fewest guests a booking may have."""
    max_guests: Positive | None
    """Most guests a booking may have. Null is no limit."""
    max_per_basket: Positive | None
    """How often the type may be in one basket. Null is no limit."""
    max_per_guest: Positive | None
    """How often the type may be given to one guest of a basket. Null is no limit."""
    price_rules: list[PriceRule]
    """In the order in which they are tried."""
    category_ids: list[ObjectId]
    """Categories the type is shown under."""
    categories: list[CategorySummary]
    recurrence_groups: Annotated[
        list[SessionRecurrenceGroup], Field(json_schema_extra={"deprecated": True})
    ] = absent()
    """Present when asked for. Prefer listing recurrence groups."""
    meta: SeoMeta
    upsell_offerings: list[OfferingRef]
    """Offered when the booking is confirmed."""
    cross_sell_offerings: list[OfferingRef]
    """Offered while booking."""
    related_retail_offerings: list[OfferingRef]
    """Goods to show beside it."""
    revenue_centre: Text | None
    """Where the revenue is posted."""
    include_pricing_on_calendar: Flag
    """Show a price under each day of the booking calendar."""
    updated_at: Moment
    deleted_at: Moment | None
    """When it was archived; null while live."""


class SessionTypeFields(Shape):
    """What of a session type can be written."""

    name: Annotated[Text, Field(min_length=1)] = absent()
    """Name shown to customers and staff. Plain text; HTML tags are refused."""
    description: Text | None = absent()
    """Long text for customers, in Markdown. Null is stored as empty."""
    summary: Annotated[Text | None, Field(json_schema_extra=ADDITION)] = absent()
    """One or two sentences for lists. Null is stored as empty."""
    product_code: Text | None = absent()
    """Code for a till or property system. Need not be unique."""
    external_id: Text | None = absent()
    """The id an integration knows this offering by."""
    currency: Currency = absent()
    """ISO 4217, read in any case."""
    hidden_on_schedule: Flag = absent()
    """Leaves the type out of the staff calendar. Customers see and book it as before."""
    image_id: Uuid | None = absent()
    """Picture of the listing and detail page, uploaded beforehand. Null removes it."""
    offered_online: Flag = absent()
    """Whether customers can book it on the shopfront. False leaves it to staff."""
    private: Flag = absent()
    """Unless `visibility` is sent: true turns `public` into `link_only`, false turns `link_only`
    into `public`; `private` is changed by neither."""
    visibility: VisibilityInput = absent()
    """`hidden` is stored as `link_only`; `members_only` as `public` with the flag `members_only`
    (422 if the same body sends that flag as false)."""
    duration: Positive = absent()
    """Minutes each session lasts. One length a type."""
    max_baskets_per_session: Positive | None = absent()
    """How many parties may book one session. Null is no limit."""
    max_advance_bookings_interval: Duration | None = absent()
    """How long before the start booking opens. Null is no limit."""
    min_advance_bookings_interval: Duration | None = absent()
    """How long before the start booking closes. Null is until the start."""
    customers_only: Flag = absent()
    """Booking needs a signed-in customer account."""
    members_only: Flag = absent()
    """Booking needs an active membership."""
    max_bookings_per_member: Positive | None = absent()
    """How many bookings one member may hold on one session. Null is no limit."""
    permitted_membership_type_ids: Uuids | None = absent()
    """Membership types that count for `members_only`. Null or empty is any active one. Ids of
    another brand are dropped without an error."""
    membership_booking_windows_enabled: Flag = absent()
    """Whether the windows per membership type are in force."""
    membership_booking_windows: list[MembershipBookingWindow] = absent()
    """Booking windows that replace the general one for members of a type."""
    customer_cancellation_permitted: CustomerCancellation = absent()
    """Whether customers may cancel online."""
    customer_cancellation_min_duration: Duration | None = absent()
    """How long before the start a customer can still cancel. Null is until the start."""
    waitlist_enabled: Flag = absent()
    """Full sessions take names for a waiting list, who are told when a place comes free."""
    min_guests: Positive = absent()
    """Fewest guests a booking may have."""
    max_guests: Positive | None = absent()
    """Most guests a booking may have, within the session's capacity. Null is no limit."""
    max_per_basket: Positive | None = absent()
    """How often the type may be in one basket. Null is no limit."""
    max_per_guest: Positive | None = absent()
    """How often the type may be given to one guest of a basket. Null is no limit."""
    category_ids: ObjectIds = absent()
    """Categories the type is shown under."""
    meta: SeoMeta = absent()
    """For search engines; a field of it that is not sent stays."""
    upsell_offerings: list[OfferingRef] = absent()
    """Offered when the booking is confirmed."""
    cross_sell_offerings: list[OfferingRef] = absent()
    """Offered while booking."""
    related_retail_offerings: list[OfferingRef] = absent()
    """Goods to show beside it."""
    revenue_centre: Text | None = absent()
    """Where the revenue is posted. Must be one of the site's."""
    include_pricing_on_calendar: Flag = absent()
    """Show a price under each day of the booking calendar."""


class SessionTypeCreate(SessionTypeFields):
    """A new type; only its name is required."""

    name: Annotated[Text, Field(min_length=1)]
    """Name shown to customers and staff. Plain text; HTML tags are refused."""
    organisation_id: Uuid = absent()
    """Organisation to book it to; the token's own."""


class _Repeated(SessionTypeFields):
    """What whoever fetched a type may send back as it is; another value is refused (C16)."""

    id: Annotated[Text, Field(json_schema_extra=ADDITION)] = absent()
    """May be repeated; can't be another."""
    site_id: Annotated[Text, Field(json_schema_extra=ADDITION)] = absent()
    """May be repeated; can't be another."""
    organisation_id: Annotated[Text, Field(json_schema_extra=ADDITION)] = absent()
    """May be repeated; can't be another."""


class SessionTypeUpdate(_Repeated):
    """Changes of a type; what is absent stays."""


class SessionTypeCopy(_Repeated):
    """What is different in the copy; the rest is taken over."""


class SessionTypeItem(One[SessionType]):
    """A session type."""


class SessionTypeList(Many[SessionType]):
    """A page of session types."""
