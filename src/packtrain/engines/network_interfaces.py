"""By which network interface this host reaches another: what gloo and NCCL are pointed at."""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import socket
import struct
from pathlib import Path
from typing import Final

_SIOCGIFADDR: Final = 0x8915  # <linux/sockios.h>
_IPV6_ADDRESSES: Final = Path("/proc/net/if_inet6")
_ANY_PORT: Final = 9


def interface_towards(address: str) -> str:
    """Return the name of the interface that packets to an address leave by; "lo" where nobody can say.

    To one of this host's own addresses it is the interface that has it, by which others reach it.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as towards:
        towards.connect((address, _ANY_PORT))  # sends nothing: the kernel only chooses the way
        own = str(towards.getsockname()[0])
        return _interface_with(own.partition("%")[0]) or "lo"
    return "lo"


def _interface_with(address: str) -> str | None:
    if ":" in address:
        wanted = ipaddress.IPv6Address(address).packed.hex()
        lines = (line.split() for line in _IPV6_ADDRESSES.read_text().splitlines())
        return next((words[-1] for words in lines if words[0] == wanted), None)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:15])
            with contextlib.suppress(OSError):  # it has no address
                if socket.inet_ntoa(fcntl.ioctl(control, _SIOCGIFADDR, request)[20:24]) == address:
                    return name
    return None
