from typing import Any

import msgspec
import pytest

from packtrain.documents.toml_file import MAX_TOML_BYTES
from packtrain.documents.voyage_file import VoyageFile, decode_voyage_file
from packtrain.errors import VoyageFileError
from sample_documents import RECIPIENT, SIGNER

HEAD = '[voyage]\nname = "sky survey"\n'
TRAINING = HEAD + '[training]\nprogram = "program"\ncommand = "train.py"\n'
EVERYTHING = f"""
[voyage]
name = "sky-survey 7"
role = "consignor"
contact = "the observatory"
[sources]
paths = ["/data/raw", "../more"]
form = "files"
[prepare]
kinds = ["image"]
image_resize_pixels = 16383
image_encode = "webp"
image_quality = 100
image_crop_pixels = 64
table_block_rows = 1
clip_frames = 12
clip_size_pixels = 64
clip_keep_until_damage = true
shard_bytes = 4096
max_reject_rate = 0
miniature_samples = 1
seed = 9007199254740991
adopt_check = "digest"
scan_also_with = "presidio"
engine = "slurm"
ray_address = "10.0.0.1:6379"
slurm_arguments = ["--partition=cpu"]
[[prepare.filter]]
kind = "image"
measure = "width"
min = 64
max = 10000
[prepare.near_duplicates]
drop = true
image = "pdq"
clip = "off"
table = "minhash"
image_distance = 31
clip_share = 0.8
table_share = 1
[prepare.splits]
validation = 0.05
test = 0.0
group_by = "folder"
group_pattern = "patient-([0-9]+)"
[drives]
survive = {{ cases = 0, drives = 254 }}
bays = ["/mnt/bay1"]
pack_bays = 8
load_bays = 8
[[drives.case]]
label = "A"
drives = ["/mnt/a1", "/mnt/a2"]
carrier = "A. Carrier"
seal = "PT-1"
[[drives.case]]
label = "B"
count = 15
size = "2 TB"
[parties.operator]
recipient = "{RECIPIENT}"
signer = "{SIGNER}"
name = "the hall"
[keys]
identity = "keys/signer"
envelope = "passphrase"
passphrase_file = "secret"
passphrase_env = "SECRET"
[site]
store = "s3://bucket/prefix"
store_staging = "/local/staging"
s3_endpoint = "http://10.0.0.1:9000"
s3_region = "us-east-1"
s3_plain_http = true
engine = "slurm"
ray_address = "10.0.0.1:6379"
slurm_arguments = ["--partition=long"]
[site.hosts]
least = 3
most = 300
wait_seconds = 60
silent_seconds = 2
folder = "/local/voyage"
checkpoint_copies = 0
[site.promised]
hosts = 300
accelerators = 8
accelerator = "H200"
accelerator_memory_bytes = 1
driver = "580.65"
memory_bytes = 1
cores = 1
free_bytes = 1
disk_mb_per_second = 0.5
allreduce_gb_per_second = 0.5
clock_seconds = 1
[training]
program = "program"
command = "train.py --data {{data}}"
workers = 4096
steps = 1
rehearsal_steps = 4
lock = "uv.lock"
python = "3.12"
platform = "x86_64-manylinux_2_28"
extras = ["cuda"]
groups = ["site"]
interpreter = "python.tar.gz"
rehearsal_hang = false
site_samples_per_second = 0.5
wheels = "wheels"
provided = ["torch==2.13.0"]
max_restarts = 0
stall_seconds = 0.5
[results]
text_budget_bytes = 0
retention_years = 1
compress = "none"
base = "weights/first.safetensors"
[forecast]
start = "2026-12-01"
link = "200 Mbit/s"
link_free = 0.5
prepare = "56..63"
train = "10..20..40"
legs = ["flight=1..2"]
customs = "0..1..7"
results = "500 GB"
results_by = "drives"
drive_rate = "180 MB/s"
source_rate = "1 GB/s"
store_rate = "2 GB/s"
cores = 16
load_cores = 64
pack_hosts = 1
load_hosts = 8
swap_minutes = 0
yearly_failure = 0.015
transit_risk = 0.005
case_loss = 0
cases_together = 2
together_part = 1
bad_batch = 0.01
batch_factor = 10
[forecast.prices]
drive = 60
case = 0
carrier = 900.5
shipping = 1
link_month = 1500
currency = "EUR"
"""


def _refused(text: str) -> VoyageFileError:
    with pytest.raises(VoyageFileError) as caught:
        decode_voyage_file(text.encode(), "voyage.toml")
    assert caught.value.where == "voyage.toml"
    return caught.value


def test_a_file_with_every_field_is_read() -> None:
    read = decode_voyage_file(EVERYTHING.encode(), "voyage.toml")

    assert read.drives.case[0].drives == ("/mnt/a1", "/mnt/a2")
    assert read.parties.operator is not None
    assert read.parties.operator.name == "the hall"
    assert read.training is not None
    assert read.training.stall_seconds == 0.5


def test_this_test_knows_every_field() -> None:
    """A field that is added is added to EVERYTHING above, too."""
    import tomllib

    def fields(struct: type[msgspec.Struct]) -> set[str]:
        return {field.name for field in msgspec.structs.fields(struct)}

    raw: dict[str, Any] = tomllib.loads(EVERYTHING)
    assert set(raw) == fields(VoyageFile)
    read = decode_voyage_file(EVERYTHING.encode(), "voyage.toml")
    for section in set(raw) - {"parties"}:
        assert set(raw[section]) == fields(type(getattr(read, section))), section


