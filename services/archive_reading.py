"""An archive that somebody brings: opened with care, member by member, nothing taken on trust."""

import hashlib
import io
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, cast

from domain.archive import (
    FORMAT,
    LARGEST_FILE,
    LONGEST_LINE,
    MANIFEST,
    MOST_BYTES,
    MOST_MEMBERS,
    MOST_SQUEEZED,
    ArchiveFault,
    is_member_name,
    parse_json,
)
from domain.words import count

_BROKEN = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError,
    NotImplementedError, RuntimeError, KeyError, OverflowError,
)  # fmt: skip
_PIECE = 1 << 18
_ONE_MEGABYTE = 1 << 20
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the archive says about itself."""

    schema: str
    version: str
    organisation: Mapping[str, str]
    made_at: str
    rows: Mapping[str, int]
    ledger: Mapping[str, Mapping[str, int]]
    members: Mapping[str, Mapping[str, Any]]


class OpenArchive:
    """A ZIP file whose list of members agrees with its manifest."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self._zip = file
        self._infos = _list_members(file)
        self.manifest = _read_manifest(self._read(MANIFEST, LARGEST_FILE))
        _check_members(self._infos, self.manifest)

    def lines(self, name: str) -> Iterator[bytes]:
        """The lines of a member, as long as one may be."""
        with self._open(name) as file:
            while line := file.readline(LONGEST_LINE + 1):
                if len(line) > LONGEST_LINE or not line.endswith(b"\n"):
                    raise ArchiveFault(f"{name}: a line is cut off, or longer than any of ours.")
                yield line

    def pieces(self, name: str) -> Iterator[bytes]:
        """A member in pieces."""
        with self._open(name) as file:
            while piece := file.read(_PIECE):
                yield piece

    def file(self, name: str) -> bytes:
        """The whole of a picture; raises ArchiveFault where there is none."""
        if name not in self.manifest.members:
            raise ArchiveFault(f"the file {name} is missing")
        return self._read(name, LARGEST_FILE)

    def _read(self, name: str, most: int) -> bytes:
        with self._open(name) as file:
            found = file.read(most + 1)
        if len(found) > most:
            raise ArchiveFault(f"{name} is larger than it can be.")
        return found

    @contextmanager
    def _open(self, name: str) -> Iterator[io.BufferedReader]:
        try:
            with self._zip.open(self._infos[name]) as file:
                yield io.BufferedReader(cast("io.RawIOBase", file), _PIECE)
        except ArchiveFault:
            raise
        except _BROKEN as error:
            raise ArchiveFault(f"{name} is missing or damaged.") from error


@contextmanager
def open_archive(source: IO[bytes]) -> Iterator[OpenArchive]:
    """The archive in an open file; raises ArchiveFault for what none of ours looks like."""
    try:
        file = zipfile.ZipFile(source)
    except _BROKEN as error:
        raise ArchiveFault("This is no archive: it can't be opened as a ZIP file.") from error
    with file:
        yield OpenArchive(file)


def check_digests(
    archive: OpenArchive, heard: Callable[[str, Iterator[bytes]], None]
) -> Iterator[str]:
    """A sentence for each member whose content is not what the manifest says.

    `heard` is given each member's lines or pieces once, and takes all of them.
    """
    for name, said in archive.manifest.members.items():
        digest = hashlib.sha256()
        is_data = name.startswith("data/")
        parts = archive.lines(name) if is_data else archive.pieces(name)
        try:
            heard(name, _digesting(parts, digest))
        except ArchiveFault as fault:
            yield fault.sentence
            continue
        if digest.hexdigest() != said["sha256"]:
            yield f"{name} is not as it was written: its checksum differs."


def _digesting(parts: Iterator[bytes], digest: Any) -> Iterator[bytes]:
    for part in parts:
        digest.update(part)
        yield part


def _list_members(file: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    infos = file.infolist()
    if len(infos) > MOST_MEMBERS:
        raise ArchiveFault(f"The archive has more than {MOST_MEMBERS} files.")
    found: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        if info.filename in found:
            raise ArchiveFault(f"The archive holds {_show(info.filename)} twice.")
        _check_member(info)
        found[info.filename] = info
    if sum(info.file_size for info in infos) > MOST_BYTES:
        raise ArchiveFault("The archive is larger than any of ours once it is unpacked.")
    if MANIFEST not in found:
        raise ArchiveFault(f"This is no archive of ours: it has no {MANIFEST}.")
    return found


def _check_member(info: zipfile.ZipInfo) -> None:
    name = info.filename
    if name != MANIFEST and not is_member_name(name):
        raise ArchiveFault(f"The archive holds a file that none of ours has: {_show(name)}.")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG) or info.flag_bits & 0x1:
        raise ArchiveFault(f"{name} is no plain file.")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ArchiveFault(f"{name} is packed in a way that ours are not.")
    is_bomb = info.file_size > max(_ONE_MEGABYTE, MOST_SQUEEZED * info.compress_size)
    if is_bomb or (name.startswith("media/") and info.file_size > LARGEST_FILE):
        raise ArchiveFault(f"{name} is larger than it can be.")


def _show(name: str) -> str:
    return repr(name[:80])


def _read_manifest(text: bytes) -> Manifest:
    try:
        found = parse_json(text)
        if not isinstance(found, dict) or found.get("product") != "Sundial":
            raise ArchiveFault("it is not Sundial's.")
        if found.get("format") != FORMAT:
            raise ArchiveFault(
                f"it has format {found.get('format')!r}, and this installation reads {FORMAT}."
            )
        made = Manifest(
            schema=_text(found["schema"]),
            version=_text(found["version"]),
            organisation={key: _text(found["organisation"][key]) for key in ("id", "name", "code")},
            made_at=_text(found["made_at"]),
            rows=_numbers(found["rows"]),
            ledger={_text(key): _numbers(sums) for key, sums in found["ledger"].items()},
            members={_text(name): _member(said) for name, said in found["members"].items()},
        )
    except ArchiveFault as fault:
        raise ArchiveFault(f"{MANIFEST}: {fault.sentence}") from fault
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ArchiveFault(f"{MANIFEST}: something is missing, or not as ours are.") from error
    return made


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 300 or not value.isprintable():
        raise ValueError
    return value


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError
    return value


def _numbers(values: Any) -> dict[str, int]:
    return {_text(name): _number(value) for name, value in values.items()}


def _member(said: Any) -> dict[str, Any]:
    if not _DIGEST.fullmatch(said["sha256"]):
        raise ValueError
    return {"bytes": _number(said["bytes"]), "sha256": said["sha256"]}


def _check_members(infos: Mapping[str, zipfile.ZipInfo], manifest: Manifest) -> None:
    there, said = infos.keys() - {MANIFEST}, manifest.members.keys()
    if missing := sorted(said - there):
        raise ArchiveFault(
            f"The archive lacks {count(len(missing), 'file')} of its list: {_show(missing[0])}."
        )
    if strange := sorted(there - said):
        raise ArchiveFault(f"The archive holds a file that its list has not: {strange[0]}.")
    for name in sorted(said):
        if infos[name].file_size != manifest.members[name]["bytes"]:
            raise ArchiveFault(f"{name} is not as long as it was written.")
