"""What a sanitisation does not say, in plain words: signed with it, and printed on the certificate."""

from __future__ import annotations

from packtrain.documents.sanitisation import Method, ReadBack, SanitisedDevice


def limits_of(method: Method, device: SanitisedDevice, read_back: ReadBack | None, known_by: str) -> tuple[str, ...]:
    """Return the limits of what was done, a sentence each without its full stop."""
    found: list[str] = []
    if method == "files removed":
        found.append("the bytes of removed files stay on the medium below this folder until others take their place")
        return tuple(found)
    found.append(
        "this is no Purge: what a host cannot address (spare and reallocated places, host-protected areas) was not "
        "reached"
    )
    if not device.is_rotational:
        found.append(
            "where this is flash, cells that the device had put aside may keep old content; only its own sanitise "
            "command reaches them"
        )
    if method in ("discard", "secure-discard"):
        found.append(
            "a discarded block is forgotten by the device; when its cells are erased is the device's own affair"
        )
        if device.says_zeros:
            found.append(f"that discarded blocks read as zeros is what others say of it: {device.says_zeros}")
    if method == "zeroout":
        found.append("the device was asked to fill with zeros; it may have noted them without writing each")
    if device.transport == "loop":
        found.append("a loop device is a file: what lies below its file system was not reached")
    if device.transport == "usb":
        found.append("a USB bridge stood between: what it hid of the drive was not reached")
    if device.serial is None:
        found.append("the device showed no serial number of its own")
    if known_by == "serial number":
        found.append("which drive it is was told by its serial number alone: no closing record could be read on it")
    if read_back is not None:
        share = 100 * read_back.read_bytes / device.size_bytes if device.size_bytes else 0
        if read_back.how == "sample":
            found.append(
                f"read back was a sample: {share:.3g} % of the drive; what lies between two looks was not seen"
            )
        if read_back.past_cache == "dropped":
            found.append("the device was not read past the page cache; the kernel was told to forget it first")
        if read_back.num_headers == 0:
            found.append("where volumes stood on the device was not known, so none was looked for there")
    return tuple(found)
