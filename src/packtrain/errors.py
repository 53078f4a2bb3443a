"""Every error a user can meet: one class, one stable exit code, one message of a fixed shape.

A message says what is wrong, where, what was expected, what was found, and what to do next. Exit codes are never
reused; the families are: 10 voyage folder and voyage.toml, 20 sources and data set, 30 drives, 40 cargo integrity,
50 signatures and trust, 60 keys, 70 diligence and admission, 80 kit, rehearsal and training, 89 the page in a browser,
90 results and closing, 97 this machine, 100 lists, screening and rules, 110 papers, 113 to 115 custody, 118 and 119
audit, 120 object storage. Code 1 is a defect in packtrain itself, 2 a wrong command line, 3 the operating system's
refusal, 129 SIGHUP, 130 Ctrl-C, 143 SIGTERM.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar


class PacktrainError(Exception):
    """Base of all errors with a message for the user.

    Args:
        what: the sentence that names the fault, lower case, no full stop.
        where: file, drive, volume, field or address the fault is at.
        expected: what should have been there.
        found: what was there.
        hint: the next step a person can take; without it the usual one of the class.
    """

    exit_code: ClassVar[int] = 1
    usual_hint: ClassVar[str | None] = None
    """What helps with most errors of the class; where a case knows better, it says so itself."""

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        expected: str | None = None,
        found: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.what = what
        self.where = where
        self.expected = expected
        self.found = found
        self.hint = hint or self.usual_hint
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """Return the one-line message without prefix and hint."""
        head = f"{self.where}: {self.what}" if self.where else self.what
        facts = [
            f"{name} {value}"
            for name, value in (("expected", self.expected), ("found", self.found))
            if value is not None
        ]
        return f"{head} ({', '.join(facts)})" if facts else head

    def to_dict(self) -> dict[str, object]:
        """Return the error as the object that `--json` prints."""
        return {
            "error": type(self).__name__,
            "exit_code": self.exit_code,
            "what": self.what,
            "where": self.where,
            "expected": self.expected,
            "found": self.found,
            "hint": self.hint,
        }


class SystemRefused(PacktrainError):
    """The operating system refused something that no other error names: no right to a file, a failing disk."""

    exit_code = 3


# --- 10: voyage folder and voyage.toml ---------------------------------------------------------------------------


class VoyageFileError(PacktrainError):
    """voyage.toml cannot be read, has an unknown field, or a value out of range."""

    exit_code = 10
    usual_hint = "mend voyage.toml; docs/reference/voyage-toml.md lists its fields"


class NotAVoyage(PacktrainError):
    """The folder holds no voyage.toml."""

    exit_code = 11


class StageNotReady(PacktrainError):
    """A stage was called before the documents it reads were written."""

    exit_code = 12
    usual_hint = '"packtrain status" says what comes first'


class VoyageLocked(PacktrainError):
    """Another packtrain process works in this voyage folder."""

    exit_code = 13


class DocumentError(PacktrainError):
    """A document is not canonical JSON of a known type and version, or a field is out of bounds."""

    exit_code = 14
    usual_hint = "documents are not edited by hand: take the file again from where it came from"


class WrongRole(PacktrainError):
    """The verb belongs to another party than the owner of this voyage folder."""

    exit_code = 15
    usual_hint = "run it in the voyage folder of the party that it belongs to"


class VoyageExists(PacktrainError):
    """`init` was asked to write over a voyage that is there already."""

    exit_code = 16


# --- 20: sources and data set ------------------------------------------------------------------------------------


class SourceUnreadable(PacktrainError):
    """A source path does not exist or cannot be read."""

    exit_code = 20
    usual_hint = "mend it and run the same command again: it goes on where it stopped"


class SourceChanged(PacktrainError):
    """A source file changed while it was read."""

    exit_code = 21


class TooManyRejects(PacktrainError):
    """More inputs were set aside than the recipe allows."""

    exit_code = 22


class NothingToCarry(PacktrainError):
    """No sample or file is left to pack."""

    exit_code = 23


class MissingDependency(PacktrainError):
    """An extra of packtrain that the verb needs is not installed."""

    exit_code = 24


class WorkerCrashed(PacktrainError):
    """A process that prepares data or seals volumes ended without a word, again and again."""

    exit_code = 25


class HostUnfit(PacktrainError):
    """A host of a cluster does not see the folders it must share, or has other versions installed."""

    exit_code = 26
    usual_hint = "docs/how-to/prepare-on-many-machines.md says what every host must see and have"


class ClusterUnreachable(PacktrainError):
    """A cluster cannot be reached, refuses work, or has no host left."""

    exit_code = 27


class HostsLost(PacktrainError):
    """Hosts went away with work that no other host can do; what the others had to do is done."""

    exit_code = 28


# --- 30: drives --------------------------------------------------------------------------------------------------


class DriveMissing(PacktrainError):
    """A drive that the verb needs, or that the command names, is not mounted."""

    exit_code = 30
    usual_hint = "mount it, or correct its path"


class DriveFull(PacktrainError):
    """A drive, or the store, has no room for what must be written."""

    exit_code = 31
    usual_hint = "make room, then run the same command again"


class DuplicateDrive(PacktrainError):
    """The same folder or the same drive was given twice."""

    exit_code = 32


class ForeignDrive(PacktrainError):
    """A drive belongs to another shipment, or holds files that are not packtrain's."""

    exit_code = 33
    usual_hint = 'see what it is with "packtrain drives"; nothing was written to it'


