"""Which drive is of which make and model: rows of customs.toml name serials, labels or whole cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from packtrain.diligence.answer_reader import is_answer
from packtrain.diligence.customs.answers import DriveAnswers
from packtrain.diligence.customs.reader import CustomsReader
from packtrain.documents.customs import PrintedSerial
from packtrain.documents.drive import unread_serial
from packtrain.documents.packing_statement import PackedDrive, PackingStatement


def assign_drives(
    reader: CustomsReader, rows: Sequence[DriveAnswers], statement: PackingStatement
) -> list[tuple[PackedDrive, ...]]:
    """Return the drives of each row, in the order of the statement.

    The closest name counts: a serial before a label, a label before a case. A drive that no row names is a gap.

    Raises:
        CustomsFileError: a row names what is not in the packing statement, or two rows name a drive equally closely.
    """
    found: list[list[PackedDrive]] = [[] for _ in rows]
    for case in statement.cases:
        for drive in case.drives:
            ways = [
                [number for number, row in enumerate(rows) if drive.serial in row.serials],
                [number for number, row in enumerate(rows) if drive.label in row.labels],
                [number for number, row in enumerate(rows) if case.label in row.cases],
            ]
            named = next((way for way in ways if way), list[int]())
            if len(named) > 1:
                reader.refuse(
                    "drive", f"one [[drive]] that names drive {drive.label}", " and ".join(_place(n) for n in named)
                )
            if named:
                found[named[0]].append(drive)
            else:
                reader.missing.append(
                    f"a [[drive]] that names drive {drive.label} (serial {drive.serial}, case {case.label})"
                )
    drives = [drive for case in statement.cases for drive in case.drives]
    _refuse_unknown(reader, rows, "cases", {case.label for case in statement.cases})
    _refuse_unknown(reader, rows, "labels", {drive.label for drive in drives})
    _refuse_unknown(reader, rows, "serials", {drive.serial for drive in drives})
    for number, row in enumerate(rows):
        if not found[number] and (row.serials or row.labels or row.cases):
            reader.refuse(_place(number), "a drive that no other row names more closely", "none is left for it")
        if not (row.serials or row.labels or row.cases):
            reader.missing.append(f"{_place(number)}: which drives, by cases, labels or serials")
    return [tuple(row) for row in found]


def printed_serials(
    reader: CustomsReader, answers: Mapping[str, str], statement: PackingStatement
) -> tuple[PrintedSerial, ...]:
    """Return the serial numbers that a person read from drives whose own could not be read by packtrain.

    Raises:
        CustomsFileError: one is given for a drive that has one, or that is not there, or one is given twice.
    """
    drives = {drive.label: drive for case in statement.cases for drive in case.drives}
    given: list[PrintedSerial] = []
    for label, drive in drives.items():
        if drive.serial != unread_serial(drive.uuid):
            continue
        text = answers.get(label, "")
        if not is_answer(text):
            reader.missing.append(f"serials.{label}: the serial number printed on the drive, which could not be read")
            continue
        if len(text.strip()) > 128:
            reader.refuse(f"serials.{label}", "at most 128 characters", text)
        given.append(PrintedSerial(drive=drive.uuid, serial=text.strip()))
    for label in answers:
        if label not in drives:
            reader.refuse(f"serials.{label}", "the label of a drive in the packing statement", label)
        if (drive := drives[label]).serial != unread_serial(drive.uuid):
            reader.refuse(f"serials.{label}", f"nothing: packtrain read {drive.serial}", answers[label])
    read = {drive.serial for drive in drives.values()}
    texts = [each.serial for each in given]
    if twice := sorted({text for text in texts if texts.count(text) > 1 or text in read}):
        reader.refuse("serials", "one serial number a drive", ", ".join(twice))
    return tuple(given)


def _refuse_unknown(reader: CustomsReader, rows: Sequence[DriveAnswers], field: str, known: set[str]) -> None:
    for number, row in enumerate(rows):
        names: tuple[str, ...] = getattr(row, field)
        if unknown := [name for name in names if name not in known]:
            reader.refuse(f"{_place(number)}.{field}", "what the packing statement names", ", ".join(unknown))


def _place(number: int) -> str:
    return f"drive[{number}]"
