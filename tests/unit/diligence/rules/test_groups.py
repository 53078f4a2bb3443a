from pathlib import Path

import pytest

from packtrain.diligence.rules.groups import add_groups, kept_groups, read_groups
from packtrain.documents.codec import digest
from packtrain.errors import DocumentError, GroupUnreadable
from packtrain.record.folder import VoyageFolder

AT = "2026-11-24T10:00:00Z"
PLAIN = """\
[[group]]
name = "D5"
as_of = 2026-11-20
source = "a fixture"
members = ["KP", "CN"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> VoyageFolder:
    root = tmp_path / "voyage"
    root.mkdir()
    (root / "voyage.toml").write_text('[voyage]\nname = "sky"\n[sources]\npaths = ["/data"]\n')
    return VoyageFolder(root)


def add(folder: VoyageFolder, text: str, tmp_path: Path):
    path = tmp_path / "groups.toml"
    path.write_text(text)
    return add_groups(folder, path)


def test_a_group_is_kept_with_its_day_and_its_source(folder: VoyageFolder, tmp_path: Path) -> None:
    kept = add(folder, PLAIN, tmp_path)

    assert kept_groups(folder) == {"D5": kept[0]}
    assert (kept[0].members, kept[0].as_of, kept[0].source) == (("CN", "KP"), "2026-11-20", "a fixture")
    assert kept[0].replaces is None


def test_a_group_added_again_names_the_one_before_which_is_kept(folder: VoyageFolder, tmp_path: Path) -> None:
    first = add(folder, PLAIN, tmp_path)[0]
    second = add(folder, PLAIN.replace('"CN"', '"RU"'), tmp_path)[0]

    assert second.replaces == digest(first)
    assert kept_groups(folder) == {"D5": second}
    assert (folder.root / "country-groups" / "history" / f"{digest(first)}.json").is_file()


def test_without_a_file_there_is_no_group(folder: VoyageFolder) -> None:
    assert kept_groups(folder) == {}


def test_a_group_that_was_altered_is_not_read(folder: VoyageFolder, tmp_path: Path) -> None:
    add(folder, PLAIN, tmp_path)
    path = folder.root / "country-groups" / "D5.json"
    path.write_text(path.read_text().replace('"CN"', '"C1"'))

    with pytest.raises(DocumentError):
        kept_groups(folder)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('"KP"', '"UK"', "members are not country codes"),
        ('"KP"', '"CN"', "members are not country codes"),
        ('"KP", "CN"', "", "members"),
        ("2026-11-20", "2026-11-26", "the day of the group is not yet"),
        ("2026-11-20", "2026-11-31", "not valid TOML"),
        ('source = "a fixture"', "", "source"),
        ('name = "D5"', 'name = "../D5"', "name"),
        ('name = "D5"', 'name = "D5"\ncolour = 1', "unknown field"),
    ],
)
def test_a_file_with_a_fault_is_refused_and_nothing_is_kept(old: str, new: str, what: str) -> None:
    with pytest.raises(GroupUnreadable) as caught:
        read_groups(PLAIN.replace(old, new, 1).encode(), "groups.toml", AT)

    assert what in caught.value.message


def test_a_name_twice_in_one_file_is_refused() -> None:
    with pytest.raises(GroupUnreadable, match="two groups of one name"):
        read_groups((PLAIN + PLAIN).encode(), "groups.toml", AT)
