"""Makes the triggers that write and guard the trail, from the tables as they are (ADR 20).

SQLite gets a statement for each table, written out column by column; PostgreSQL one function that
compares rows as JSON, and for each table a small one that says what is special about it.
"""

from collections.abc import Collection, Iterator, Sequence

import sqlalchemy as sa

from models.audit import AUDITED, HIDDEN, Spec

PREFIX = "trail_"
"""All our triggers and functions begin with it, so that they are found and taken away."""

APPEND_ONLY = "the trail is append only"

_FACTS = {
    "actor_kind": ("kind", "system"),
    "actor_id": ("id", ""),
    "actor_name": ("name", ""),
    "door": ("door", ""),
    "address": ("address", ""),
    "request_id": ("request", ""),
}


def install_audit(connection: sa.Connection) -> None:
    """Make all triggers anew; does nothing where the trail's tables are not there yet.

    SQLite drops the triggers of a table that a migration rebuilds: this is called after each.
    """
    remove_audit(connection)
    tables = _columns(connection)
    if "audit_values" not in tables:
        return
    write = _sqlite if connection.dialect.name == "sqlite" else _postgresql
    for statement in write(tables):
        connection.exec_driver_sql(statement)


def remove_audit(connection: sa.Connection) -> None:
    """Take all triggers away: while tables are rebuilt, and before the trail's own go."""
    if connection.dialect.name == "sqlite":
        names = connection.exec_driver_sql(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name GLOB 'trail_*'"
        )
        for name in names.scalars().all():
            connection.exec_driver_sql(f'DROP TRIGGER "{name}"')
        return
    functions = connection.exec_driver_sql(
        "SELECT oid::regprocedure::text FROM pg_proc"
        " WHERE pronamespace = current_schema()::regnamespace AND starts_with(proname, 'trail_')"
    )
    for name in functions.scalars().all():
        connection.exec_driver_sql(f"DROP FUNCTION {name} CASCADE")


def _columns(connection: sa.Connection) -> dict[str, dict[str, str]]:
    """Each table's columns with their types, as the database has them."""
    if connection.dialect.name == "sqlite":
        rows = connection.exec_driver_sql(
            "SELECT m.name, c.name, c.type FROM sqlite_master AS m, pragma_table_info(m.name) AS c"
            " WHERE m.type = 'table' ORDER BY m.name, c.cid"
        )
    else:
        rows = connection.exec_driver_sql(
            "SELECT table_name, column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position"
        )
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in rows:
        found.setdefault(table, {})[column] = kind.upper()
    return found


def _kept(spec: Spec, columns: Sequence[str]) -> list[str]:
    return [name for name in columns if name not in spec.skipped]


def _site(spec: Spec, columns: Collection[str], row: str) -> str:
    """SQL for the site whose staff may read it."""
    own = "{row}.site_id" if "site_id" in columns and not spec.links else "NULL"
    return (spec.site or own).format(row=row)


def _about(table: str, spec: Spec, row: str) -> tuple[str, str, str, str]:
    """SQL for what the entry is about, whose id, which table, which row."""
    parent, column = spec.about or (table, spec.key)
    if spec.links:
        return f"'{parent}'", f"{row}.{column}", f"'{parent}'", f"{row}.{column}"
    thing, its_id = f"'{parent}'", f"{row}.{column}"
    if spec.or_about:
        other, named = spec.or_about
        thing = f"CASE WHEN {its_id} IS NULL THEN '{other}' ELSE {thing} END"
        its_id = f"COALESCE({its_id}, {row}.{named})"
    return thing, its_id, f"'{table}'", f"{row}.{spec.key}"


# SQLite


