"""The tables, one file per aggregate."""

from models.acting import Actor, acting_as, because, let_act
from models.audit import AuditEntry, AuditValues
from models.base import Base, db, install_sqlite, new_object_id, new_uuid, transaction
from models.intake import BOOKER, IntakeAnswer, IntakeForm
from models.job import Job
from models.long_work import LongWork
from models.order import Guest, IdempotencyKey, LedgerEntry, Order, OrderItem, SessionBooking
from models.people import (
    RIGHTS,
    Account,
    AccountLink,
    Customer,
    Membership,
    MembershipType,
    SignInTry,
    StaffGrant,
)
from models.private_link import PrivateLink
from models.session import Session
from models.session_type import (
    PriceRule,
    RecurrenceGroup,
    RecurrenceStartTime,
    SessionType,
    session_type_categories,
)
from models.venue import (
    Category,
    ClosedDay,
    Media,
    MediaFile,
    Organisation,
    Practitioner,
    Room,
    Site,
    TimeOff,
    Zone,
    practitioner_sites,
    practitioner_types,
)
from models.walls import Unbound, install_walls, unbound
from models.wording import LetterWording

__all__ = [
    "BOOKER",
    "RIGHTS",
    "Account",
    "AccountLink",
    "Actor",
    "AuditEntry",
    "AuditValues",
    "Base",
    "Category",
    "ClosedDay",
    "Customer",
    "Guest",
    "IdempotencyKey",
    "IntakeAnswer",
    "IntakeForm",
    "Job",
    "LedgerEntry",
    "LetterWording",
    "LongWork",
    "Media",
    "MediaFile",
    "Membership",
    "MembershipType",
    "Order",
    "OrderItem",
    "Organisation",
    "Practitioner",
    "PriceRule",
    "PrivateLink",
    "RecurrenceGroup",
    "RecurrenceStartTime",
    "Room",
    "Session",
    "SessionBooking",
    "SessionType",
    "SignInTry",
    "Site",
    "StaffGrant",
    "TimeOff",
    "Unbound",
    "Zone",
    "acting_as",
    "because",
    "db",
    "install_sqlite",
    "install_walls",
    "let_act",
    "new_object_id",
    "new_uuid",
    "practitioner_sites",
    "practitioner_types",
    "session_type_categories",
    "transaction",
    "unbound",
]
