"""Files of zstd frames with a seek table at the end: any part is read without the parts before it.

The table is that of zstd's seekable format (facebook/zstd, contrib/seekable_format): a skippable frame, so that every
zstd reader takes such a file for one stream. What a file claims is believed only as far as the limits here go.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from runner.edges.files import write_blocks
from runner.errors import RecordError

LEVEL = 6
MAX_FRAME = 64 << 20
"""Bytes that one frame may unpack to: what reading a part may take of the memory."""
MAX_FRAMES = 1 << 20
_TABLE = 0x184D2A5E
_MAGIC = 0x8F92EAB1
_HEAD, _ENTRY, _FOOT = struct.Struct("<II"), struct.Struct("<II"), struct.Struct("<IBI")


def write_frames(path: Path, parts: Sequence[bytes]) -> None:
    """Replace the file: a frame a part, then the seek table. The same parts give the same bytes with one zstd.

    Raises `ValueError` for a part that could not be read again, `DataError` where the file cannot be written.
    """
    import zstandard

    longest = max(map(len, parts), default=0)
    if longest > MAX_FRAME or len(parts) > MAX_FRAMES:
        raise ValueError(f"{len(parts):,} parts of up to {longest:,} bytes are too much for a log")
    compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True, write_content_size=True)
    frames = [compressor.compress(part) for part in parts]
    write_blocks(path, [*frames, _table(frames, parts)])


def _table(frames: Sequence[bytes], parts: Sequence[bytes]) -> bytes:
    entries = b"".join(_ENTRY.pack(len(frame), len(part)) for frame, part in zip(frames, parts, strict=True))
    body = entries + _FOOT.pack(len(frames), 0, _MAGIC)
    return _HEAD.pack(_TABLE, len(body)) + body


@dataclass(frozen=True)
class Frames:
    """An opened file. Reading a frame checks it against the table, its own header and its checksum."""

    path: Path
    starts: tuple[int, ...]
    packed: tuple[int, ...]
    unpacked: tuple[int, ...]

    @classmethod
    def open(cls, path: Path) -> Frames:
        """Read the seek table. Raises `RecordError` for a file that is no log, or not whole."""
        size = path.stat().st_size
        with path.open("rb") as file:
            file.seek(max(0, size - _FOOT.size))
            foot = file.read()
            if len(foot) < _FOOT.size or _FOOT.unpack(foot)[2] != _MAGIC:
                raise broken(path, "has no seek table at its end: it was cut off, or it is no evaluation log")
            count, flags, _ = _FOOT.unpack(foot)
            length = _FOOT.size + count * _ENTRY.size
            if flags or not 0 < count <= MAX_FRAMES or length + _HEAD.size > size:
                raise broken(path, "has a seek table that cannot be true")
            file.seek(size - length - _HEAD.size)
            head, entries = file.read(_HEAD.size), file.read(count * _ENTRY.size)
        packed, unpacked = zip(*_ENTRY.iter_unpack(entries), strict=True)
        if _HEAD.unpack(head) != (_TABLE, length) or sum(packed) + length + _HEAD.size != size:
            raise broken(path, "has a seek table that does not fit its size: a part is missing or was added")
        if max(unpacked) > MAX_FRAME:
            raise broken(path, f"has a part of {max(unpacked):,} bytes; at most {MAX_FRAME:,} are read")
        return cls(path, tuple(accumulate(packed, initial=0))[:-1], packed, unpacked)

    def __len__(self) -> int:
        return len(self.packed)

    def read(self, number: int) -> bytes:
        """One part. Raises `RecordError` where it is not what was written."""
        return next(self.read_all([number]))

    def read_all(self, numbers: Sequence[int]) -> Iterator[bytes]:
        """Parts in this order, one in memory at a time."""
        import zstandard

        unpacker = zstandard.ZstdDecompressor(max_window_size=MAX_FRAME)
        with self.path.open("rb") as file:
            for number in numbers:
                file.seek(self.starts[number])
                frame, size = file.read(self.packed[number]), self.unpacked[number]
                try:
                    if zstandard.get_frame_parameters(frame).content_size != size:
                        raise broken(self.path, f"says two things of the size of its part {number}")
                    yield unpacker.decompress(frame, max_output_size=size, allow_extra_data=False)
                except zstandard.ZstdError as error:
                    raise broken(self.path, f"cannot be unpacked in part {number} ({error})") from error


def broken(path: Path, problem: str) -> RecordError:
    return RecordError(problem, path=str(path), hint="evaluate again, or fetch the log again")