class SupersededDrive(PacktrainError):
    """A drive belongs to an earlier attempt of this shipment."""

    exit_code = 34


class DriveFailed(PacktrainError):
    """Reading or writing a drive failed, or it returned other bytes than were written."""

    exit_code = 35
    usual_hint = "check the drive, its cable and the kernel log, then run the same command again"


class PlacementImpossible(PacktrainError):
    """No grouping of these drives survives what was asked."""

    exit_code = 36


class DriveInUse(PacktrainError):
    """A drive already holds a closed shipment and would have to be overwritten."""

    exit_code = 37
    usual_hint = 'see what it is with "packtrain drives"; nothing was written to it'


class DriveNotClosed(PacktrainError):
    """A drive was opened for packing and never closed: it has no closing record."""

    exit_code = 38


class StoreInUse(PacktrainError):
    """The store holds other files under names of the cargo, or another load works in it."""

    exit_code = 39


# --- 40: cargo integrity -----------------------------------------------------------------------------------------


class IntegrityError(PacktrainError):
    """Bytes differ from what a signed document says."""

    exit_code = 40
    usual_hint = '"packtrain check" lists all damage, and "check --repair" mends what parity still covers'


class BeyondRepair(PacktrainError):
    """More of a stripe is lost than the code survives; what could be read was restored."""

    exit_code = 41


class IncompleteKnowledge(PacktrainError):
    """Drives are missing and no shipment document says what the whole is (a withheld wave looks like this)."""

    exit_code = 42


class HostileArchive(PacktrainError):
    """A volume holds a path or a link that would leave the store, or a header that breaks the format."""

    exit_code = 43
    usual_hint = "do not unpack it by other means: ask who packed it"


class AgeFormatError(PacktrainError):
    """An age file is not well formed or was altered."""

    exit_code = 44
    usual_hint = "the file was cut or altered on its way: take another copy of it"


class MoreDrivesWanted(PacktrainError):
    """The drives at hand do not make the whole; the message names which are to be mounted next. No damage.

    Args:
        what, where, expected, found, hint: as of every error.
        wanted: what `--json` adds: labels of the drives, and what is known of each group.
    """

    exit_code = 45

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        expected: str | None = None,
        found: str | None = None,
        hint: str | None = None,
        wanted: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(what, where=where, expected=expected, found=found, hint=hint)
        self.wanted = dict(wanted or {})

    def to_dict(self) -> dict[str, object]:
        """Return the error as the object that `--json` prints."""
        return {**super().to_dict(), "wanted": self.wanted}


class GroupSplit(PacktrainError):
    """Drives of one group are mounted on several hosts, and a group is read by one; nothing was read.

    Args:
        what, where, expected, found, hint: as of every error.
        moves: what `--json` adds: of each drive to be moved its label, the host that has it, and the one to have it.
    """

    exit_code = 46

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        expected: str | None = None,
        found: str | None = None,
        hint: str | None = None,
        moves: Sequence[Mapping[str, str]] = (),
    ) -> None:
        super().__init__(what, where=where, expected=expected, found=found, hint=hint)
        self.moves = [dict(move) for move in moves]

    def to_dict(self) -> dict[str, object]:
        """Return the error as the object that `--json` prints."""
        return {**super().to_dict(), "moves": self.moves}


# --- 50: signatures and trust ------------------------------------------------------------------------------------


class SignatureMissing(PacktrainError):
    """A document that must be signed has no signature."""

    exit_code = 50
    usual_hint = "take the document again together with its .sig file"


class SignatureInvalid(PacktrainError):
    """A signature does not fit the document's bytes."""

    exit_code = 51
    usual_hint = (
        "what was signed was altered, or another signature lies beside it: take both again from where they came from"
    )


