"""What an operation of the API declares, and the way that every request goes through it.

`@operation(...)` registers a view and wraps it. In this order a request meets: its token (401),
how often it asks (429), the thing that the address names and its site (404), the right there
(403), the values in the address (400), the body (400, 422), `If-Match` (412), and the view, which
calls one service and gives back what is answered. A write runs in one transaction, with the
answer kept under its `Idempotency-Key` (H6). The document is made of the same declarations
(blueprints/api/document.py).
"""

import datetime as dt
import functools
import hashlib
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from flask import Response, request
from pydantic import BaseModel, ValidationError

from blueprints.api.area import bp
from blueprints.api.kinds import One
from blueprints.api.tokens import find_bearer
from blueprints.clock import utcnow
from blueprints.json_errors import list_problems, say_refusal
from blueprints.security import TOKEN, needs
from domain.api import Erased, Forbidden, Stale, Unreadable, WrongBody
from domain.errors import NotFound, RuleBroken, WrongState
from domain.pictures import MAX_BYTES
from models import db
from services.api_tokens import Bearer
from services.idempotency import FORGOTTEN, OF_PROGRAMS, once_as_one
from services.places import lock_site
from services.venue_settings import lock_sites
from services.whereabouts import list_site_ids

MOST_KEY = 255
MOST_DEEP = 32
WRITES = ("POST", "PUT", "DELETE")
SLACK = 64 * 1024
"""What a form is larger than the file in it."""

FindSite = Callable[[str, str], str | Sequence[str]]
"""From the organisation's id and the first id of the path to the site of the thing.

Somebody may work at several sites, and categories, pictures, customers and membership types are
the organisation's: they are of all its sites. Then the right at any one of them is enough, as
every page of these things can be opened at each of the sites.
"""

FindNewPlace = Callable[["Call", Mapping[str, Any]], str]
"""From what was sent, not yet checked, to the site that a new thing goes to."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request, as far as it was read: who asks, at which site, and what is wanted.

    `site_id` is that of the thing in the path, "" where the path names none; of several sites
    (`places`) it is the first at which the caller may do this. `given` are the fields that the
    body carries, as Python values: absent ones are absent (R3). `ids` are those of the path.
    """

    bearer: Bearer
    organisation_id: str
    site_id: str
    now: dt.datetime
    query: Any = None
    body: Any = None
    given: Mapping[str, Any] = field(default_factory=dict)
    key: str = ""
    ids: Mapping[str, str] = field(default_factory=dict)
    places: tuple[str, ...] = ()

    @property
    def here(self) -> tuple[str, str]:
        """Organisation and site, as most services want them."""
        return self.organisation_id, self.site_id

    def sites(self, asked: str | None) -> frozenset[str] | None:
        """The sites that a list covers: those asked for that the token may see; None for all."""
        if asked is None:
            return self.bearer.site_ids
        return frozenset((asked,)) if self.bearer.has_access(asked) else frozenset()

    def sites_with(self, right: str) -> list[str]:
        """The organisation's sites at which the token has this right."""
        own = list_site_ids(self.organisation_id)
        return [site_id for site_id in own if self.bearer.may(right, site_id)]

    def require(self, right: str, site_id: str | None) -> None:
        """The token has this right at this site, at None at all of them; raises Forbidden."""
        if not self.bearer.may(right, site_id):
            raise Forbidden(right)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation, as it was declared."""

    id: str
    method: str
    path: str
    tag: str
    summary: str
    description: str
    right: str | None
    of: FindSite | None
    goes_to: FindNewPlace | None
    query: type[BaseModel] | None
    body: type[BaseModel] | None
    needs_body: bool
    gives: Any
    status: int
    codes: tuple[int, ...]
    rules: tuple[str, ...]
    is_addition: bool
    current: Callable[..., One[Any]] | None
    also: Callable[[Call], Iterable[RuleBroken]] | None
    wrong_state: int
    names: Mapping[str, str]
    file: str
    before: Callable[[Call], Call] | None
    tells_secret: bool
    view: Callable[..., Any]

    @property
    def is_write(self) -> bool:
        """Whether it changes something."""
        return self.method in WRITES


OPERATIONS: dict[str, Operation] = {}


def operation(
    id: str,
    method: str,
    path: str,
    *,
    tag: str,
    summary: str,
    description: str = "",
    right: str | None = None,
    of: FindSite | None = None,
    goes_to: FindNewPlace | None = None,
    query: type[BaseModel] | None = None,
    body: type[BaseModel] | None = None,
    needs_body: bool = True,
    gives: Any = None,
    status: int = 0,
    codes: Sequence[int] = (),
    rules: Sequence[str] = (),
    is_addition: bool = False,
    current: Callable[..., One[Any]] | None = None,
    also: Callable[[Call], Iterable[RuleBroken]] | None = None,
    wrong_state: int = 409,
    names: Mapping[str, str] | None = None,
    file: str = "",
    before: Callable[[Call], Call] | None = None,
    tells_secret: bool = False,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare an operation of the API; the view takes a Call and the ids of the path.

    `right` is asked at the site that `of` finds for the first id of the path; None asks for any
    right there. Without `of` the view itself asks (`call.require`, `call.sites`), or `goes_to`
    finds the site of a thing to be made before its fields are looked at, for 403 comes before 422
    (CONTRACT 9); it gives back "" where the fields have to be looked at first. `gives` is the
    model that is answered (None: 204 without a body). `codes` are those of the contract, what
    the way itself adds (409, 412, 429) is marked in the document. `current` shows the thing as it
    stands: its ETag is compared with `If-Match`. `also` asks the domain about the fields that are
    of the right kind when others are not, so that all are named at once. `names` are the API's
    names of fields that the domain calls otherwise.
    `file` is the part of a form, multipart/form-data, that carries a file; the body's other
    fields are its texts. `before` is done before the transaction begins, for what takes long.
    `tells_secret`: the answer holds what is kept nowhere, so the service keeps `call.key` itself,
    and the same key again is answered without the secret.
    """

    def declare(view: Callable[..., Any]) -> Callable[..., Any]:
        made = Operation(
            id=id,
            method=method,
            path=path,
            tag=tag,
            summary=summary,
            description=description,
            right=right,
            of=of,
            goes_to=goes_to,
            query=query,
            body=body,
            needs_body=needs_body,
            gives=gives,
            status=status or (200 if gives is not None else 204),
            codes=tuple(codes),
            rules=tuple(rules),
            is_addition=is_addition,
            current=current,
            also=also,
            wrong_state=wrong_state,
            names=names or {},
            file=file,
            before=before,
            tells_secret=tells_secret,
            view=view,
        )
        OPERATIONS[id] = made

        @functools.wraps(view)
        def serve(**ids: str) -> Response:
            return _serve(made, ids)

        bp.add_url_rule(
            f"/shop{path}",
            endpoint=re.sub(r"(?<!^)(?=[A-Z])", "_", id).lower(),
            view_func=needs(TOKEN)(serve),
            methods=[method],
            provide_automatic_options=False,
        )
        return view

    return declare


