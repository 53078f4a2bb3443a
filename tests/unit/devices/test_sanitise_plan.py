"""How a drive's own commands would be called, from what hdparm and nvme print; none is ever run."""

from pathlib import Path

from packtrain.devices.sanitise_plan import parse_ata, parse_nvme, parse_scsi

DEVICE = Path("/dev/sdx")
# In the shape that hdparm 9.65 prints, cut to what matters; of an invented drive.
HDPARM = """
/dev/sdx:

ATA device, with non-removable media
\tModel Number:       EXAMPLE 24TB
Commands/features:
\tEnabled\tSupported:
\t   *\tSANITIZE feature set
\t   *\tCRYPTO_SCRAMBLE_EXT command
\t   *\tOVERWRITE_EXT command
\t   *\tData Set Management TRIM supported (limit 8 blocks)
\t   *\tDeterministic read ZEROs after TRIM
Security:
\tMaster password revision code = 65534
\t\tsupported
\tnot\tenabled
\tnot\tlocked
{frozen}
\tnot\texpired: security count
\t\tsupported: enhanced erase
\t2min for SECURITY ERASE UNIT. 8min for ENHANCED SECURITY ERASE UNIT.
"""


def ata(frozen: bool = False) -> str:
    return HDPARM.format(frozen="\t\tfrozen" if frozen else "\tnot\tfrozen")


def test_ata_commands_are_planned_the_strongest_first() -> None:
    plan = parse_ata(ata(), DEVICE)
    called = [(way.would_be, way.argvs[0][-2] if way.would_be == "Purge" else way.argvs[1][3]) for way in plan.commands]
    assert called == [
        ("Purge", "--sanitize-crypto-scramble"),
        ("Purge", "hex:00000000"),
        ("Clear", "--security-erase-enhanced"),
        ("Clear", "--security-erase"),
    ]
    assert all(argv[-1] == "/dev/sdx" for way in plan.commands for argv in way.argvs)
    assert [way.takes for way in plan.commands][2:] == ["8 min, says the drive", "2 min, says the drive"]
    assert plan.says_zeros
    assert plan.remarks == ()


def test_security_erase_needs_a_password_first_and_says_what_a_cut_leaves() -> None:
    enhanced = parse_ata(ata(), DEVICE).commands[2]
    assert enhanced.argvs[0] == ("hdparm", "--user-master", "u", "--security-set-pass", "packtrain", "/dev/sdx")
    assert any("locked" in words for words in enhanced.before)


def test_a_frozen_drive_is_named_as_such() -> None:
    assert "FROZEN" in " ".join(parse_ata(ata(frozen=True), DEVICE).remarks)
    assert not any("FROZEN" in remark for remark in parse_ata(ata(), DEVICE).remarks)


def test_a_drive_that_tells_nothing_has_no_command_and_promises_nothing() -> None:
    plan = parse_ata("", DEVICE)
    assert (plan.commands, plan.says_zeros) == ((), "")
    assert "bridge" in plan.remarks[0]


def test_a_feature_that_is_listed_as_not_supported_is_none() -> None:
    assert parse_ata("\tnot\tsupported: enhanced erase\n", DEVICE).commands == ()


def test_nvme_commands_follow_what_the_controller_says() -> None:
    plan = parse_nvme({"sanicap": 0b011, "fna": 0b100}, {"dlfeat": 0b001}, Path("/dev/nvme0n1"))
    assert [(way.would_be, way.argvs[0]) for way in plan.commands] == [
        ("Purge", ("nvme", "sanitize", "/dev/nvme0", "--sanact=start-crypto-erase")),
        ("Purge", ("nvme", "sanitize", "/dev/nvme0", "--sanact=start-block-erase")),
        ("Clear", ("nvme", "format", "/dev/nvme0n1", "--ses=2")),
        ("Clear", ("nvme", "format", "/dev/nvme0n1", "--ses=1")),
    ]
    assert plan.says_zeros


def test_an_nvme_without_sanitise_offers_a_format_at_most() -> None:
    plan = parse_nvme({"sanicap": 0, "fna": 0}, {"dlfeat": 0b010}, Path("/dev/nvme0n1"))
    assert [way.would_be for way in plan.commands] == ["Clear"]
    assert plan.says_zeros == ""
    assert "no sanitise command" in plan.remarks[0]


def test_scsi_commands_are_named_with_what_they_need() -> None:
    assert [way.argvs[0][1] for way in parse_scsi(DEVICE).commands] == ["--crypto", "--block", "--overwrite"]
