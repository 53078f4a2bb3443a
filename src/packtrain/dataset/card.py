"""The cards: Croissant (croissant.json) for machines, README.md in the form of a Hugging Face dataset card for people.

Neither names a time or a machine: the same data set has the same cards.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from packtrain.dataset.kinds.registry import KINDS
from packtrain.documents.dataset import DataFile, Kind, SampleCount
from packtrain.units import format_bytes

CROISSANT: Final = "croissant.json"
README: Final = "README.md"

_CONTEXT: Final[dict[str, Any]] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_FIELDS: Final = (
    ("key", "sc:Text", "name of the sample, and of its members in the shard"),
    ("kind", "sc:Text", "table, image or clip"),
    ("split", "sc:Text", "train, validation or test"),
    ("shard", "sc:Text", "file that holds the sample"),
    ("offset", "sc:Integer", "first byte in the shard; of tables the first row"),
    ("length", "sc:Integer", "bytes; of tables rows"),
    ("sha256", "sc:Text", "SHA-256 of these bytes; of tables that of the rows as CSV"),
    ("source", "sc:Text", "source file"),
    ("source_sha256", "sc:Text", "SHA-256 of the source file"),
    ("detail", "sc:Text", "JSON: what is known of the sample"),
    ("recipe", "sc:Text", "SHA-256 of the recipe the sample was made by"),
)


def form_of(kind: Kind) -> tuple[str, str, str]:
    """Return how samples of a kind are called, the media type of their shards, and the pattern of the shards' names."""
    spec = KINDS[kind]
    if spec.shard_form == "parquet":
        return spec.plural, "application/x-parquet", f"{spec.plural}/*.parquet"
    return spec.plural, "application/x-tar", f"{spec.plural}-*.tar"


