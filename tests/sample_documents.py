"""One hand-made document of every type, all fields filled: what the frozen vectors in vectors/documents/ spell.

`python tests/sample_documents.py` writes the vectors anew, after a change of a document that was meant.
"""

import importlib
import pkgutil
from pathlib import Path
from typing import Literal

import packtrain.documents
from packtrain.documents.admission import Admission, AdmissionCheck, AdmittedDrive
from packtrain.documents.closing import ClosedDrive, Closing
from packtrain.documents.codec import Document, encode
from packtrain.documents.country_group import CountryGroup
from packtrain.documents.custody import CustodyEvent
from packtrain.documents.custody_head import CustodyHead
from packtrain.documents.customs import (
    Carriage,
    Customs,
    CustomsCase,
    CustomsParty,
    DriveKind,
    GoodsKind,
    OtherGoods,
    PrintedSerial,
)
from packtrain.documents.data_scan import DataScan, NotScanned, ScanDetector, ScannedColumn
from packtrain.documents.dataset import DataFile, Dataset, SampleCount, Shard
from packtrain.documents.declaration import Declaration, DeclaredData, DeclaredParty
from packtrain.documents.declared_party import Evidence
from packtrain.documents.disposition import Disposition, DispositionEvidence
from packtrain.documents.drive import Drive
from packtrain.documents.export_list import ExportedFile, ExportedTensor, ExportList, Packing
from packtrain.documents.flag_answer import FlagAnswer, FlagException
from packtrain.documents.flags import Flags, RuleFinding, RuleResult, UsedGroup
from packtrain.documents.forecast import (
    Forecast,
    ForecastFigure,
    ForecastLoss,
    ForecastOdds,
    ForecastRoute,
    ForecastStep,
)
from packtrain.documents.group import Catalog, Group, Volume
from packtrain.documents.inspection import Figure, Finding, Inspection
from packtrain.documents.kit import Kit, KitFile, Provided
from packtrain.documents.kit_update import KitUpdate
from packtrain.documents.list_record import LeftOut, ListFile, ListRecord, MappedColumn
from packtrain.documents.measurement import (
    Machine,
    MeasuredDrive,
    MeasuredFolder,
    Measurement,
    PartOfRun,
    Rate,
    Together,
    Work,
)
from packtrain.documents.packing_statement import PackedCase, PackedDrive, PackingStatement
from packtrain.documents.parties import Parties, Party
from packtrain.documents.pieces import Piece, PiecedFile, Pieces
from packtrain.documents.placement import PlacedDrive, PlacedGroup, PlacementDocument
from packtrain.documents.plan import Algorithms, Plan, PlannedDrive, PlannedGroup, Survive
from packtrain.documents.promised_section import PromisedSection
from packtrain.documents.provenance import Provenance, Result, TrainedAttempt, TrainedKit
from packtrain.documents.ready import Clause, Ready, StepLoss, UndisturbedRun
from packtrain.documents.receipt import Receipt
from packtrain.documents.revocation import Revocation
from packtrain.documents.sanitisation import FirstFault, ReadBack, Sanitisation, SanitisedDevice, SanitisingStep
from packtrain.documents.screening import Candidate, ScreenedList, ScreenedSubject, Screening, ScreeningEngine
from packtrain.documents.shipment import Shipment, ShippedDrive, ShippedGroup
from packtrain.documents.shipment_key import ShipmentKey
from packtrain.documents.withdrawals import Withdrawal, Withdrawals

VECTORS = Path(__file__).parent / "vectors" / "documents"
SHIPMENT = "7b1c0a52-3f0e-4c7b-9d7a-0c5b6f0f9a11"
DRIVES = ("00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002")
AT = "2026-11-21T08:09:10Z"
RECIPIENT = "age1" + "q" * 58
SIGNER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "B" * 43

REVIEWER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "C" * 43


def sha256(letter: str) -> str:
    """Return 64 times the same hex digit, in place of a digest."""
    return letter * 64


def _rate(bytes_per_second: float) -> Rate:
    return Rate(bytes_per_second=bytes_per_second, bytes=10**9, seconds=0.5, how="in a test")


def _work(cpu_seconds_per_gb: float) -> Work:
    return Work(
        cpu_seconds_per_gb=cpu_seconds_per_gb,
        bytes_per_second=1.25e9,
        fixed_seconds=0.25,
        bytes=5 * 10**8,
        seconds=0.75,
        k=12,
        m=4,
        how="in a test",
    )