def asked_site(call: Call, _sent: Mapping[str, Any]) -> str:
    """For `goes_to`: the site that `site_id` in the address names, else the token's only one.

    "" where that is none, a foreign one like an unknown one: it is then a field at fault (C26).
    """
    every, asked = list_site_ids(call.organisation_id), call.query.site_id
    if asked is not None:
        return asked if asked in every else ""
    own = [one for one in every if call.bearer.has_access(one)]
    return own[0] if len(own) == 1 else ""


def etag_of(shown: BaseModel) -> str:
    """Names the version of a thing: its own fields, not its counts and what is embedded in it."""
    left_out: frozenset[str] = getattr(shown, "NOT_ITS_VERSION", frozenset())
    text = shown.model_dump_json(by_alias=True, exclude=set(left_out))
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def _serve(one: Operation, ids: Mapping[str, str]) -> Response:
    try:
        return _answer(one, ids)
    except WrongState as broken:
        db.session.rollback()
        return say_refusal(broken, status=one.wrong_state, names=one.names)
    except RuleBroken as broken:
        db.session.rollback()
        return say_refusal(broken, names=one.names)


def _answer(one: Operation, ids: Mapping[str, str]) -> Response:
    bearer = find_bearer()
    places = _find_places(one, bearer, ids)
    call = Call(
        bearer=bearer,
        organisation_id=bearer.organisation_id,
        site_id=_choose_place(one, bearer, places),
        places=places,
        now=utcnow(),
        query=_read_query(one),
        key=_read_key(bearer) if one.method == "POST" else "",
        ids=ids,
    )
    call = _with_body(one, call)
    if one.before is not None:
        call = one.before(call)
    if not one.is_write:
        return _respond(*_show(one, one.view(call, **ids)))
    said = once_as_one(
        call.organisation_id,
        call.key if not one.tells_secret else "",
        {"do": one.id, "at": request.full_path, "body": _said(one, call)},
        lambda: json.dumps(_do(one, call, ids)),
        call.now,
    )
    if said == FORGOTTEN:
        raise Erased
    return _respond(*json.loads(said))