def _sqlite(tables: dict[str, dict[str, str]]) -> Iterator[str]:
    for table, spec in AUDITED.items():
        if table in tables:
            yield from _Written(table, spec, tables[table]).triggers()
    yield f"""
        CREATE TRIGGER {PREFIX}stays BEFORE UPDATE ON audit_entries
        BEGIN SELECT RAISE(ABORT, '{APPEND_ONLY}'); END"""
    yield f"""
        CREATE TRIGGER {PREFIX}is_kept BEFORE DELETE ON audit_entries
        BEGIN SELECT RAISE(ABORT, '{APPEND_ONLY}'); END"""
    # INSERT OR REPLACE takes rows away without asking the triggers of deletion.
    for short, key in (("entries", "id"), ("values", "entry_id")):
        yield f"""
            CREATE TRIGGER {PREFIX}{short}_not_replaced BEFORE INSERT ON audit_{short}
            WHEN EXISTS (SELECT 1 FROM audit_{short} WHERE {key} = NEW.{key})
            BEGIN SELECT RAISE(ABORT, '{APPEND_ONLY}'); END"""
    yield f"""
        CREATE TRIGGER {PREFIX}values_stay BEFORE UPDATE ON audit_values
        BEGIN SELECT RAISE(ABORT, '{APPEND_ONLY}'); END"""
    yield f"""
        CREATE TRIGGER {PREFIX}values_are_kept BEFORE DELETE ON audit_values
        WHEN sundial_acting('erasing') IS NOT 1
        BEGIN SELECT RAISE(ABORT, '{APPEND_ONLY}'); END"""