# What Hugging Face's reader takes for pictures among the endings of clips: an animated WebP is one.
_PICTURE_SUFFIXES: Final = ("webp", "gif")
# A front matter of thousands of tables would be read by nobody; load_dataset takes their files by name just as well.
_MAX_TABLE_CONFIGS: Final = 100


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What the cards say.

    Attributes:
        counts: by kind, kinds without samples left out.
        suffixes: for images and clips, the endings of their media members.
        shards: names of all shards, without those of the miniature.
        splits: names of the splits; where there is more than one, each has its own folder of shards.
        recipe_text: the recipe, as voyage.toml spells it.
        papers: files with licences and credits that travel with the data.
        libraries: versions of what decoded and encoded.
        adopted: of a data set of adopted shards, by kind and split, the patterns that find them; None of another.
    """

    name: str
    counts: Sequence[SampleCount]
    suffixes: Mapping[str, Sequence[str]]
    shards: Sequence[str]
    splits: Sequence[str]
    num_sources: int
    source_bytes: int
    recipe: str
    recipe_text: str
    index: DataFile
    papers: Sequence[DataFile]
    libraries: Mapping[str, str]
    adopted: Mapping[str, Mapping[str, Sequence[str]]] | None = None

    @property
    def num_samples(self) -> int:
        """Return how many samples the data set holds."""
        return sum(count.num_samples for count in self.counts)

    @property
    def kinds(self) -> list[Kind]:
        """Return the kinds that have samples."""
        return [count.kind for count in self.counts if count.num_samples]

    def patterns(self, kind: Kind) -> list[tuple[str, str]]:
        """Return for each split its name and the pattern of its shards of a kind."""
        pattern = form_of(kind)[2]
        if len(self.splits) == 1:
            return [(self.splits[0], f"shards/{pattern}")]
        return [(split, f"shards/{split}/{pattern}") for split in self.splits]

    def places(self, kind: Kind) -> list[tuple[str, list[str]]]:
        """Return for each split its name and the patterns that find its shards of a kind; of adopted ones, several."""
        if self.adopted is None:
            return [(split, [pattern]) for split, pattern in self.patterns(kind)]
        return [(split, list(found)) for split, found in sorted(self.adopted.get(kind, {}).items())]


def croissant(facts: CardFacts) -> bytes:
    """Return the Croissant description: the index as the manifest of all samples, and one FileSet a kind.

    Shards are not listed one by one: of 80 TB there are 100,000, and the index names them all.
    """
    distribution: list[dict[str, Any]] = [
        {
            "@type": "cr:FileObject",
            "@id": "index",
            "name": "index",
            "description": "Every sample: shard, place in it, digest, source.",
            "contentUrl": facts.index.name,
            "contentSize": f"{facts.index.bytes} B",
            "encodingFormat": "application/x-parquet",
            "sha256": facts.index.sha256,
        }
    ]
    for kind in facts.kinds:
        name, form, _ = form_of(kind)
        found = facts.places(kind)
        for split, patterns in found:
            of_split = name if len(found) == 1 else f"{split}-{name}"
            distribution.append(
                {
                    "@type": "cr:FileSet",
                    "@id": of_split,
                    "name": of_split,
                    "description": f"Shards of {name}, {split}.",
                    "encodingFormat": form,
                    "includes": patterns if len(patterns) > 1 else patterns[0],
                }
            )
    body = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": facts.name,
        "description": _summary(facts),
        "version": "1.0.0",
        "distribution": distribution,
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "samples",
                "name": "samples",
                "description": "One record a sample.",
                "key": {"@id": "samples/key"},
                "field": [
                    {
                        "@type": "cr:Field",
                        "@id": f"samples/{name}",
                        "name": name,
                        "description": about,
                        "dataType": data_type,
                        "source": {"fileObject": {"@id": "index"}, "extract": {"column": name}},
                    }
                    for name, data_type, about in _FIELDS
                ],
            }
        ],
    }
    return (json.dumps(body, indent=1, ensure_ascii=False) + "\n").encode("utf-8")


def readme(facts: CardFacts) -> bytes:
    """Return README.md: YAML front matter and the page a person reads."""
    lines = ["---", f"pretty_name: {json.dumps(facts.name)}", "tags: [packtrain, webdataset]"]
    lines.append(f"size_categories: [{_size_category(facts.num_samples)}]")
    lines += _configs(facts) if facts.adopted is None else _configs_of_adopted(facts)
    lines += ["---", "", f"# {facts.name}", "", _summary(facts), "", "## What is in it", ""]
    lines += ["| kind | samples | filtered | duplicates | near-duplicates | withdrawn | set aside | shards |"]
    lines += ["| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |"]
    for count in facts.counts:
        numbers = (
            *(count.num_samples, count.num_filtered, count.num_duplicates),
            *(count.num_near_duplicates, count.num_withdrawn, count.num_rejects),
        )
        shards = ", ".join(f"`{pattern}`" for _, found in facts.places(count.kind) for pattern in found)
        lines.append(f"| {count.kind} | {' | '.join(str(number) for number in numbers)} | {shards} |")
    lines += ["", *(_HOW_TO_READ if facts.adopted is None else _HOW_TO_READ_ADOPTED), "", "## Where it comes from", ""]
    lines.append(
        f"{facts.num_sources} source files, {format_bytes(facts.source_bytes)}; `sources.parquet` lists them with their"
        " SHA-256 and their licence files, `rejects.parquet` what was set aside and why, `drops.parquet` what was"
        " read and not kept, by which rule and for which sample."
    )
    lines += ["", "## Licence and credits", ""]
    if facts.papers:
        lines += ["The sources came with these papers; they hold for the samples made from them:", ""]
        lines += [f"- [{paper.name}]({paper.name})" for paper in facts.papers]
    else:
        lines.append("Not stated: the sources came without a licence file. Ask whoever sent them before you use them.")
    lines += ["", "## How it was made", "", f"Recipe `{facts.recipe}`:", "", "```toml"]
    lines += [facts.recipe_text.rstrip(), "```", ""]
    versions = ", ".join(f"{name} {version}" for name, version in sorted(facts.libraries.items()))
    lines += [
        f"Decoded and encoded with {versions}. Consent, known biases and the use the data is meant for are",
        "stated in the shipment's declaration.",
        "",
    ]
    return "\n".join(lines).encode("utf-8")


def _configs_of_adopted(facts: CardFacts) -> list[str]:
    """Return a configuration for each kind, by the patterns that find its shards; their makers knew their fields."""
    lines: list[str] = []
    for kind in facts.kinds:
        if found := facts.places(kind):
            lines += [f"- config_name: {form_of(kind)[0]}", "  data_files:"]
        for split, patterns in found:
            path = json.dumps(patterns if len(patterns) > 1 else patterns[0])
            lines += [f"  - split: {split}", f"    path: {path}"]
    return ["configs:", *lines] if lines else []


def _configs(facts: CardFacts) -> list[str]:
    """Return what the front matter says to Hugging Face's `load_dataset`, which reads the whole folder by one reader.

    Where there are images or clips it reads tar files, and all fields are named: the members of a shard have the
    endings of their sources, and unless told before it asks for the same ones in each sample. Tables are then read by
    the names of their files. Where there are tables alone, each of them is a configuration.
    """
    media: list[Kind] = [kind for kind in facts.kinds if KINDS[kind].shard_form == "tar"]
    if not media:
        tables = _tables(facts)
        named = tables if len(tables) <= _MAX_TABLE_CONFIGS else {}
        lines = ["configs:"] if named else []
        for name, files in named.items():
            lines += _config(name, files)
        return lines
    lines = ["configs:"]
    for kind in media:
        # A split that no sample of the kind fell into has no files, and a pattern that finds none is an error there.
        files = {split: pattern for split, pattern in facts.patterns(kind) if _has_files(facts, pattern)}
        lines += _config(form_of(kind)[0], files)
    lines.append("dataset_info:")
    for kind in media:
        lines += [f"- config_name: {form_of(kind)[0]}", "  features:"]
        for suffix in sorted(facts.suffixes[kind]):
            is_picture = kind == "image" or suffix in _PICTURE_SUFFIXES
            lines += [f"  - name: {json.dumps(suffix)}", f"    dtype: {'image' if is_picture else 'video'}"]
        for name, data_type in (("json", "json"), ("__key__", "string"), ("__url__", "string")):
            lines += [f"  - name: {name}", f"    dtype: {data_type}"]
    return lines


def _config(name: str, files: Mapping[str, str]) -> list[str]:
    lines = [f"- config_name: {json.dumps(name)}", "  data_files:"]
    for split, pattern in files.items():
        lines += [f"  - split: {split}", f"    path: {json.dumps(pattern)}"]
    return lines


def _has_files(facts: CardFacts, pattern: str) -> bool:
    beginning = pattern.partition("*")[0]
    return any(name.startswith(beginning) for name in facts.shards)


def _tables(facts: CardFacts) -> dict[str, dict[str, str]]:
    """Return for each table, by split, the pattern of its files: NAME-NNNNNN.parquet, all with the same columns."""
    split_of = {pattern.rpartition("/")[0]: split for split, pattern in facts.patterns("table")}
    found: dict[str, dict[str, str]] = {}
    for shard in facts.shards:
        folder, _, file = shard.rpartition("/")
        name = file.rpartition("-")[0]
        if folder in split_of:
            found.setdefault(name, {})[split_of[folder]] = f"{folder}/{name}-*.parquet"
    return found


_HOW_TO_READ: Final = (
    "Images and clips lie in plain tar files: for each sample a media file and a JSON file of the same name, as",
    "WebDataset reads them. Tables are Parquet; one row group is one sample. `index.parquet` has a row for each sample",
    "with its place (`shard`, `offset`, `length`) and `sha256`. A clip that was cut into runs of frames is an animated",
    "WebP without loss. `miniature/` is a small true subset in the same form.",
    "",
    'Hugging Face datasets: `load_dataset(FOLDER, "images")`, or "clips"; tables by their files, those of one table at',
    'a time: `load_dataset("parquet", data_files=FOLDER + "/shards/tables/NAME-*.parquet")`.',
)


_HOW_TO_READ_ADOPTED: Final = (
    "The shards are the ones that their makers wrote, byte for byte. `index.parquet` has a row for each sample with",
    "its place (`shard`, `offset`, `length`) and `sha256`; in tar files that is its image or clip, and `detail` says",
    "where its other members lie (`members`: suffix, offset, length). Of Parquet files one row group is one sample.",
    "What was set aside or dropped has no row in the index, and is still in the shards: go by the index. `miniature/`",
    "is a small true subset in the same form.",
)


def _summary(facts: CardFacts) -> str:
    parts = [f"{count.num_samples} of {form_of(count.kind)[0]}" for count in facts.counts if count.num_samples]
    return f"{facts.num_samples} samples for training ({', '.join(parts)}), prepared by packtrain."


def _size_category(num_samples: int) -> str:
    for limit, name in ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M")):
        if num_samples < limit:
            return name
    return "n>1M"