def _find_places(one: Operation, bearer: Bearer, ids: Mapping[str, str]) -> tuple[str, ...]:
    """The sites of the thing in the path."""
    if one.of is None:
        return ()
    if not all(re.fullmatch(r"[0-9a-f-]{24,36}", each) for each in ids.values()):
        raise NotFound("We couldn't find that.")
    found = one.of(bearer.organisation_id, next(iter(ids.values()), ""))
    return (found,) if isinstance(found, str) else tuple(found)


def _choose_place(one: Operation, bearer: Bearer, places: Sequence[str]) -> str:
    """The first of these sites at which the token may do this; raises Forbidden, NotFound."""
    if one.of is None:
        return ""
    right = one.right
    if right is not None:
        places = [site_id for site_id in places if bearer.may(right, site_id)]
        if not places:
            raise Forbidden(right)
    seen = [site_id for site_id in places if bearer.has_access(site_id)]
    if not seen:
        raise Forbidden if 403 in one.codes else NotFound("We couldn't find that.")
    return seen[0]


def _read_query(one: Operation) -> Any:
    """The values in the address; raises Unreadable for one that can't be read."""
    if one.query is None:
        return None
    lists = request.args.lists()
    given = {name: values if len(values) > 1 else values[0] for name, values in lists}
    try:
        return one.query.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"][:1])
        raise Unreadable(f"{name}: {_sentence(first)}") from error


def _read_key(bearer: Bearer) -> str:
    key = request.headers.get("Idempotency-Key", "").strip()
    if len(key) > MOST_KEY or not key.isprintable():
        raise Unreadable(f"An Idempotency-Key has at most {MOST_KEY} printable characters.")
    if not key:
        return ""
    # One token's keys are no other's, and no form's. What a program calls it is its own affair: a
    # guest's name in it would be kept past their erasure.
    return f"{OF_PROGRAMS}{bearer.token_id}:{hashlib.sha256(key.encode()).hexdigest()}"


def _with_body(one: Operation, call: Call) -> Call:
    """The call with what its body says; raises Unreadable, WrongBody with every field at fault."""
    if one.body is None:
        return call
    sent = _read_form(one) if one.file else _read_json(one)
    call = _with_new_place(one, call, sent if isinstance(sent, dict) else {})
    if not isinstance(sent, dict):
        raise WrongBody([RuleBroken("The body must be an object.", code="wrong_fields")])
    nowhere = _nowhere(one, call)
    try:
        read = _replace(call, one.body.model_validate(sent))
    except ValidationError as error:
        problems = nowhere + [
            RuleBroken(_sentence(one_error), field=".".join(str(part) for part in one_error["loc"]))
            for one_error in error.errors()
        ]
        problems += _other_problems(one, call, sent, {str(e["loc"][0]) for e in error.errors()})
        raise WrongBody(problems) from error
    if nowhere:
        raise WrongBody(nowhere)
    return read


def _nowhere(one: Operation, call: Call) -> list[RuleBroken]:
    """What to say when the address names no site at which something could be made."""
    if one.goes_to is not asked_site or call.site_id:
        return []
    sentence = "There is no site with this id here."
    if call.query.site_id is None:
        sentence = "Say at which site: this token has several."
    return [RuleBroken(sentence, code="reference", field="site_id")]


def _with_new_place(one: Operation, call: Call, sent: Mapping[str, Any]) -> Call:
    """The call with the site that a new thing goes to; raises Forbidden before fields are read."""
    if one.goes_to is None:
        return call
    if one.right is not None and not call.bearer.may_somewhere(one.right):
        raise Forbidden(one.right)
    site_id = one.goes_to(call, sent)
    if one.right is not None and site_id:
        call.require(one.right, site_id)
    return replace(call, site_id=site_id)


def _replace(call: Call, body: BaseModel) -> Call:
    given = {name: getattr(body, name) for name in body.model_fields_set}
    return replace(call, body=body, given=given)


