"""Links packages that the site provides into a kit's environment: exactly those, and what they need.

Run by install.sh with the site's interpreter: `python -P link_provided.py KIT ENVIRONMENT`. Standard library only: it
travels in the kit. A package that the kit carries itself is never taken from the site.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path, PurePath
from typing import Final

OVERLAY: Final = "provided"
PATH_FILE: Final = "packtrain_provided.pth"

_NAME: Final = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_PIN: Final = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*==\s*([A-Za-z0-9][A-Za-z0-9.!+_-]*)")


class ProvidedMismatch(Exception):
    """The site does not provide what the kit was rehearsed with."""

    def __init__(self, package: str, expected: str, found: str) -> None:
        self.package, self.expected, self.found = package, expected, found
        super().__init__(f"{package}: the site does not provide it (expected {expected}, found {found})")


def canonical(name: str) -> str:
    """Return a project's name as package indexes compare it: lower case, runs of "-_." as one dash."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_pins(text: str) -> dict[str, str]:
    """Return name -> version of the lines "name==version …" (requirements.txt, provided.txt)."""
    pins = (_PIN.match(line) for line in text.splitlines())
    return {canonical(pin[1]): pin[2] for pin in pins if pin}


def fits(expected: str, found: str) -> bool:
    """Return whether `found` is the expected version; "2.13.0+cu130" is "2.13.0" built for a certain machine."""
    return found == expected or ("+" not in expected and found.partition("+")[0] == expected)


def closure(provided: Mapping[str, str | None], carried: Iterable[str]) -> dict[str, metadata.Distribution]:
    """Return the provided distributions and all they need of this interpreter, by canonical name, less the carried.

    A version of None takes what is installed.

    Markers are not evaluated (that takes a library): a requirement with `extra` is left out, one with another marker
    is taken if it is installed, one without a marker must be installed.

    Raises:
        ProvidedMismatch: a package is missing, or has another version than it was rehearsed with.
    """
    left_out = {canonical(name) for name in carried}
    found: dict[str, metadata.Distribution] = {}
    wanted: list[tuple[str, str | None, str]] = [(canonical(name), version, "") for name, version in provided.items()]
    while wanted:
        name, version, needed_by = wanted.pop()
        if name in found or name in left_out:
            continue
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError as error:
            because = f" (needed by {needed_by})" if needed_by else ""
            raise ProvidedMismatch(name, (version or "any version") + because, "nothing") from error
        if version is not None and not fits(version, distribution.version):
            raise ProvidedMismatch(name, version, distribution.version)
        found[name] = distribution
        for requirement in distribution.requires or []:
            marker = requirement.partition(";")[2]
            match = _NAME.match(requirement)
            if match is None or "extra" in marker:
                continue
            required = canonical(match[1])
            if marker and not _is_installed(required):
                continue
            wanted.append((required, None, name))
    return found


def entries(files: Iterable[PurePath]) -> Iterator[tuple[str, ...]]:
    """Yield what to link of a distribution: package folders and modules; of a namespace folder its parts."""
    listed = [path.parts for path in files if ".." not in path.parts and "__pycache__" not in path.parts]
    packages = {parts[:-1] for parts in listed if parts[-1] == "__init__.py"}
    for parts in sorted({_entry(parts, packages) for parts in listed}):
        if not parts[-1].endswith(".pth"):
            yield parts


def _entry(parts: tuple[str, ...], packages: set[tuple[str, ...]]) -> tuple[str, ...]:
    for depth in range(1, len(parts)):
        head = parts[:depth]
        # A folder without __init__.py may be shared with other distributions; these two kinds never are.
        if head in packages or head[-1].endswith((".dist-info", ".libs")):
            return head
    return parts


def link(distributions: Mapping[str, metadata.Distribution], overlay: Path) -> int:
    """Make a folder of links to these distributions; return how many links.

    Raises:
        ProvidedMismatch: a distribution does not list its files, or is installed in editable mode.
    """
    num_links = 0
    for name, distribution in sorted(distributions.items()):
        targets = list(entries(distribution.files or []))
        if not any(not parts[0].endswith(".dist-info") for parts in targets):
            raise ProvidedMismatch(name, "an ordinary installation that lists its files", "none (an editable one?)")
        for parts in targets:
            source = Path(str(distribution.locate_file("/".join(parts)))).absolute()
            place = overlay.joinpath(*parts)
            if place.is_symlink() or place.exists() or not source.exists():
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(source)
            num_links += 1
    return num_links


def main(arguments: list[str]) -> int:
    """Link what provided.txt of the kit names into the environment; return the exit status."""
    kit, environment = Path(arguments[0]), Path(arguments[1]).absolute()
    provided = read_pins((kit / "provided.txt").read_text(encoding="utf-8"))
    if not provided:
        return 0
    carried = read_pins((kit / "requirements.txt").read_text(encoding="utf-8"))
    overlay = environment / OVERLAY
    try:
        link(closure(provided, carried), overlay)
    except ProvidedMismatch as error:
        sys.stderr.write(f"packtrain: error: {error}\n")
        return 1
    for site_packages in (environment / "lib").glob("python*/site-packages"):
        (site_packages / PATH_FILE).write_text(f"{overlay}\n", encoding="utf-8")
    return 0


def _is_installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