class UntrustedSigner(PacktrainError):
    """A document is signed by a key that parties.json does not name for it."""

    exit_code = 52
    usual_hint = "read the fingerprint back to that party by telephone; only a key in voyage.toml counts"


class CustodyBroken(PacktrainError):
    """The custody log's chain is broken, cut, or out of order."""

    exit_code = 53
    usual_hint = (
        '"packtrain custody check" says which line it is; ask the party that wrote it for its own copy of the log'
    )


# --- 60: keys ----------------------------------------------------------------------------------------------------


class KeyMissing(PacktrainError):
    """A key file that the verb needs is not there."""

    exit_code = 60
    usual_hint = "bring it from its backup, or name it in [keys] of voyage.toml"


class WrongKey(PacktrainError):
    """A key does not open the file it was tried on."""

    exit_code = 61
    usual_hint = "try the key of the party that it was sealed to: keys/party.toml names its recipient"


class KeyMalformed(PacktrainError):
    """A key or recipient is not well formed."""

    exit_code = 62
    usual_hint = "bring the key again from its backup, or from the party that it belongs to"


class KeyExists(PacktrainError):
    """A new key would be written over one that is there already."""

    exit_code = 63


# --- 70: diligence and admission ---------------------------------------------------------------------------------


class DeclarationMissing(PacktrainError):
    """There is no signed declaration."""

    exit_code = 70


class DeclarationIncomplete(PacktrainError):
    """A question of the declaration has no answer."""

    exit_code = 71


class FullFormNeeded(PacktrainError):
    """The short form does not apply to these parties and this route."""

    exit_code = 72


class NotAdmitted(PacktrainError):
    """There is no admission by the site operator, or it does not cover this shipment."""

    exit_code = 73
    usual_hint = '"packtrain status" says which paper is wanted; the site operator writes it with "packtrain admit"'


class AdmissionRefused(PacktrainError):
    """The site operator's verdict is refuse."""

    exit_code = 74


class AdmissionHeld(PacktrainError):
    """The site operator's verdict is hold."""

    exit_code = 75


class DossierError(PacktrainError):
    """A dossier is not a valid bag, or a document in it does not belong to it."""

    exit_code = 76
    usual_hint = "ask the party that made the dossier for another copy of it"


class AnswerChanged(PacktrainError):
    """A signed answer was changed without an amendment."""

    exit_code = 77


class DeclarationFileError(PacktrainError):
    """declaration.toml cannot be read, has an unknown field, or a value out of range."""

    exit_code = 78
    usual_hint = "mend declaration.toml; docs/reference/declaration-toml.md lists its fields"


class DeclarationExceeded(PacktrainError):
    """More bytes or drives are to be packed than the declaration says at most."""

    exit_code = 79


# --- 80: kit, rehearsal and training -----------------------------------------------------------------------------


class KitError(PacktrainError):
    """The kit does not match its lock, or cannot be installed offline."""

    exit_code = 80
    usual_hint = 'build the kit again with "packtrain kit build", or take it again from the drive that it came on'


class RehearsalFailed(PacktrainError):
    """A clause of the contract with the training program was broken in rehearsal."""

    exit_code = 81
    usual_hint = '"packtrain status" and the sheet say which clause; mend the program, then rehearse again'


class TrainingFailed(PacktrainError):
    """The training program failed more often than the engine restarts it."""

    exit_code = 82
    usual_hint = "its log names the last lines of the program; the same command goes on from the newest checkpoint"


class WorkerStalled(PacktrainError):
    """A worker made no progress within the watchdog's time."""

    exit_code = 83


class DataOrderChanged(PacktrainError):
    """A checkpoint's data position belongs to another data set or order than the one at hand."""

    exit_code = 84
    usual_hint = (
        "train with the data set and the order that the checkpoint was made with, or begin anew in an empty folder"
    )


class LockUnreadable(PacktrainError):
    """A program's uv.lock cannot be read, or has no answer for the target of the kit."""

    exit_code = 85
    usual_hint = 'write it anew with "uv lock" in the program\'s folder'


class WheelUnavailable(PacktrainError):
    """A wheel of a lock cannot be fetched, is not the one of the lock, or cannot be built for the target."""

    exit_code = 86
    usual_hint = "run the same command again when the index answers, or give the wheel with --wheelhouse"


class KitUpdateRefused(PacktrainError):
    """A change of the kit after departure does not follow from the kit in force, or may not be made."""

    exit_code = 87
    usual_hint = '"packtrain update show FILE" tells what the update says of itself; ask who made it for another'


