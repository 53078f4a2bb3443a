"""Extended attributes: which are carried, and within which bounds."""

from __future__ import annotations

import struct
from typing import Final

from packtrain.errors import HostileArchive
from packtrain.units import KIB, quoted
from packtrain.volume.tar import Xattrs, xattr_records

MAX_XATTR_BYTES: Final = 64 * KIB
"""Of all attributes of an entry together, as pax records: that bounds what a reader holds for one header."""
MAX_XATTR_NAME_BYTES: Final = 255
MAX_OWNER: Final = 2**32 - 2
"""The number after it means "leave it as it is" to the kernel."""
CAPABILITY: Final = b"security.capability"
ACCESS_LIST: Final = b"system.posix_acl_access"
DEFAULT_ACCESS_LIST: Final = b"system.posix_acl_default"
# What means something at the site. The rest is the kernel's own there (security.selinux, trusted.*) or foreign.
_CARRIED: Final = frozenset((ACCESS_LIST, DEFAULT_ACCESS_LIST, CAPABILITY))
_USER: Final = b"user."
_OWNING_GROUP: Final = 0x04


def is_carried(name: bytes) -> bool:
    """Return whether an extended attribute of this name is carried: the user's own, access lists, capabilities."""
    return name in _CARRIED or (
        name.startswith(_USER) and len(_USER) < len(name) <= MAX_XATTR_NAME_BYTES and b"\0" not in name
    )


def is_within_bounds(xattrs: Xattrs) -> bool:
    """Return whether these attributes are few and small enough for one entry."""
    return not xattrs or len(xattr_records(xattrs)) <= MAX_XATTR_BYTES


def mode_without_access_list(mode: int, access_list: bytes) -> int:
    """Return permission bits that grant no more than mode and access list together did, for who is not named in it.

    With an access list the group's bits of the mode are its mask, the most that any named user may have; the owning
    group's own are an entry of the list. Without the list the mask alone would let the group do more.

    Source: acl(5), "Correspondence between ACL entries and file permission bits"; linux/posix_acl_xattr.h.
    """
    for at in range(4, len(access_list) - 7, 8):
        tag, permissions, _ = struct.unpack_from("<HHI", access_list, at)
        if tag == _OWNING_GROUP:
            return mode & ~0o070 | mode & (permissions & 0o7) << 3
    return mode & ~0o070


def check_xattrs(xattrs: Xattrs) -> None:
    """Refuse attributes that a shipment does not carry.

    Raises:
        HostileArchive: a name of another namespace, one given twice or out of order, or too many bytes.
    """
    last = b""
    for name, _ in xattrs:
        if not is_carried(name) or name <= last:
            raise HostileArchive(
                "extended attribute is none that is carried, or out of order", found=quoted(name[:256])
            )
        last = name
    if not is_within_bounds(xattrs):
        raise HostileArchive(
            "extended attributes of one entry are too long", expected=f"at most {MAX_XATTR_BYTES} bytes of records"
        )
