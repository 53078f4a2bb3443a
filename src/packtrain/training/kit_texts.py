"""The small text files of a kit, for sh and for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from packtrain.training.target import Target
from packtrain.training.wheels import Wheel


def target_line(target: Target, glibc: str) -> str:
    """Return target.txt: Python, the interpreter's platform, and the glibc that the wheels need, if any."""
    return " ".join(word for word in (target.python, target.system_platform, glibc) if word) + "\n"


def pins(packages: Mapping[str, str]) -> str:
    """Return provided.txt: name==version, a line each."""
    return "".join(f"{name}=={version}\n" for name, version in sorted(packages.items()))


def requirements(wheels: Sequence[Wheel], digests: Mapping[str, str]) -> str:
    """Return requirements.txt: exactly these wheels, by digest (canonical name -> SHA-256)."""
    return "".join(f"{wheel.name}=={wheel.stated} --hash=sha256:{digests[wheel.name]}\n" for wheel in wheels)


def readme(target: Target, glibc: str, provided: Mapping[str, str], *, has_interpreter: bool, has_uv: bool) -> str:
    """Return README.txt: what the site must have, and how the kit is installed."""
    lines = [
        "A training program and its environment, to be installed with no network:",
        "",
        "    sh install.sh FOLDER [PYTHON]",
        "",
        "packtrain train VOYAGE --python FOLDER/bin/python then runs the program in it.",
        f"For Python {target.python} on {target.system_platform}"
        + (f" with glibc {glibc} or newer." if glibc else "."),
    ]
    if has_interpreter:
        lines.append("The interpreter is in the kit; another of that version is taken where PYTHON names it.")
    else:
        lines.append(f"The interpreter is NOT in the kit: the site must have Python {target.python}.")
    if has_uv:
        lines.append("uv is in the kit, and installs the wheels.")
    else:
        lines.append("uv is NOT in the kit: pip installs the wheels, so that Python must have ensurepip.")
    if provided:
        listed = ", ".join(f"{name} {version}" for name, version in sorted(provided.items()))
        lines.append(f"NOT in the kit, because the site provides it to that Python: {listed}.")
    lines += ["bom.cdx.json lists every package, its version, digest and licence (CycloneDX 1.6).", ""]
    return "\n".join(lines)
