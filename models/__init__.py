"""The tables, one file per aggregate."""

from models.acting import (
    SESSIONS_MADE,
    Actor,
    acting_as,
    because,
    current_deed,
    let_act,
    remember,
    remembered,
)
from models.archive import Archive, ArchivePart
from models.audit import AuditEntry, AuditValues
from models.base import (
    Base,
    before_commit,
    db,
    install_sqlite,
    is_joined,
    joining,
    new_object_id,
    new_uuid,
    refresh_statistics,
    transaction,
)
from models.finding import NAMED, FindingWord, install_finding, rewrite_words, words_of
from models.intake import BOOKER, IntakeAnswer, IntakeForm
from models.job import Job
from models.kiosk import Kiosk
from models.long_work import LongWork
from models.note import Note
from models.order import Guest, IdempotencyKey, LedgerEntry, Order, OrderItem, SessionBooking
from models.people import (
    RIGHTS,
    Account,
    AccountLink,
    Customer,
    FormerCustomer,
    Membership,
    MembershipType,
    SignInTry,
    StaffGrant,
)
from models.private_link import PrivateLink
from models.second_factor import Authenticator, Passkey, RecoveryCode, SignIn, SpentChallenge
from models.session import Session
from models.session_type import (
    PriceRule,
    RecurrenceGroup,
    RecurrenceStartTime,
    SessionType,
    session_type_categories,
)
from models.staff import ApiToken, ApiTokenGrant, StaffInvitation
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
from models.webhook import Webhook, WebhookDelivery
from models.wording import LetterWording

__all__ = [
    "BOOKER",
    "NAMED",
    "RIGHTS",
    "SESSIONS_MADE",
    "Account",
    "AccountLink",
    "Actor",
    "ApiToken",
    "ApiTokenGrant",
    "Archive",
    "ArchivePart",
    "AuditEntry",
    "AuditValues",
    "Authenticator",
    "Base",
    "Category",
    "ClosedDay",
    "Customer",
    "FindingWord",
    "FormerCustomer",
    "Guest",
    "IdempotencyKey",
    "IntakeAnswer",
    "IntakeForm",
    "Job",
    "Kiosk",
    "LedgerEntry",
    "LetterWording",
    "LongWork",
    "Media",
    "MediaFile",
    "Membership",
    "MembershipType",
    "Note",
    "Order",
    "OrderItem",
    "Organisation",
    "Passkey",
    "Practitioner",
    "PriceRule",
    "PrivateLink",
    "RecoveryCode",
    "RecurrenceGroup",
    "RecurrenceStartTime",
    "Room",
    "Session",
    "SessionBooking",
    "SessionType",
    "SignIn",
    "SignInTry",
    "Site",
    "SpentChallenge",
    "StaffGrant",
    "StaffInvitation",
    "TimeOff",
    "Unbound",
    "Webhook",
    "WebhookDelivery",
    "Zone",
    "acting_as",
    "because",
    "before_commit",
    "current_deed",
    "db",
    "install_finding",
    "install_sqlite",
    "install_walls",
    "is_joined",
    "joining",
    "let_act",
    "new_object_id",
    "new_uuid",
    "practitioner_sites",
    "practitioner_types",
    "refresh_statistics",
    "remember",
    "remembered",
    "rewrite_words",
    "session_type_categories",
    "transaction",
    "unbound",
    "words_of",
]
