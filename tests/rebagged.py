"""A bag whose manifests are written anew, as a forger would who knows BagIt."""

from pathlib import Path

from packtrain.digest import sha256_bytes


def rebag(bag: Path) -> None:
    """Write manifests, counts and tag manifest of a bag anew over what lies in it now."""
    files = sorted(path for path in (bag / "data").rglob("*") if path.is_file())
    lines = [f"{sha256_bytes(path.read_bytes())}  {path.relative_to(bag).as_posix()}\n" for path in files]
    (bag / "manifest-sha256.txt").write_text("".join(lines))
    oxum = f"Payload-Oxum: {sum(path.stat().st_size for path in files)}.{len(files)}"
    info = (bag / "bag-info.txt").read_text().splitlines()
    info = [oxum if line.startswith("Payload-Oxum") else line for line in info]
    (bag / "bag-info.txt").write_text("\n".join(info) + "\n")
    tags = [path for path in sorted(bag.iterdir()) if path.is_file() and path.name != "tagmanifest-sha256.txt"]
    (bag / "tagmanifest-sha256.txt").write_text(
        "".join(f"{sha256_bytes(path.read_bytes())}  {path.name}\n" for path in tags)
    )
