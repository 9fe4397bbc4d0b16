"""Zip archives from strangers: members by name, bounded in number and size, stored, deflated or packed with zstd.

Inspect packs with zstd (method 93 of the zip format) since 2026, which Python's zipfile reads from 3.14 on.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.errors import RecordError

MAX_MEMBERS = 500_000
MAX_MEMBER = 256 << 20
"""Bytes that one member may unpack to."""
MAX_TOTAL = 16 << 30
ZSTD = 93
_LOCAL = struct.Struct("<4s22xHH")
_WRONG = (zipfile.BadZipFile, RuntimeError, EOFError, OSError, ValueError, struct.error, zlib.error)
"""What reading an archive raises that says what is not true."""


class Archive:
    """An opened archive."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self.path, self._zip = path, archive
        members = archive.infolist()
        total = sum(one.file_size for one in members)
        if len(members) > MAX_MEMBERS or total > MAX_TOTAL:
            raise RecordError(f"unpacks to {total:,} bytes in {len(members):,} files", path=str(path), hint="split it")
        self._members = {one.filename: one for one in members}
        if len(self._members) < len(members):
            raise RecordError("has two files of one name", path=str(path), hint="readers differ in which they take")

    def names(self) -> list[str]:
        return list(self._members)

    def read(self, name: str) -> bytes:
        """A member, checked by its CRC. Raises `RecordError` where it is missing, too large or not what it says."""
        member = self._members.get(name)
        if member is None:
            raise RecordError(f"has no {name}", path=str(self.path), hint="is it an evaluation log?")
        if member.file_size > MAX_MEMBER:
            raise RecordError(f"{name} unpacks to {member.file_size:,} bytes", path=str(self.path))
        try:
            return self._zstd(member) if member.compress_type == ZSTD else self._plain(member)
        except _WRONG as error:
            raise RecordError(f"{name} cannot be unpacked: {error}", path=str(self.path)) from error

    def _plain(self, member: zipfile.ZipInfo) -> bytes:
        """Stored or deflated, and no further than to what the directory says: `ZipFile.read` unpacks it all first."""
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"it is packed by method {member.compress_type}")
        with self._zip.open(member) as unpacked:
            return unpacked.read(member.file_size + 1)

    def _zstd(self, member: zipfile.ZipInfo) -> bytes:
        import zstandard

        with self.path.open("rb") as file:
            file.seek(member.header_offset)
            mark, name, extra = _LOCAL.unpack(file.read(_LOCAL.size))
            if mark != b"PK\3\4":
                raise ValueError("it is not where the directory says")
            file.seek(name + extra, 1)
            packed = file.read(member.compress_size)
        unpacker = zstandard.ZstdDecompressor(max_window_size=MAX_MEMBER)
        try:
            with unpacker.stream_reader(packed, read_across_frames=True) as reader:
                data = reader.read(member.file_size + 1)
        except zstandard.ZstdError as error:
            raise ValueError(str(error)) from error
        if len(data) != member.file_size or zlib.crc32(data) != member.CRC:
            raise ValueError("it is not what the directory says")
        return data


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """Raises `RecordError` for a file that is no zip archive."""
    try:
        archive = zipfile.ZipFile(path)
    except _WRONG as error:
        raise RecordError(f"is no zip archive: {error}", path=str(path), hint="was it cut off on the way?") from error
    with archive:
        yield Archive(path, archive)