class _Written:
    """The three triggers of one table."""

    def __init__(self, table: str, spec: Spec, columns: dict[str, str]) -> None:
        self._table, self._spec, self._types = table, spec, columns
        self._kept = _kept(spec, list(columns))
        self._plain = [name for name in self._kept if name not in spec.personal]
        self._personal = [name for name in self._kept if name in spec.personal]

    def triggers(self) -> Iterator[str]:
        spec = self._spec
        if spec.links:
            yield self._trigger("made", "INSERT", "NEW", "'changed'", "'{}'", self._link("NEW"))
            yield self._trigger("removed", "DELETE", "OLD", "'changed'", self._link("OLD"), "'{}'")
            return
        told = self._whole("NEW", spec.told)
        yield self._trigger("made", "INSERT", "NEW", "'made'", "'{}'", told, self._loud("NEW"))
        if spec.made_only:
            return
        yield self._update()
        yield self._trigger(
            "removed",
            "DELETE",
            "OLD",
            "'removed'",
            self._whole("OLD", self._plain),
            "'{}'",
            self._drafted("OLD", "NOT "),
            personal=(self._whole("OLD", self._personal), "'{}'", "1"),
        )

    def _update(self) -> str:
        """A draft that becomes a thing is made then; what it held before is nobody's business."""
        became = self._drafted("OLD", "") or "0"
        stays = f"NOT ({became} AND {self._drafted('NEW', '')})" if self._spec.draft else "1"
        differs = " OR ".join(_differs(name) for name in self._kept)
        changed = " OR ".join(_differs(name) for name in self._personal) or "0"
        told = self._whole("NEW", self._spec.told)
        before, after = (
            f"CASE WHEN {became} THEN {first} ELSE {self._changed(row, self._plain)} END"
            for row, first in (("OLD", "'{}'"), ("NEW", told))
        )
        return self._trigger(
            "changed",
            f"UPDATE OF {', '.join(_quoted(name) for name in self._kept)}",
            "NEW",
            f"CASE WHEN {became} THEN 'made' ELSE 'changed' END",
            before,
            after,
            f"{stays} AND ({differs})",
            personal=(
                self._changed("OLD", self._personal),
                self._changed("NEW", self._personal),
                f"NOT ({became}) AND ({changed})",
            ),
        )

    def _trigger(
        self,
        name: str,
        event: str,
        row: str,
        act: str,
        before: str,
        after: str,
        when: str = "",
        personal: tuple[str, str, str] = ("'{}'", "'{}'", "0"),
    ) -> str:
        spec = self._spec
        organisation = spec.organisation.format(row=row)
        about = _about(self._table, spec, row)
        facts = [f"COALESCE(sundial_acting('{key}'), '{or_}')" for key, or_ in _FACTS.values()]
        why = "COALESCE(sundial_acting('why'), '')"
        shown_before, shown_after, has_personal = personal
        # A link's ends are no persons' data.
        kept_apart = f"({has_personal if self._personal else '0'})"
        if spec.of_person:
            kept_apart = f"({kept_apart} OR {why} <> '')"
        values = ", ".join(
            [
                organisation,
                _site(spec, self._types, row),
                "COALESCE(sundial_acting('at'), strftime('%Y-%m-%d %H:%M:%f000', 'now'))",
                *facts,
                "COALESCE(sundial_acting('deed'), lower(hex(randomblob(12))))",
                act,
                *about,
                before,
                after,
                "''" if spec.of_person else why,
            ]
        )
        # What an archive brings along has its history already.
        told = " AND ".join(filter(None, ("sundial_acting('importing') IS NOT 1", when)))
        return f"""
            CREATE TRIGGER {PREFIX}{self._table}_{name} AFTER {event} ON {self._table}
            WHEN {told}
            BEGIN
              INSERT INTO audit_entries (organisation_id, site_id, at, {", ".join(_FACTS)}, deed_id,
                act, about, about_id, subject, subject_id, "before", "after", why)
              VALUES ({values});
              INSERT INTO audit_values (entry_id, organisation_id, "before", "after", why)
              SELECT last_insert_rowid(), {organisation}, {shown_before}, {shown_after},
                {why if spec.of_person else "''"}
              WHERE {kept_apart} AND sundial_acting('erasing') IS NOT 1;
            END"""

    def _drafted(self, row: str, word: str) -> str:
        return f"{word}({self._spec.draft.format(row=row)})" if self._spec.draft else ""

    def _loud(self, row: str) -> str:
        quiet = f"NOT ({self._spec.quiet.format(row=row)})" if self._spec.quiet else ""
        return " AND ".join(filter(None, (quiet, self._drafted(row, "NOT "))))

    def _link(self, row: str) -> str:
        return f"json_object('{self._table}', {row}.{self._spec.links})"

    def _changed(self, row: str, names: Sequence[str]) -> str:
        parts = [f"iif({_differs(name)}, {self._pair(row, name)}, '')" for name in names]
        return _joined(parts)

    def _whole(self, row: str, names: Sequence[str]) -> str:
        return _joined([self._pair(row, name) for name in names])

    def _pair(self, row: str, name: str) -> str:
        """`,"name":value` as text: a value that holds JSON keeps its shape."""
        column = f"{row}.{_quoted(name)}"
        if name in self._spec.secret:
            value = f"iif({column} IS NULL, 'null', '\"{HIDDEN}\"')"
        elif self._types[name] == "JSON":
            value = f"COALESCE({column}, 'null')"
        else:
            value = f"json_quote({column})"
        return f"',\"{name}\":' || {value}"


def _joined(parts: Sequence[str]) -> str:
    if not parts:
        return "'{}'"
    return "'{' || ltrim(" + " || ".join(parts) + ", ',') || '}'"


def _differs(name: str) -> str:
    return f"OLD.{_quoted(name)} IS NOT NEW.{_quoted(name)}"


def _quoted(name: str) -> str:
    return f'"{name}"'


# PostgreSQL


