"""Members are grouped as the webdataset library groups them; what is too much is a fault of the sample."""

from packtrain.dataset.adopt.names import name_on_drives, pattern_of, split_of
from packtrain.dataset.adopt.samples import MAX_MEMBERS, grouped, key_and_suffix


def test_the_key_ends_at_the_first_dot_of_the_last_part() -> None:
    assert key_and_suffix("0001.jpg") == ("0001", "jpg")
    assert key_and_suffix("a.b/0001.seg.PNG") == ("a.b/0001", "seg.png")
    assert key_and_suffix("./x/0001.txt") == ("./x/0001", "txt")
    for name in ("README", ".hidden.jpg", "a/.hidden", "__meta__", "__meta__/x.json", "a/"):
        assert key_and_suffix(name) is None


def test_neighbours_with_one_key_are_a_sample_and_a_key_that_comes_again_is_another() -> None:
    found = list(grouped([("a", "jpg", 1, 10), ("a", "txt", 2, 5), ("b", "jpg", 3, 7), ("a", "cls", 4, 1)]))
    assert [(g.key, g.members, g.num_bytes) for g in found] == [
        ("a", {"jpg": 1, "txt": 2}, 15),
        ("b", {"jpg": 3}, 7),
        ("a", {"cls": 4}, 1),
    ]
    assert not any(g.fault for g in found)


def test_a_sample_with_two_members_of_one_suffix_or_with_too_many_is_at_fault() -> None:
    [twice] = grouped([("a", "jpg", 1, 1), ("a", "jpg", 2, 1)])
    assert "two members .jpg" in twice.fault
    [many] = grouped(("a", f"m{number}", number, 1) for number in range(100_000))
    assert "more than" in many.fault
    assert len(many.members) == MAX_MEMBERS
    [long] = grouped(("a", "s" * 3000 + str(number), number, 1) for number in range(10))
    assert long.fault
    assert len(long.members) == 1


def test_plain_names_are_kept_and_odd_ones_are_told_apart() -> None:
    assert name_on_drives("imagenet/train/000001.tar") == "shards/imagenet/train/000001.tar"
    odd = [
        "set/a b.tar",
        "set/a-b.TAR",
        "set/a/b/c/d.tar",
        "set/ä.tar",
        "set/.x/a.tar",
        "renamed/x.tar",
        "set/" + "n" * 120 + ".tar",
        "set/a\\xffb.tar",
        "set/A_b.tar.tar.TAR",
    ]
    names = [name_on_drives(name) for name in odd]
    assert len(set(names)) == len(odd)
    assert all(name.startswith("shards/renamed/") and name.endswith(".tar") for name in names)
    assert names[0].startswith("shards/renamed/set-a-b-")


def test_the_name_says_the_side() -> None:
    for name in ("a/train/0.tar", "a/0.tar", "test/train-0.tar", "latest/0.tar", "a/contest-0.tar"):
        assert split_of(name) == "train"
    for name in ("a/val/0.tar", "a/imagenet1k-validation-00.tar", "a/Valid_0.tar", "dev/x/0.tar"):
        assert split_of(name) == "validation"
    for name in ("a/test/0.tar", "train/test-0.tar", "a/test/x/y.tar"):
        assert split_of(name) == "test"


def test_patterns_find_the_shards_beside_a_name() -> None:
    assert pattern_of("shards/set/000001.tar") == "shards/set/*.tar"
    assert pattern_of("shards/set/in-val-01.tar") == "shards/set/in-val*.tar"
    assert pattern_of("shards/renamed/x-1234.tar") == "shards/renamed/x-1234.tar"
