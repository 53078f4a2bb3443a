import os
from dataclasses import replace
from pathlib import Path

import pytest

from packtrain.engines.shared_folders import SharedFolders, require_fit, require_mark, shared_folders
from packtrain.errors import HostUnfit


def _sources(tmp_path: Path) -> Path:
    path = tmp_path / "raw" / "deep" / "a.csv"
    path.parent.mkdir(parents=True)
    path.write_text("a\n")
    return path


def _refused(shared: SharedFolders) -> HostUnfit:
    with pytest.raises(HostUnfit) as caught:
        require_fit(shared, "10.0.0.9")
    assert caught.value.where == "10.0.0.9"
    return caught.value


def test_a_host_that_sees_all_is_fit_and_nothing_is_left_of_the_look(tmp_path: Path) -> None:
    _sources(tmp_path)
    with shared_folders(tmp_path / "work" / "prepare" / "hosts", [tmp_path / "raw"], ["msgspec"]) as shared:
        require_fit(shared, "10.0.0.9")
        require_mark(shared, "10.0.0.9")
    assert not shared.probe.parent.exists()


def test_a_mount_point_with_nothing_mounted_is_not_taken_for_the_sources(tmp_path: Path) -> None:
    source = _sources(tmp_path)
    with shared_folders(tmp_path / "hosts", [tmp_path / "raw"], []) as shared:
        source.unlink()
        assert "does not see a source" in _refused(shared).what


def test_another_file_under_the_name_of_a_source_is_noticed(tmp_path: Path) -> None:
    source = _sources(tmp_path)
    with shared_folders(tmp_path / "hosts", [source], []) as shared:
        os.utime(source, ns=(1, 1))
        assert "sees another file" in _refused(shared).what


def test_another_folder_of_the_voyages_name_is_noticed(tmp_path: Path) -> None:
    with shared_folders(tmp_path / "hosts", [], []) as shared:
        assert "sees another voyage folder" in _refused(replace(shared, token="0" * 32)).what
        assert "does not see the voyage folder" in _refused(replace(shared, probe=tmp_path / "hosts" / "x")).what


def test_other_versions_are_refused_with_both_of_them(tmp_path: Path) -> None:
    with shared_folders(tmp_path / "hosts", [], ["msgspec", "no-such-package"]) as shared:
        require_fit(shared, "10.0.0.9")
        assert shared.versions["no-such-package"] == "none"
        error = _refused(replace(shared, versions={**shared.versions, "msgspec": "0.1"}))
    assert (error.expected, error.found) == ("0.1", shared.versions["msgspec"])


def test_a_mark_that_does_not_arrive_is_noticed(tmp_path: Path) -> None:
    with shared_folders(tmp_path / "hosts", [], []) as shared, pytest.raises(HostUnfit, match="not this one"):
        require_mark(shared, "10.0.0.9")


@pytest.mark.parametrize("name", ["", ".", "..", "../../keys", "a/b", "/etc", "-w", "a\nb", "a" * 256])
def test_a_host_is_not_called_what_leads_out_of_a_folder(tmp_path: Path, name: str) -> None:
    with shared_folders(tmp_path / "a" / "b" / "hosts", [], []) as shared:
        before = sorted(tmp_path.rglob("*"))
        for require in (require_fit, require_mark):
            with pytest.raises(HostUnfit, match="name is none of a host") as caught:
                require(shared, name)
            assert caught.value.hint
        assert sorted(tmp_path.rglob("*")) == before
        for good in ("10.0.0.9", "::1", "fe80::1%eth0", "node-7.site_a", "0.12"):
            require_fit(shared, good)
            require_mark(shared, good)