def _postgresql(tables: dict[str, dict[str, str]]) -> Iterator[str]:
    yield _WRITE
    for table, spec in AUDITED.items():
        if table in tables:
            yield from _functions(table, spec, list(tables[table]))
    yield f"""
        CREATE FUNCTION {PREFIX}refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          RAISE EXCEPTION '{APPEND_ONLY}' USING ERRCODE = 'restrict_violation';
        END $$"""
    yield f"""
        CREATE FUNCTION {PREFIX}refuse_unless_erasing() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF current_setting('sundial.erasing', true) IS DISTINCT FROM 'yes' THEN
            RAISE EXCEPTION '{APPEND_ONLY}' USING ERRCODE = 'restrict_violation';
          END IF;
          RETURN OLD;
        END $$"""
    for name, event, table, function in (
        ("stays", "UPDATE OR DELETE", "entries", "refuse"),
        ("is_whole", "TRUNCATE", "entries", "refuse"),
        ("values_stay", "UPDATE", "values", "refuse"),
        ("values_are_kept", "DELETE", "values", "refuse_unless_erasing"),
        ("values_are_whole", "TRUNCATE", "values", "refuse"),
    ):
        each = "STATEMENT" if event == "TRUNCATE" else "ROW"
        yield f"""
            CREATE TRIGGER {PREFIX}{name} BEFORE {event} ON audit_{table}
            FOR EACH {each} EXECUTE FUNCTION {PREFIX}{function}()"""


_WRITE = f"""
CREATE FUNCTION {PREFIX}write(
  organisation text, site text, act text, about text, about_id text, subject text, subject_id text,
  old jsonb, new jsonb, skipped text[], personal text[], secret text[], of_person boolean
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  facts jsonb := COALESCE(NULLIF(current_setting('sundial.acting', true), ''), '{{}}')::jsonb;
  why text := COALESCE(facts->>'why', '');
  entry bigint;
  plain_before jsonb; plain_after jsonb; own_before jsonb; own_after jsonb;
BEGIN
  SELECT
    COALESCE(jsonb_object_agg(key, b) FILTER (WHERE had AND NOT key = ANY(personal)), '{{}}'),
    COALESCE(jsonb_object_agg(key, a) FILTER (WHERE has AND NOT key = ANY(personal)), '{{}}'),
    COALESCE(jsonb_object_agg(key, b) FILTER (WHERE had AND key = ANY(personal)), '{{}}'),
    COALESCE(jsonb_object_agg(key, a) FILTER (WHERE has AND key = ANY(personal)), '{{}}')
  INTO plain_before, plain_after, own_before, own_after
  FROM (
    SELECT key, o.value IS NOT NULL AS had, n.value IS NOT NULL AS has,
      CASE WHEN key = ANY(secret) AND o.value <> 'null' THEN '"{HIDDEN}"' ELSE o.value END AS b,
      CASE WHEN key = ANY(secret) AND n.value <> 'null' THEN '"{HIDDEN}"' ELSE n.value END AS a
    FROM jsonb_each(old) AS o FULL JOIN jsonb_each(new) AS n USING (key)
    WHERE o.value IS DISTINCT FROM n.value AND NOT key = ANY(skipped)
  ) AS differing;
  IF act = 'changed' AND plain_before = '{{}}' AND plain_after = '{{}}'
    AND own_before = '{{}}' AND own_after = '{{}}' THEN
    RETURN;
  END IF;
  INSERT INTO audit_entries (organisation_id, site_id, at, {", ".join(_FACTS)}, deed_id, act,
    about, about_id, subject, subject_id, "before", "after", why)
  VALUES (organisation, site,
    COALESCE((facts->>'at')::timestamp AT TIME ZONE 'UTC', clock_timestamp()),
    {", ".join(f"COALESCE(facts->>'{key}', '{or_}')" for key, or_ in _FACTS.values())},
    COALESCE(facts->>'deed', txid_current()::text), act, about, about_id, subject, subject_id,
    plain_before::json, plain_after::json, CASE WHEN of_person THEN '' ELSE why END)
  RETURNING id INTO entry;
  IF (own_before <> '{{}}' OR own_after <> '{{}}' OR (of_person AND why <> ''))
    AND current_setting('sundial.erasing', true) IS DISTINCT FROM 'yes' THEN
    INSERT INTO audit_values (entry_id, organisation_id, "before", "after", why)
    VALUES (entry, organisation, own_before::json, own_after::json,
      CASE WHEN of_person THEN why ELSE '' END);
  END IF;
END $$"""


