"""Exit codes are public: scripts act on them. A change of this table must be meant, and a code is never given twice."""

import inspect

import pytest

from packtrain import errors
from packtrain.errors import DriveFull, PacktrainError

EXIT_CODES = {
    "PacktrainError": 1,
    "SystemRefused": 3,
    "VoyageFileError": 10,
    "NotAVoyage": 11,
    "StageNotReady": 12,
    "VoyageLocked": 13,
    "DocumentError": 14,
    "WrongRole": 15,
    "VoyageExists": 16,
    "SourceUnreadable": 20,
    "SourceChanged": 21,
    "TooManyRejects": 22,
    "NothingToCarry": 23,
    "MissingDependency": 24,
    "WorkerCrashed": 25,
    "HostUnfit": 26,
    "ClusterUnreachable": 27,
    "HostsLost": 28,
    "StoreUnreachable": 120,
    "DriveMissing": 30,
    "DriveFull": 31,
    "DuplicateDrive": 32,
    "ForeignDrive": 33,
    "SupersededDrive": 34,
    "DriveFailed": 35,
    "PlacementImpossible": 36,
    "DriveInUse": 37,
    "DriveNotClosed": 38,
    "StoreInUse": 39,
    "IntegrityError": 40,
    "BeyondRepair": 41,
    "IncompleteKnowledge": 42,
    "HostileArchive": 43,
    "AgeFormatError": 44,
    "MoreDrivesWanted": 45,
    "GroupSplit": 46,
    "SignatureMissing": 50,
    "SignatureInvalid": 51,
    "UntrustedSigner": 52,
    "CustodyBroken": 53,
    "KeyMissing": 60,
    "WrongKey": 61,
    "KeyMalformed": 62,
    "KeyExists": 63,
    "DeclarationMissing": 70,
    "DeclarationIncomplete": 71,
    "FullFormNeeded": 72,
    "NotAdmitted": 73,
    "AdmissionRefused": 74,
    "AdmissionHeld": 75,
    "DossierError": 76,
    "AnswerChanged": 77,
    "DeclarationFileError": 78,
    "DeclarationExceeded": 79,
    "KitError": 80,
    "RehearsalFailed": 81,
    "TrainingFailed": 82,
    "WorkerStalled": 83,
    "DataOrderChanged": 84,
    "LockUnreadable": 85,
    "WheelUnavailable": 86,
    "KitUpdateRefused": 87,
    "SiteUnfit": 88,
    "PageNotServed": 89,
    "ExportDenied": 90,
    "ClosingRefused": 91,
    "PiecesIncomplete": 92,
    "WeightsUnopenable": 93,
    "SanitisingFailed": 94,
    "ProvenanceBroken": 96,
    "NotEmpty": 95,
    "MachineUnready": 97,
    "ListUnreadable": 100,
    "ListMissing": 101,
    "RulePackError": 106,
    "PolicyError": 107,
    "GroupUnreadable": 108,
    "AnswerRefused": 109,
    "CandidateUnknown": 102,
    "CustomsFileError": 110,
    "CustomsIncomplete": 111,
    "RecordFaulty": 118,
    "RecordUnvouched": 119,
    "CustodyContradicted": 113,
    "CodeUnreadable": 114,
    "KeyRevoked": 115,
}


def _classes() -> list[type[PacktrainError]]:
    found = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, PacktrainError)]
    assert PacktrainError in found
    return found


def test_the_exit_codes_are_the_frozen_ones() -> None:
    assert {kind.__name__: kind.exit_code for kind in _classes()} == EXIT_CODES


def test_no_exit_code_is_given_twice() -> None:
    codes = [kind.exit_code for kind in _classes()]

    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("kind", _classes(), ids=lambda kind: kind.__name__)
def test_every_class_sets_its_own_code_within_a_byte_and_says_what_it_is(kind: type[PacktrainError]) -> None:
    assert "exit_code" in vars(kind)
    assert kind.exit_code in (1, 3) or 10 <= kind.exit_code < 126  # 2 is click's, 126 and above the shell's
    assert kind.__doc__ is not None
    assert kind.__doc__.splitlines()[0].endswith(".")


def test_the_message_says_where_what_expected_and_found() -> None:
    error = DriveFull("no space left", where="/mnt/a1", expected="10 GB", found="1 GB", hint="give a larger drive")

    assert str(error) == "/mnt/a1: no space left (expected 10 GB, found 1 GB)"


def test_the_message_leaves_out_what_is_not_known() -> None:
    assert DriveFull("no space left").message == "no space left"
    assert DriveFull("no space left", found="").message == "no space left (found )"


def test_an_error_as_plain_values_has_always_the_same_fields() -> None:
    assert DriveFull("no space left", hint="make room").to_dict() == {
        "error": "DriveFull",
        "exit_code": 31,
        "what": "no space left",
        "where": None,
        "expected": None,
        "found": None,
        "hint": "make room",
    }
