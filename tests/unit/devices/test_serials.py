"""The same serial number seen twice: one drive again, two parts of one drive, or a bridge that hides its drives."""

from packtrain.devices.serials import SerialWitness, Sighting


def seen(disk: str, part: str, uuid: str) -> Sighting:
    return Sighting(disk, part, uuid, f"/mnt/{part}")


def test_one_drive_looked_at_twice_is_one_drive() -> None:
    witness = SerialWitness()
    assert witness.see("S1", seen("8:0", "8:1", "u1")) is None
    assert witness.see("S1", seen("8:0", "8:1", "u1")) is None
    assert not witness.is_doubted("S1")


def test_a_drive_that_was_unplugged_and_comes_back_by_another_name_is_the_same_drive() -> None:
    witness = SerialWitness()
    assert witness.see("S1", seen("8:0", "8:1", "u1")) is None
    assert witness.see("S1", seen("8:16", "8:17", "u1")) is None
    assert not witness.is_doubted("S1")


def test_two_drives_with_one_number_are_both_doubted() -> None:
    witness = SerialWitness()
    witness.see("S1", seen("8:0", "8:1", "u1"))
    doubt = witness.see("S1", seen("8:16", "8:17", "u2"))
    assert doubt is not None and doubt[0] == "two drives"
    assert witness.is_doubted("S1")


def test_another_drive_put_into_the_same_dock_is_another_drive() -> None:
    witness = SerialWitness()
    witness.see("S1", seen("8:0", "8:1", "u1"))
    doubt = witness.see("S1", seen("8:0", "8:1", "u2"))
    assert doubt is not None and doubt[0] == "two drives"


def test_two_partitions_of_one_drive_keep_its_number_and_are_told() -> None:
    witness = SerialWitness()
    witness.see("S1", seen("8:0", "8:1", "u1"))
    doubt = witness.see("S1", seen("8:0", "8:2", "u2"))
    assert doubt is not None and doubt[0] == "two parts"
    assert not witness.is_doubted("S1")


def test_drives_with_their_own_numbers_are_not_doubted() -> None:
    witness = SerialWitness()
    assert witness.see("S1", seen("8:0", "8:1", "u1")) is None
    assert witness.see("S2", seen("8:16", "8:17", "u2")) is None