def _other_problems(
    one: Operation, call: Call, sent: Mapping[str, Any], wrong: set[str]
) -> list[RuleBroken]:
    """What the domain says of the other fields; nothing where too much is missing to ask."""
    if one.also is None or one.body is None:
        return []
    try:
        rest = one.body.model_validate({k: v for k, v in sent.items() if k not in wrong})
    except ValidationError:
        return []
    found: list[RuleBroken] = []
    for broken in one.also(_replace(call, rest)):
        found += [RuleBroken(sentence, field=name) for name, sentence in list_problems(broken)]
    return [each for each in found if each.field not in wrong]


def _read_json(one: Operation) -> Any:
    raw = request.get_data()
    if not raw.strip():
        if one.needs_body:
            raise Unreadable("Send a JSON object as the body.")
        return {}
    try:
        sent = json.loads(raw, parse_constant=_refuse_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise Unreadable("The body is not JSON.") from error
    _check_depth(sent)
    return sent


def _check_depth(sent: Any) -> None:
    """No body of ours is deep; one that is would only wear out whatever handles it."""
    level = [sent]
    for _ in range(MOST_DEEP):
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return
    raise Unreadable(f"The body is nested more than {MOST_DEEP} deep.")


def _finite(text: str) -> float:
    """A number that can be written again: JSON has no word for an infinite one."""
    found = float(text)
    if not math.isfinite(found):
        raise ValueError(text)
    return found


def _read_form(one: Operation) -> Any:
    """The texts of a form and the file in it, as bytes, with its name as `file_name`."""
    request.max_content_length = MAX_BYTES + SLACK
    if request.mimetype != "multipart/form-data":
        raise Unreadable(f"Send a form (multipart/form-data) with the part {one.file}.")
    sent: dict[str, Any] = dict(request.form.items())
    given = request.files.get(one.file)
    if given is not None:
        # One byte more than is taken says that it is too large.
        sent |= {one.file: given.read(MAX_BYTES + 1), "file_name": given.filename or ""}
        given.close()
    return sent


def _said(one: Operation, call: Call) -> str:
    """The body, for telling whether a key came with the same one (H6)."""
    if not one.file:
        return request.get_data(as_text=True)
    # A form has other bytes each time it is sent.
    digests = {
        name: hashlib.sha256(value).hexdigest() if isinstance(value, bytes) else value
        for name, value in dict(call.body).items()
    }
    return json.dumps(digests, sort_keys=True)


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def _do(one: Operation, call: Call, ids: Mapping[str, str]) -> tuple[int, str, str]:
    """The deed and its answer, inside the transaction."""
    wanted = request.headers.get("If-Match", "").strip()
    if wanted and one.current is not None:
        # Everybody who would change it meanwhile waits behind its site, or its sites (ADR 9).
        if len(call.places) > 1:
            lock_sites(call.organisation_id, call.places)
        else:
            lock_site(call.organisation_id, call.site_id)
        stands = etag_of(one.current(call, **ids).data)
        if wanted != "*" and stands not in [tag.strip() for tag in wanted.split(",")]:
            raise Stale
    return _show(one, one.view(call, **ids))


def _show(one: Operation, shown: BaseModel | None) -> tuple[int, str, str]:
    if shown is None:
        return one.status, "", ""
    tag = etag_of(shown.data) if one.current is not None and isinstance(shown, One) else ""
    return one.status, shown.model_dump_json(by_alias=True, exclude_unset=True), tag


def _respond(status: int, body: str, tag: str) -> Response:
    response = Response(body, status, mimetype="application/json")
    if status == 204:
        response.headers.pop("Content-Type", None)
    if tag:
        response.headers["ETag"] = tag
    return response


_SENTENCES = {
    "missing": "This is required.",
    "bool_type": "Must be true or false.",
    "list_type": "Must be a list.",
    "dict_type": "Must be an object.",
    "model_type": "Must be an object.",
    "model_attributes_type": "Must be an object.",
    "none_required": "Must be null.",
}


def _sentence(error: Any) -> str:
    """What a person reads of an error of the library."""
    kind, context = error["type"], error.get("ctx", {})
    if error.get("input") is None and kind != "missing":
        return "May not be null."
    if kind in _SENTENCES:
        return _SENTENCES[kind]
    if kind == "literal_error":
        return f"Must be one of {context['expected']}."
    if kind == "greater_than_equal":
        return f"Must be {context['ge']} or more."
    if kind == "less_than_equal":
        return f"Must be {context['le']} or less."
    if kind in ("string_too_short", "too_short"):
        return "May not be empty."
    if kind in ("string_too_long", "too_long"):
        return f"At most {context['max_length']}."
    return str(error["msg"])
