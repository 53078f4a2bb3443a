"""The catalogs of `tests/vectors/cargo/catalog`: one to accept, and SQL that makes each of the others of it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from cargo_vectors.cases import ROOT, Case, identity, write_cases
from packtrain.crypto import age

FOLDER = ROOT / "catalog"
BASE = ROOT / "shipment" / "bases" / "plain"
_SCHEMA = (
    "Its schema is exactly this, in this order and spelling (but for the line breaks); a reader MUST refuse any other"
)
_BOUNDS = "A reader MUST refuse values out of these bounds"
_PATHS = "hold the paths of entries that have no member, which no tar vouches for, to the rules of section 4"
_ONLY = "`bytes` is 0 and `sha256` NULL for all but files, `link` is NULL for all but links, and `sparse` 0 for all"
_PIECES = "Pieces of a cut file follow each other without gap or overlap, and make the whole"
_LINK = "or of a hard link the path of an entry of kind `file` of the same group"
_ATTRIBUTES = (
    "has the extended attributes of files and directories, name and value as raw bytes, within the bounds of section 4"
)


@dataclass(frozen=True, slots=True)
class Wrong:
    about: str
    sql: str
    rule: str = _BOUNDS
    error: str = "IntegrityError"


def rejected() -> dict[str, Wrong]:
    """Return the catalogs to refuse by name."""
    unplaced = "WHERE kind = 'hardlink' AND id NOT IN (SELECT file FROM pieces)"
    directory = "UPDATE files SET path = {} WHERE kind = 'directory' AND path = x'7a7a'"  # zz, which has no member
    return {
        "table-more": Wrong("`more`", "CREATE TABLE more (x)", _SCHEMA),
        "view": Wrong(
            "in the place of a table",
            "DROP TABLE xattrs; CREATE VIEW xattrs AS SELECT 1 AS file, x'' AS name, x'' AS value",
            _SCHEMA,
        ),
        "trigger": Wrong(
            "that a writer would run", "CREATE TRIGGER t AFTER INSERT ON files BEGIN SELECT 1; END", _SCHEMA
        ),
        "table-missing": Wrong("no `xattrs`", "DROP TABLE xattrs", _SCHEMA),
        "index-missing": Wrong("no `pieces_of_file`", "DROP INDEX pieces_of_file", _SCHEMA),
        "column-more": Wrong("`files.owner`", "ALTER TABLE files ADD COLUMN owner TEXT", _SCHEMA),
        "schema-not-utf-8": Wrong(
            "a byte that is no text",
            "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = CAST(x'ff' AS TEXT) WHERE name LIKE '%of_file'",
            _SCHEMA,
        ),
        "kind-not-utf-8": Wrong("a byte that is no text", "UPDATE files SET kind = CAST(x'ff' AS TEXT) WHERE id = 2"),
        "format-2": Wrong(
            "`packtrain-catalog-2`", "UPDATE about SET value = 'packtrain-catalog-2'", "`about` has the row `format`"
        ),
        "format-missing": Wrong("an empty `about`", "DELETE FROM about", "`about` has the row `format`"),
        "kind-unknown": Wrong("`device`", "UPDATE files SET kind = 'device' WHERE id = 2"),
        "path-empty": Wrong("of a file", "UPDATE files SET path = x'' WHERE id = 2"),
        "file-without-sha256": Wrong("NULL", "UPDATE files SET sha256 = NULL WHERE kind = 'file' AND id = 2"),
        "sha256-in-upper-case": Wrong("of a file", "UPDATE files SET sha256 = upper(sha256)"),
        "sha256-of-a-directory": Wrong(
            "of nothing", "UPDATE files SET sha256 = printf('%064d', 0) WHERE kind = 'directory'", _ONLY
        ),
        "directory-with-bytes": Wrong("one", "UPDATE files SET bytes = 1 WHERE kind = 'directory'", _ONLY),
        "bytes-negative": Wrong("of a file", "UPDATE files SET bytes = -1 WHERE id = 2"),
        "mode-of-13-bits": Wrong("with a file type in it", "UPDATE files SET mode = mode + 32768"),
        "owner-too-large": Wrong("the number that means none", "UPDATE files SET uid = 4294967295"),
        "sparse-2": Wrong("neither 0 nor 1", "UPDATE files SET sparse = 2 WHERE kind = 'file'"),
        "sparse-directory": Wrong("1", "UPDATE files SET sparse = 1 WHERE kind = 'directory'", _ONLY),
        "link-without-a-target": Wrong("NULL", "UPDATE files SET link = NULL WHERE kind = 'symlink'"),
        "file-with-a-target": Wrong("of a link", "UPDATE files SET link = x'61' WHERE kind = 'file'", _ONLY),
        "attribute-of-a-link": Wrong(
            "links have none",
            "INSERT INTO xattrs SELECT id, CAST('user.a' AS BLOB), x'31' FROM files WHERE kind = 'symlink'",
            _ATTRIBUTES,
        ),
        "attribute-not-carried": Wrong(
            "`trusted.overlay`",
            "INSERT INTO xattrs SELECT id, CAST('trusted.overlay' AS BLOB), x'31' FROM files WHERE kind = 'file'",
            _ATTRIBUTES,
        ),
        "attributes-of-more-than-64-kib": Wrong(
            "one of 66000 bytes",
            "INSERT INTO xattrs SELECT id, CAST('user.big' AS BLOB), zeroblob(66000) FROM files WHERE id = 2",
            _ATTRIBUTES,
        ),
        "piece-of-no-file": Wrong("999", "UPDATE pieces SET file = 999 WHERE id = 1"),
        "piece-number-0": Wrong("they count from 1", "UPDATE pieces SET number = 0 WHERE id = 1"),
        "piece-number-above-its-count": Wrong("2 of 1", "UPDATE pieces SET number = 2 WHERE id = 1"),
        "pieces-1000000": Wrong(
            "one too many", "UPDATE pieces SET count = 1000000 WHERE count > 1", "`number` of `count` (at most 999999)"
        ),
        "piece-offset-negative": Wrong("in the file", "UPDATE pieces SET file_offset = -1 WHERE id = 1"),
        "pieces-with-a-gap": Wrong(
            "the second begins a byte later",
            "UPDATE pieces SET file_offset = file_offset + 1 WHERE number = 2",
            _PIECES,
            "HostileArchive",
        ),
        "pieces-shorter-than-the-file": Wrong(
            "the last is gone", "DELETE FROM pieces WHERE number > 1 AND number = count", _PIECES, "HostileArchive"
        ),
        "directory-at-the-parent": Wrong(
            "`../zz`, in the catalog alone", directory.format("CAST('../zz' AS BLOB)"), _PATHS, "HostileArchive"
        ),
        "directory-absolute": Wrong(
            "`/tmp/zz`, in the catalog alone", directory.format("CAST('/tmp/zz' AS BLOB)"), _PATHS, "HostileArchive"
        ),
        "directory-with-an-empty-component": Wrong(
            "`a//zz`", directory.format("CAST('a//zz' AS BLOB)"), _PATHS, "HostileArchive"
        ),
        "directory-with-nul": Wrong("`zz`, NUL", directory.format("x'7a7a00'"), _PATHS, "HostileArchive"),
        "hard-link-at-the-parent": Wrong(
            "`../x`, a link that the catalog alone has",
            f"UPDATE files SET path = CAST('../x' AS BLOB) {unplaced}",
            _PATHS,
            "HostileArchive",
        ),
        "hard-link-to-nothing": Wrong(
            "a path of no entry",
            f"UPDATE files SET link = CAST('/etc/passwd' AS BLOB) {unplaced}",
            _LINK,
            "HostileArchive",
        ),
        "hard-link-to-a-symbolic-link": Wrong(
            "a path of another kind",
            f"UPDATE files SET link = CAST('zz/link' AS BLOB) {unplaced}",
            _LINK,
            "HostileArchive",
        ),
    }


def make() -> None:
    """Write the catalog, all scripts and their index."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    for folder in ("accept", "reject"):
        (FOLDER / folder).mkdir(parents=True)
    sealed = (BASE / "all/packtrain/catalog.sqlite.age").read_bytes()
    (FOLDER / "accept" / "plain.sqlite").write_bytes(age.decrypt_bytes(sealed, [identity()]))
    cases = [
        Case("catalog/accept/plain", "that of the base `plain`, in pages of 512 bytes", "accept", "7. Catalog", _SCHEMA)
    ]
    for name, wrong in rejected().items():
        (FOLDER / "reject" / f"{name}.sql").write_text(wrong.sql + ";\n")
        cases.append(Case(f"catalog/reject/{name}", wrong.about, "refuse", "7. Catalog", wrong.rule, wrong.error))
    write_cases("catalog", cases)