class SiteUnfit(PacktrainError):
    """What a site has is not what was asked of it, or not what was promised; the signed sheet says what."""

    exit_code = 88
    usual_hint = "each line of the sheet that is bad says what mends it; inspect again when it is mended"


# --- 89: the page in a browser -----------------------------------------------------------------------------------


class PageNotServed(PacktrainError):
    """`serve` cannot listen there: the port is taken, may not be had, or the address is none of this machine's."""

    exit_code = 89


# --- 90: results and closing -------------------------------------------------------------------------------------


class ExportDenied(PacktrainError):
    """A file or tensor is not declared for export, or breaks a rule of the export."""

    exit_code = 90
    usual_hint = "docs/reference/export-toml.md says what may leave; what is not declared stays"


class ClosingRefused(PacktrainError):
    """The voyage cannot be closed yet."""

    exit_code = 91


class PiecesIncomplete(PacktrainError):
    """Pieces of an outbox are missing, cut or damaged; what was found good is kept, and a list names the others."""

    exit_code = 92


class WeightsUnopenable(PacktrainError):
    """Compressed weights are not in their form, or are a difference to weights that are not here."""

    exit_code = 93
    usual_hint = "ask for the weights again, or give what they are a difference to: --base FOLDER"


class SanitisingFailed(PacktrainError):
    """A drive cannot be sanitised this way, or the command failed; the signed record says *not sanitised*."""

    exit_code = 94
    usual_hint = 'look at the drive with "packtrain drives --smart"; its record says *not sanitised*'


class NotEmpty(PacktrainError):
    """What was read back from a drive is not empty; the signed record says *not sanitised*."""

    exit_code = 95


class ProvenanceBroken(PacktrainError):
    """A provenance statement is missing, or does not follow from the signed papers."""

    exit_code = 96


# --- 97: this machine --------------------------------------------------------------------------------------------


class MachineUnready(PacktrainError):
    """`doctor` found something about this machine that stops a verb of this party."""

    exit_code = 97


# --- 100: lists, screening and rules -----------------------------------------------------------------------------


class ListUnreadable(PacktrainError):
    """A list of parties is not in the format it was given as, is cut off, or holds no entry."""

    exit_code = 100
    usual_hint = "fetch the file again from its publisher; --format says which form is expected"


class ListMissing(PacktrainError):
    """No list of parties was added under this label."""

    exit_code = 101


class RulePackError(PacktrainError):
    """A rule pack names an unknown test, goes beyond what its marks allow, or has a value out of range."""

    exit_code = 106


class PolicyError(PacktrainError):
    """A site's policy is milder than the rule pack, or names a rule that the pack does not have."""

    exit_code = 107


class GroupUnreadable(PacktrainError):
    """A file of country groups cannot be read, or names a country that is none."""

    exit_code = 108


class AnswerRefused(PacktrainError):
    """An answer to a flag is not for this flag, or a STOP was answered without what an exception needs."""

    exit_code = 109


class CandidateUnknown(PacktrainError):
    """No candidate of the newest screening has this id, or more than one has."""

    exit_code = 102


# --- 110: papers ---------------------------------------------------------------------------------------------------


class CustomsFileError(PacktrainError):
    """customs.toml cannot be read, or an answer in it cannot be right."""

    exit_code = 110


class CustomsIncomplete(PacktrainError):
    """Questions of customs.toml have no answer yet; the message names them all."""

    exit_code = 111


# --- 113: custody, beside 53 -------------------------------------------------------------------------------------


class CustodyContradicted(PacktrainError):
    """A custody log differs from a head that a counterpart signed, or two signed heads contradict each other."""

    exit_code = 113


class CodeUnreadable(PacktrainError):
    """A QR code, or the text of one, is not what packtrain writes: cut, misread, or of something else."""

    exit_code = 114
    usual_hint = "read the code again, or take the file in its place"


class KeyRevoked(UntrustedSigner):
    """A signature is by a key that its party revoked, and nothing vouches for what it signed."""

    exit_code = 115


# --- 118: audit ----------------------------------------------------------------------------------------------------


class RecordFaulty(PacktrainError):
    """An audit found something missing, unsigned, altered, by a foreign key, or contradictory in the record."""

    exit_code = 118


class RecordUnvouched(PacktrainError):
    """An audit found no fault, and nobody vouched for the keys: whose the signatures are is not known."""

    exit_code = 119


# --- 120: stores, beside 39 --------------------------------------------------------------------------------------


class StoreUnreachable(PacktrainError):
    """Object storage does not answer, refuses the access key, or has no such bucket."""

    exit_code = 120


class LoginClosed(KeyboardInterrupt):
    """The terminal of the command is gone (SIGHUP). An engine whose workers do not need the command lets them run."""