def _party(name: str) -> DeclaredParty:
    return DeclaredParty(
        name=name,
        address="1 Hill Road",
        location="DE",
        headquarters="DE",
        ultimate_parent=None,
        parent_country=None,
    )


def _customs_party(name: str) -> CustomsParty:
    return CustomsParty(
        name=name, address="1 Hill Road", country="DE", tax_id="DE123", eori="none", contact="+49 0, a@party.example"
    )


def _goods(description: str) -> GoodsKind:
    return GoodsKind(
        description=description,
        make="Example Storage",
        model="ES24",
        hs_code="8471.70",
        origin="TH",
        value=41237,
        net_grams=685,
        lithium="none",
        export_class="none",
    )


def _forecast_step(name: str, limit: Literal["bays", "link"], days: float) -> ForecastStep:
    return ForecastStep(
        name=name,
        part="way",
        start_days=0.0,
        days_low=days * 0.95,
        days_likely=days,
        days_high=days * 1.3,
        limit=limit,
        bytes=80 * 10**12,
        bytes_per_second=1.5e9,
    )


def samples() -> dict[type[Document], Document]:
    """Return one document of every type."""
    documents: tuple[Document, ...] = (
        Admission(
            shipment=SHIPMENT,
            attempt=1,
            plan=sha256("1"),
            shipment_root=sha256("2"),
            declaration=sha256("3"),
            packing_statement=sha256("4"),
            dossier=sha256("5"),
            verdict="admit",
            own_site=False,
            screening=sha256("6"),
            flags=sha256("7"),
            policy=sha256("8"),
            checks=(AdmissionCheck(check="signatures", outcome="passed", detail="14 of 14"),),
            drives=(AdmittedDrive(uuid=DRIVES[0], label="A1", serial="S-1", case="A"),),
            decided_on=AT,
        ),
        Closing(
            shipment=SHIPMENT,
            by="consignee",
            export_list=sha256("6"),
            keys_destroyed=("release.age",),
            not_reached=("backups",),
            drives=(
                ClosedDrive(
                    uuid=DRIVES[0], label="A1", sanitisation="not sanitised", record=sha256("9"), detail="a folder"
                ),
            ),
            kept=("custody.jsonl",),
            retention_years=10,
            closed_on=AT,
        ),
        CountryGroup(
            name="D5",
            as_of="2026-11-20",
            source="its publisher, page of that day",
            members=("AA", "ZZ"),
            file=sha256("1"),
            added_on=AT,
            replaces=sha256("2"),
        ),
        Customs(
            shipment=SHIPMENT,
            attempt=1,
            shipment_root=sha256("2"),
            packing_statement=sha256("4"),
            reference="PF-1",
            place="Example Town",
            consignor=_customs_party("Observatory"),
            consignee=_customs_party("University"),
            holder=_customs_party("Observatory"),
            representative="A. Carrier",
            carriage=Carriage(
                reason="temporary export, not for sale",
                intended_use="reading of observations",
                returns_by="2027-05-31",
                incoterm="DAP Example Town",
                dispatch="CL",
                destination="DE",
                port_of_exit="SCL",
                port_of_entry="FRA",
                transport="accompanied baggage",
            ),
            currency="EUR",
            decimals=2,
            value_basis="invoices of May 2026",
            recorded_data=None,
            freight=64000,
            insurance=0,
            seal_type="pull-tight",
            seal_maker="none",
            drive_kinds=(DriveKind(goods=_goods("hard disk"), drives=DRIVES[:1]),),
            others=(OtherGoods(goods=_goods("dock"), case="A", pieces=1, serial="DK-1"),),
            cases=(
                CustomsCase(label="A", marks="OBS/1", length_mm=560, width_mm=455, height_mm=265, gross_grams=16850),
            ),
            printed_serials=(PrintedSerial(drive=DRIVES[0], serial="S-1"),),
            stated_on=AT,
            supersedes=sha256("7"),
        ),
        CustodyEvent(
            sequence=0,
            previous=sha256("0"),
            shipment=SHIPMENT,
            verb="released",
            by="consignor",
            counterpart="operator",
            answers=None,
            cases=("A", "B"),
            drives=DRIVES,
            seals=("PT-1001",),
            note='at the gate: "unbroken" \u2013 \u00fc \u20ac \U0001f434',
            at=AT,
        ),
        CustodyHead(
            shipment=SHIPMENT,
            by="operator",
            num_entries=4,
            last_line=sha256("1"),
            last_at=AT,
            made_on="2026-11-21T08:09:11Z",
        ),
        Dataset(
            name="sky survey",
            recipe=sha256("1"),
            sources=sha256("2"),
            num_sources=3,
            source_bytes=4_000_000,
            counts=(
                SampleCount(
                    kind="image",
                    num_samples=7,
                    num_rejects=1,
                    num_filtered=0,
                    num_duplicates=2,
                    num_near_duplicates=0,
                    num_withdrawn=0,
                ),
            ),
            shards=(
                Shard(
                    name="shards/image-000000.tar",
                    kind="image",
                    split="train",
                    bytes=10240,
                    sha256=sha256("3"),
                    num_samples=7,
                ),
            ),
            files=(DataFile(name="index.parquet", bytes=512, sha256=sha256("4")),),
            miniature_shards=(
                Shard(
                    name="miniature/shards/image-000000.tar",
                    kind="image",
                    split="train",
                    bytes=2048,
                    sha256=sha256("5"),
                    num_samples=1,
                ),
            ),
            miniature_files=(DataFile(name="miniature/index.parquet", bytes=256, sha256=sha256("6")),),
        ),
        DataScan(
            voyage="sky survey",
            sources=sha256("2"),
            scan_version=1,
            num_tables=2,
            num_columns=9,
            num_rows=4000,
            num_rows_sampled=1100,
            max_cell_characters=512,
            detectors=(
                ScanDetector(
                    name="e-mail",
                    version=1,
                    looks_for="e-mail addresses",
                    chance=0,
                    least_share=10,
                    num_columns=2,
                    num_findings=1,
                ),
            ),
            columns=(
                ScannedColumn(
                    source="raw/tables/people.xlsx",
                    sheet=2,
                    column=3,
                    detector="e-mail",
                    word="",
                    num_sampled=100,
                    num_filled=98,
                    num_formed=97,
                    num_hits=96,
                    num_distinct=64,
                    num_distinct_hits=63,
                    is_finding=True,
                ),
            ),
            num_left_out=1,
            not_scanned=NotScanned(images=7, clips=2, papers=1, other_files=3, tables_set_aside=1, long_cells=4),
        ),
        Declaration(
            voyage="sky survey",
            form="short",
            shipper=_party("Observatory"),
            receiver=_party("University"),
            operator=_party("Computing Centre"),
            trained_for=_party("Observatory"),
            end_use="to find comets",
            hardware_class="eight accelerators",
            site_country="DE",
            data=DeclaredData(
                description="pictures of the sky",
                categories=("public",),
                personal_data=False,
                erased_by="2027-03-01",
                card=sha256("7"),
            ),
            most_bytes=80_000_000_000_000,
            most_drives=60,
            returns="weights",
            full=None,
            signed_on=AT,
            supersedes=None,
            changes=(),
        ),
        Disposition(
            by="operator",
            screening=sha256("1"),
            candidate=sha256("2"),
            subject="Observatory",
            list="invented-list",
            entry="E-17",
            text="Observatory of the Hill",
            score=912,
            verdict="false match",
            because="another town, another director",
            evidence=(DispositionEvidence(name="extract.pdf", sha256=sha256("3")),),
            answered_on=AT,
        ),
        Drive(
            shipment=SHIPMENT,
            attempt=1,
            plan=sha256("1"),
            uuid=DRIVES[0],
            replaces=(),
            label="A1",
            serial="folder-00000000",
            case="A",
            group=0,
            group_document=sha256("2"),
            tagmanifest=sha256("3"),
            payload_bytes=1 << 20,
            num_volumes=2,
            formatted=AT,
            closed=AT,
        ),
        Pieces(
            shipment=SHIPMENT,
            export_list=sha256("6"),
            piece_bytes=1 << 26,
            files=tuple(
                PiecedFile(
                    name=name,
                    bytes=332,
                    sha256=sha256(digit),
                    pieces=(Piece(sha256=sha256(digit), bytes=332),),
                )
                for name, digit in (
                    ("export-list.json", "6"),
                    ("export-list.json.sig", "7"),
                    ("weights.safetensors.ptw.age", "8"),
                )
            ),
        ),
        ExportList(
            shipment=SHIPMENT,
            shipment_root=sha256("2"),
            admission=sha256("3"),
            kit=None,
            training=sha256("4"),
            files=(
                ExportedFile(
                    name="weights.safetensors",
                    bytes=100,
                    sha256=sha256("5"),
                    sealed_bytes=332,
                    sealed_sha256=sha256("6"),
                    packed=Packing(form="packtrain-weights-1", bytes=66, base=sha256("9")),
                ),
            ),
            tensors=(ExportedTensor(name="embed.weight", dtype="F32", shape=(5, 5), bytes=100),),
            results=sha256("7"),
            checks=("no canary found",),
            text_budget_bytes=1 << 20,
            made_on=AT,
        ),
        KitUpdate(
            shipment=SHIPMENT,
            shipment_root=sha256("2"),
            number=2,
            supersedes=sha256("3"),
            from_kit=sha256("4"),
            to_kit=sha256("5"),
            ready=sha256("6"),
            files=(KitFile(name="program/train.py", bytes=100, sha256=sha256("7")),),
            removed=("wheels/old-1.0-py3-none-any.whl",),
            export_rules_changed=False,
            command_changed=True,
            reason="the learning rate was ten times too high",
            created=AT,
        ),
        Provenance(
            shipment=SHIPMENT,
            shipment_root=sha256("2"),
            plan=sha256("1"),
            cargo=sha256("8"),
            admission=sha256("3"),
            kits=(
                TrainedKit(kit=sha256("4"), ready=sha256("6"), update=None, steps="1-400"),
                TrainedKit(kit=sha256("5"), ready=None, update=sha256("9"), steps="401-800"),
            ),
            program=sha256("a"),
            training=sha256("4"),
            num_steps=800,
            num_samples=25_600,
            attempts=(TrainedAttempt(attempt=1, kit=sha256("4"), seconds=12.5, reason="worker 1 ended with 1"),),
            position="epoch 2, 128 samples of it consumed",
            hosts=("node-7",),
            workers=2,
            engine="local",
            versions={"packtrain": "0.5.0"},
            export_list=sha256("b"),
            results=sha256("7"),
            files=(Result(name="weights.safetensors", bytes=100, sha256=sha256("5")),),
            trained_on=AT,
            made_on=AT,
        ),
        FlagAnswer(
            voyage="sky survey",
            by="operator",
            flags=sha256("1"),
            rule="HQ-1",
            finding=sha256("2"),
            person="B. Bright",
            because="licence 7 covers this site and this model",
            evidence=(Evidence(what="letter of the authority", sha256=sha256("3")),),
            exception=FlagException(
                paper="licence", number="7", issued_by="the authority", valid_until="2027-01-01", sha256=sha256("4")
            ),
            answered_on=AT,
        ),
        Flags(
            voyage="sky survey",
            by="operator",
            moment="admission",
            declaration=sha256("1"),
            shipment_root=sha256("2"),
            screening=sha256("3"),
            pack="packtrain-v0",
            pack_date="2026-11-24",
            pack_sha256=sha256("4"),
            policy=sha256("5"),
            groups=(UsedGroup(name="D5", as_of="2026-11-20", sha256=sha256("6")),),
            as_of="2026-11-21",
            results=(
                RuleResult(
                    rule="PT-3",
                    title="The drives are those of the statement",
                    mark="design",
                    source="our own caution",
                    source_url="https://example.org/rule",
                    in_force_from="2026-01-01",
                    in_force_to="2026-12-31",
                    outcome="fired",
                    level="HOLD",
                    inputs=("lost drives: A1",),
                    findings=(RuleFinding(case="lost", level="HOLD", pack_level="FLAG", because="lost: A1"),),
                    because="",
                ),
            ),
            judged_on=AT,
            supersedes=sha256("7"),
        ),
        Forecast(
            voyage="sky survey",
            made=AT,
            start="2026-12-01",
            total_bytes=80 * 10**12,
            bytes_from="dataset.json",
            raw_bytes=107 * 10**12,
            num_drives=60,
            num_cases=4,
            k=6,
            m=2,
            waves=8,
            load_waves=8,
            fits=True,
            survives="any one case",
            loss=ForecastLoss(probability=0.002, low=0.002, high=0.002, method="exact"),
            loss_after_case=ForecastLoss(probability=0.22, low=0.21, high=0.23, method="drawn"),
            currency="EUR",
            steps=(_forecast_step("pack", "bays", 2.5), _forecast_step("load", "bays", 1.25)),
            send_steps=(_forecast_step("send", "link", 37.5),),
            carry=ForecastRoute(
                days=6.75,
                there=ForecastOdds(days_10=6.0, days_50=8.0, days_90=10.5),
                home_days=30.5,
                home=ForecastOdds(days_10=28.0, days_50=32.0, days_90=40.0),
                bottleneck="pack: bays",
                cost=9600.5,
            ),
            send=ForecastRoute(
                days=37.5,
                there=ForecastOdds(days_10=36.5, days_50=39.5, days_90=44.5),
                home_days=None,
                home=None,
                bottleneck="send: link",
                cost=None,
            ),
            assumed=(
                ForecastFigure(
                    name="drives",
                    text="a drive writes 180 MB/s",
                    origin="measured",
                    measured="2026-11-21T08:09:10Z on packer-1",
                ),
            ),
        ),
        Group(
            shipment=SHIPMENT,
            attempt=1,
            plan=sha256("1"),
            group=0,
            k=1,
            m=1,
            drives=DRIVES,
            num_stripes=1,
            volumes=tuple(
                Volume(
                    stripe=0,
                    column=column,
                    drive=drive,
                    bytes=1 << 20,
                    sha256=sha256("8"),
                    blocks_sha256=sha256("9"),
                    readback="direct",
                )
                for column, drive in enumerate(DRIVES)
            ),
            catalog=Catalog(bytes=400, sha256=sha256("a")),
            num_files=1,
            plaintext_bytes=1000,
        ),
        Kit(
            target_python="3.11",
            target_platform="linux_x86_64",
            program=sha256("1"),
            command="train.py --data {data}",
            files=(KitFile(name="wheels/numpy-2.4.0-cp311-cp311-linux_x86_64.whl", bytes=9, sha256=sha256("b")),),
            provided=(Provided(name="torch", version="2.13.0"),),
        ),
        PackingStatement(
            shipment=SHIPMENT,
            attempt=1,
            plan=sha256("1"),
            declaration=sha256("2"),
            shipment_root=sha256("3"),
            cases=(
                PackedCase(
                    label="A",
                    carrier="A. Carrier",
                    seal="PT-1001",
                    drives=(PackedDrive(uuid=DRIVES[0], label="A1", serial="S-1"),),
                ),
            ),
            note="",
            stated_on=AT,
        ),
        Parties(
            voyage="sky survey",
            parties=(
                Party(
                    role="consignor",
                    name="Observatory",
                    signer=SIGNER,
                    recipient=RECIPIENT,
                    reviewer=REVIEWER,
                    former=(REVIEWER,),
                ),
            ),
        ),
        Measurement(
            made=AT,
            seconds=95.5,
            machine=Machine(
                cores=8,
                processor="Example 9000",
                system="Linux 6.1.0",
                python="3.12.4",
                packtrain="0.1.0",
                memory_bytes=32 * 10**9,
                sha256=_rate(1.75e9),
                xxh3=_rate(2.5e10),
                encrypt=_rate(1.5e9),
                encode=_rate(6.5e9),
                pack=_work(3.5),
                load=_work(2.25),
                note="",
            ),
            drives=(
                MeasuredDrive(
                    name="A1",
                    path="/mnt/a1",
                    serial="S-1",
                    file_system="ext4",
                    size_bytes=2 * 10**12,
                    free_bytes=19 * 10**11,
                    is_written=True,
                    write=_rate(1.85e8),
                    sync_seconds=4.25,
                    read=_rate(1.9e8),
                    readback="direct",
                    parts=(
                        PartOfRun(
                            at_bytes=1 << 20,
                            bytes=10**9,
                            write_bytes_per_second=1.85e8,
                            read_bytes_per_second=None,
                        ),
                    ),
                    slowed="not seen",
                    is_short=True,
                    problem="",
                ),
            ),
            together=Together(
                drives=("A1", "A2"),
                write=_rate(2.5e8),
                read=None,
                write_part=0.675,
                read_part=None,
                limit="one USB hub",
            ),
            source=MeasuredFolder(
                path="/data/raw",
                file_system="xfs",
                free_bytes=0,
                write=None,
                read=_rate(1.25e9),
                readback="dropped",
                problem="",
            ),
            store=None,
        ),
        PlacementDocument(
            drives=(
                PlacedDrive(label="A1", case="A", path="/mnt/a1", serial="S-1", capacity_bytes=4 * 10**12),
                PlacedDrive(label="A2", case="A", path=None, serial=None, capacity_bytes=4 * 10**12),
            ),
            groups=(PlacedGroup(k=1, m=0, drives=("A1",)),),
            survive=Survive(cases=0, drives=0),
            statement="no drive may be lost",
            source_bytes=10**12,
            capacity_bytes=4 * 10**12,
        ),
        Plan(
            shipment=SHIPMENT,
            attempt=1,
            purpose="cargo",
            declaration=sha256("2"),
            recipient=RECIPIENT,
            algorithms=Algorithms(),
            block_bytes=1048576,
            volume_target_bytes=1 << 22,
            cases=("A", "B"),
            drives=(
                PlannedDrive(uuid=DRIVES[0], label="A1", serial="S-1", case="A"),
                PlannedDrive(uuid=DRIVES[1], label="B1", serial=None, case="B"),
            ),
            groups=(PlannedGroup(group=0, k=1, m=1, drives=DRIVES),),
            survive=Survive(cases=1, drives=0),
            cargo=sha256("c"),
            byte_cap=None,
            contact="the observatory, +49 0",
            created=AT,
            software="packtrain 0.1.0",
        ),
        Ready(
            shipment=SHIPMENT,
            kit=sha256("1"),
            miniature=sha256("2"),
            box="a network namespace",
            clauses=(Clause(clause="ends with exit code 0", verdict="kept", evidence="12 steps"),),
            ready_to_leave=True,
            num_steps=12,
            weights=sha256("3"),
            measurements={"seconds_per_step": 0.25, "checkpoint_bytes": 1e6, "smallest_loss": 1e-7},
            finished=AT,
            undisturbed=UndisturbedRun(
                num_workers=2, num_steps=12, losses=(StepLoss(step=1, loss=2.5), StepLoss(step=2, loss=2.0))
            ),
        ),
        Inspection(
            shipment=SHIPMENT,
            by="consignee",
            engine="ray",
            hosts=("node-1", "node-2"),
            kit=sha256("1"),
            ready=sha256("2"),
            promised=PromisedSection(hosts=2, accelerators=8, accelerator="H200", driver="580.65"),
            findings=(
                Finding(
                    hosts=("node-1",),
                    what="accelerators",
                    asked="8 x H200",
                    found="7 x NVIDIA H200, 151 GB each",
                    verdict="bad",
                    figures=(Figure(name="accelerators", value=7.0, unit=""),),
                    remedy="ask the provider",
                    is_promised=True,
                ),
                Finding(hosts=("node-1", "node-2"), what="clocks", asked="", found="one clock", verdict="not shown"),
            ),
            is_fit=False,
            finished=AT,
        ),
        Receipt(
            stage="prepare",
            inputs={"recipe": sha256("1")},
            outputs={"dataset.json": sha256("2")},
            counts={"samples_prepared": 7},
            facts={"seed": "0"},
            seconds=1.5,
            finished=AT,
            versions={"packtrain": "0.1.0"},
        ),
        Revocation(
            voyage="sky survey",
            by="operator",
            fingerprint="SHA256:" + "A" * 43,
            lost_on="2026-11-20T18:00:00Z",
            because="the laptop was taken from the car",
            documents=(sha256("1"), sha256("2")),
            log_lines=(sha256("3"),),
            revoked_on=AT,
        ),
        Sanitisation(
            shipment=SHIPMENT,
            by="operator",
            person="A. Example, engineer",
            drive=DRIVES[0],
            label="A1",
            shipped_serial="S-1",
            known_by="closing record",
            device=SanitisedDevice(
                id="/dev/disk/by-id/ata-EXAMPLE_S-1",
                model="EXAMPLE 24 TB",
                serial="S-1",
                size_bytes=24_000_277_250_048,
                transport="sata",
                is_rotational=True,
                says_zeros="",
            ),
            method="zeroout",
            steps=(
                SanitisingStep(
                    argv=("/usr/sbin/blkdiscard", "--zeroout", "--offset", "1048576", "/dev/sdb"),
                    tool="blkdiscard from util-linux 2.38.1",
                    exit_status=0,
                    detail="bytes 1048576 to 24000277250048 (24.0 TB) in 100000.0 s",
                    succeeded=True,
                    started=AT,
                    finished=AT,
                ),
            ),
            read_back=ReadBack(
                how="sample",
                seed="0123456789abcdef" * 2,
                num_blocks=2003,
                block_bytes=1048576,
                read_bytes=2_100_297_728,
                past_cache="direct",
                pattern="",
                num_headers=256,
                num_headers_left=1,
                num_faults=1,
                first_fault=FirstFault(offset=1073741824, found="6167652d656e6372"),
            ),
            result="not sanitised",
            why="1 blocks are not empty or cannot be read, the first at byte 1073741824",
            limits=("this is no Purge",),
            started=AT,
            finished=AT,
            software="packtrain test",
        ),
        Screening(
            by="consignor",
            declaration=sha256("1"),
            packing_statement=sha256("2"),
            outcome="screened",
            engine=ScreeningEngine(
                name="packtrain names 1",
                libraries=("rapidfuzz 3.14.6", "anyascii 0.3.3"),
                threshold=750,
                strong=900,
                most_candidates=50,
            ),
            lists=(
                ScreenedList(
                    label="invented-list",
                    record=sha256("3"),
                    entries_sha256=sha256("4"),
                    date="2026-11-20",
                    age_days=1,
                    num_entries=200_000,
                ),
            ),
            subjects=(
                ScreenedSubject(
                    text="Observatory",
                    kind="organisation",
                    country="DE",
                    places=("shipper.name", "trained_for.name"),
                    note="",
                    candidates=(
                        Candidate(
                            id=sha256("5"),
                            list="invented-list",
                            entry="E-17",
                            kind="organisation",
                            matched="alias",
                            text="Observatory of the Hill",
                            score=912,
                            reasons=("only in the listed one: of the hill",),
                            names=("Hill Works", "Observatory of the Hill"),
                            countries=("XX",),
                            programs=("INVENTED",),
                            source=None,
                        ),
                    ),
                    num_left_out=2,
                    best_left_out=760,
                ),
            ),
            screened_on=AT,
        ),
        Shipment(
            shipment=SHIPMENT,
            attempt=1,
            purpose="cargo",
            plan=sha256("1"),
            groups=(ShippedGroup(group=0, record=sha256("2")),),
            drives=(
                ShippedDrive(
                    uuid=DRIVES[0], replaces=(), label="A1", serial="S-1", case="A", group=0, record=sha256("3")
                ),
                ShippedDrive(
                    uuid=SHIPMENT, replaces=DRIVES[1:], label="B1", serial="S-3", case="B", group=0, record=sha256("4")
                ),
            ),
            num_files=1,
            plaintext_bytes=1000,
            stored_bytes=2 << 20,
            closed=AT,
        ),
        ShipmentKey(shipment=SHIPMENT, plan=sha256("1"), identity="AGE-SECRET-KEY-1" + "Q" * 58),
        ListRecord(
            label="own-list",
            format="csv",
            date="2026-11-20",
            date_in_file="2026-11-20",
            source="https://lists.example/own.csv",
            files=(ListFile(name="own.csv", bytes=120, sha256=sha256("1")),),
            columns=(MappedColumn(field="name", column="Company"),),
            num_rows=3,
            num_entries=2,
            num_names=4,
            num_addresses=1,
            left_out=(LeftOut(reason="entry without a name", count=1),),
            entries=sha256("2"),
            added_on=AT,
            replaces=sha256("3"),
        ),
        Withdrawals(
            voyage="lawful",
            entries=(
                Withdrawal(
                    source="raw/people/0017.jpg",
                    sha256=sha256("1"),
                    decision="withdrawn",
                    reason="asked for by the person",
                    decided_on=AT,
                    num_samples=2,
                    steps="3, 17-18",
                ),
                Withdrawal(
                    source="raw/torn.csv",
                    sha256=None,
                    decision="restored",
                    reason="",
                    decided_on=AT,
                    num_samples=0,
                    steps="",
                ),
            ),
        ),
    )
    return {type(document): document for document in documents}


def document_types() -> list[type[Document]]:
    """Return every document type there is under packtrain.documents, by its kind."""
    for module in pkgutil.iter_modules(packtrain.documents.__path__, "packtrain.documents."):
        importlib.import_module(module.name)
    return sorted((kind for kind in Document.__subclasses__() if kind.kind), key=lambda kind: kind.kind)


if __name__ == "__main__":
    for made in samples().values():
        (VECTORS / f"{made.kind}.json").write_bytes(encode(made))