def test_a_name_is_all_that_must_be_there() -> None:
    read = decode_voyage_file(HEAD.encode(), "voyage.toml")

    assert read.voyage.role == "consignor"
    assert read.training is None
    assert read.drives.survive.cases == 1


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ('[voyag]\nname = "x"\n', 'unknown field "voyag" in the top level', 'did you mean "voyage"?'),
        (HEAD + 'rol = "operator"\n', 'unknown field "rol" in [voyage]', 'did you mean "role"?'),
        (HEAD + "[drives]\nsurvive = { case = 1 }\n", "in [drives.survive]", 'did you mean "cases"?'),
        (HEAD + '[[drives.case]]\nlabl = "A"\ndrives = ["a"]\n', "in [drives.case[0]]", 'did you mean "label"?'),
        (HEAD + "[parties]\nconsigner = {}\n", "in [parties]", 'did you mean "consignor"?'),
        (HEAD + '[parties.operator]\nrecipent = "x"\n', "in [parties.operator]", 'did you mean "recipient"?'),
        (TRAINING + "worker = 2\n", "in [training]", 'did you mean "workers"?'),
        (HEAD + "[zzz]\n", "in the top level", "remove it, or see docs/reference/voyage-toml.md"),
    ],
)
def test_a_typo_is_named_with_the_nearest_known_field(text: str, message: str, hint: str) -> None:
    error = _refused(text)

    assert message in error.message
    assert error.hint == hint


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "voyage is missing"),
        ("[voyage]\n", "voyage.name is missing"),
        ('[voyage]\nname = ""\n', "voyage.name is "),
        ('[voyage]\nname = "../x"\n', "voyage.name is "),
        ('[voyage]\nname = "x\\n"\n', "voyage.name is "),
        ("[voyage]\nname = 7\n", "voyage.name is a whole number (expected a text, found a whole number)"),
        ("[voyage]\nname = 1979-05-27\n", "voyage.name is a date (expected a text, found a date)"),
        (
            HEAD + 'role = "captain"\n',
            "voyage.role is none of the known words (expected consignor, operator, consignee, found 'captain')",
        ),
        (HEAD + '[sources]\npaths = [""]\n', "sources.paths[0] is "),
        (HEAD + '[sources]\npaths = ["a\\u0000b"]\n', "sources.paths[0] is "),
        (HEAD + '[sources]\npaths = "data"\n', "sources.paths is a text (expected a list, found a text)"),
        (
            HEAD + '[prepare]\nkinds = ["tabel"]\n',
            "prepare.kinds[0] is none of the known words (expected table, image, clip, found 'tabel')",
        ),
        (HEAD + "[prepare]\nseed = -1\n", "prepare.seed is out of range (expected a whole number, 0 or more)"),
        (
            HEAD + "[prepare]\nseed = 9007199254740992\n",
            "prepare.seed is out of range (expected a whole number, at most 9007199254740991)",
        ),
        (HEAD + "[prepare]\nseed = 1208925819614629174706176\n", "prepare.seed is "),
        (HEAD + "[prepare]\nseed = 1.0\n", "prepare.seed is a number (expected a whole number, found a number)"),
        (
            HEAD + "[prepare]\nseed = true\n",
            "prepare.seed is true or false (expected a whole number, found true or false)",
        ),
        (
            HEAD + "[prepare]\nmax_reject_rate = 1.01\n",
            "prepare.max_reject_rate is out of range (expected a number, at most 1.0)",
        ),
        (HEAD + "[prepare]\nmax_reject_rate = nan\n", "prepare.max_reject_rate is "),
        (HEAD + "[prepare]\nshard_bytes = 4095\n", "prepare.shard_bytes is "),
        (HEAD + "[drives]\nsurvive = { cases = 255 }\n", "drives.survive.cases is "),
        (HEAD + '[[drives.case]]\nlabel = "a b"\ndrives = ["x"]\n', "drives.case[0].label is "),
        (
            HEAD + f'[parties.operator]\nrecipient = "{RECIPIENT}1"\nsigner = "{SIGNER}"\n',
            "operator.recipient is ",
        ),
        (HEAD + f'[parties.operator]\nrecipient = "{RECIPIENT}"\nsigner = "{SIGNER} me@home"\n', "operator.signer is "),
        (HEAD + '[site]\nengine = "kubernetes"\n', "site.engine is "),
        (TRAINING + "stall_seconds = 0.0\n", "training.stall_seconds is "),
        (TRAINING + "stall_seconds = inf\n", "training.stall_seconds is "),
        (TRAINING + "stall_seconds = nan\n", "training.stall_seconds is "),
        (TRAINING + "site_samples_per_second = 0.0\n", "training.site_samples_per_second is "),
        (TRAINING + "workers = 0\n", "training.workers is "),
        (HEAD + "[results]\nretention_years = 0\n", "results.retention_years is "),
        (HEAD + "[results]\ntext_budget_bytes = 9007199254740992\n", "results.text_budget_bytes is "),
    ],
)
def test_a_value_out_of_range_is_named_by_its_place(text: str, place: str) -> None:
    error = _refused(text)

    assert place in error.message
    assert error.hint == "docs/reference/voyage-toml.md lists every field and its range"


@pytest.mark.parametrize(
    "text", ["[voyage", "name = ", HEAD + HEAD, "a=" + "[" * 5000, HEAD + 'role = "operator"\nrole = "consignor"\n']
)
def test_what_is_no_toml_is_refused(text: str) -> None:
    assert "not valid TOML" in _refused(text).message


def test_bytes_that_are_no_utf8_are_refused() -> None:
    with pytest.raises(VoyageFileError, match="not valid TOML"):
        decode_voyage_file(b'[voyage]\nname = "\xff"\n', "voyage.toml")


def test_a_file_longer_than_any_is_refused_before_it_is_parsed() -> None:
    assert "too long" in _refused("#" * (MAX_TOML_BYTES + 1)).message
