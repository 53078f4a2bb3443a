"""Where on its device a file begins: FIEMAP of the kernel (Documentation/filesystems/fiemap.rst)."""

from __future__ import annotations

import fcntl
import struct
from typing import Final

_FIEMAP: Final = 0xC020660B
_SYNC: Final = 0x1
# Of an extent: where is not known, not on the device yet, packed or encrypted, within a structure of the file system.
_UNUSABLE: Final = 0x2 | 0x4 | 0x8 | 0x80 | 0x200
_HEAD: Final = struct.Struct("=QQLLLL")
_EXTENT: Final = struct.Struct("=QQQQQLLLL")


def first_byte_of(descriptor: int) -> int | None:
    """Return the byte of the file system's device at which an open file begins; None where nobody can say."""
    request = bytearray(_HEAD.pack(0, 1 << 20, _SYNC, 0, 1, 0) + bytes(_EXTENT.size))
    try:
        fcntl.ioctl(descriptor, _FIEMAP, request)
    except OSError:
        return None
    if _HEAD.unpack_from(request)[3] == 0:
        return None
    logical, physical, *_, flags, _, _, _ = _EXTENT.unpack_from(request, _HEAD.size)
    return None if logical != 0 or physical == 0 or flags & _UNUSABLE else physical