def _functions(table: str, spec: Spec, columns: Sequence[str]) -> Iterator[str]:
    deeds = (_link_deeds if spec.links else _row_deeds)(table, spec, columns)
    yield f"""
        CREATE FUNCTION {PREFIX}of_{table}() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF current_setting('sundial.importing', true) = 'yes' THEN RETURN NULL; END IF;
          {deeds}
          RETURN NULL;
        END $$"""
    made = " AND ".join(_plainly_loud(spec))
    events = {"_made": ("INSERT", f"WHEN ({made})" if made else "")}
    if not spec.made_only:
        names = ", ".join(_quoted(name) for name in _kept(spec, columns))
        events[""] = ("DELETE" if spec.links else f"UPDATE OF {names} OR DELETE", "")
    for suffix, (event, when) in events.items():
        yield f"""
        CREATE TRIGGER {PREFIX}{table}{suffix} AFTER {event} ON {table}
        FOR EACH ROW {when} EXECUTE FUNCTION {PREFIX}of_{table}()"""


def _plainly_loud(spec: Spec) -> Iterator[str]:
    """What the row itself says about whether it is told: it spares the call of the function.

    A condition of a trigger may ask no other table: those that do are asked in the function.
    """
    for silence in (spec.quiet, spec.draft):
        if silence and "SELECT" not in silence:
            yield f"NOT ({silence.format(row='NEW')})"


def _row_deeds(table: str, spec: Spec, columns: Sequence[str]) -> str:
    empty = "'{}'::jsonb"
    quiet = (spec.quiet or "false").format(row="NEW")
    is_draft = (spec.draft or "false").format(row="NEW")
    was_draft = (spec.draft or "false").format(row="OLD")
    pairs = ", ".join(f"'{name}', NEW.{_quoted(name)}" for name in spec.told)
    told = f"jsonb_build_object({pairs})"
    made = _write(table, spec, columns, "NEW", "made", empty, told)
    changed = _write(table, spec, columns, "NEW", "changed", "to_jsonb(OLD)", "to_jsonb(NEW)")
    removed = _write(table, spec, columns, "OLD", "removed", "to_jsonb(OLD)", empty)
    return f"""
          IF TG_OP = 'INSERT' THEN
            IF NOT ({quiet}) AND NOT ({is_draft}) THEN {made} END IF;
          ELSIF TG_OP = 'DELETE' THEN
            IF NOT ({was_draft}) THEN {removed} END IF;
          ELSIF NOT ({was_draft}) THEN {changed}
          ELSIF NOT ({is_draft}) THEN {made}
          END IF;"""


def _link_deeds(table: str, spec: Spec, columns: Sequence[str]) -> str:
    added = f"jsonb_build_object('{table}', NEW.{spec.links})"
    taken = f"jsonb_build_object('{table}', OLD.{spec.links})"
    empty = "'{}'::jsonb"
    return f"""
          IF TG_OP = 'INSERT' THEN {_write(table, spec, columns, "NEW", "changed", empty, added)}
          ELSE {_write(table, spec, columns, "OLD", "changed", taken, empty)}
          END IF;"""


def _write(
    table: str, spec: Spec, columns: Sequence[str], row: str, act: str, old: str, new: str
) -> str:
    lists = (_array(names) for names in (spec.skipped, spec.personal, spec.secret))
    return (
        f"PERFORM {PREFIX}write({spec.organisation.format(row=row)},"
        f" {_site(spec, columns, row)}, '{act}',"
        f" {', '.join(_about(table, spec, row))}, {old}, {new},"
        f" {', '.join(lists)}, {str(spec.of_person).lower()});"
    )


def _array(names: Sequence[str]) -> str:
    return "ARRAY[" + ", ".join(f"'{name}'" for name in names) + "]::text[]"
