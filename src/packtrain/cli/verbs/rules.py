"""packtrain rules show | groups add | groups show"""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import click

from packtrain.cli.columns import columns, table
from packtrain.cli.completing import rule_ids
from packtrain.cli.options import InOrder, json_option, open_voyage, voyage_option
from packtrain.cli.terminal import answer
from packtrain.documents.country_group import CountryGroup


@click.group("rules", cls=InOrder)
def command() -> None:
    """Show the rules that a voyage is judged by; add the country groups that they need. packtrain ships no group."""


@command.command("show")
@click.argument("rule", required=False, shell_complete=rule_ids)
@json_option
def show(rule: str | None, as_json: bool) -> None:
    """Show the rule pack, or one RULE of it: how grave each case is, which source says so, and whether it was read."""
    from packtrain.diligence.rules.pack import built_in_pack

    pack = built_in_pack()
    chosen = pack.rules if rule is None else tuple(each for each in pack.rules if each.id == rule)
    if not chosen:
        raise click.UsageError(f"the rule pack {pack.id} has no rule {rule}; without a name all are shown")
    documents: list[dict[str, object]] = [
        {
            "rule": each.id,
            "title": each.title,
            "levels": dict(each.levels),
            "mark": each.mark,
            "source": each.source,
            "source_url": each.source_url,
            "form": "full" if each.is_full_only else "both",
            "in_force_from": each.in_force_from.isoformat() if each.in_force_from else None,
            "in_force_to": each.in_force_to.isoformat() if each.in_force_to else None,
        }
        for each in chosen
    ]
    if rule is None:
        rows: list[tuple[str, ...]] = [("rule", "most", "mark", "asks that")]
        rows += [(each.id, each.most, each.mark, each.title) for each in chosen]
        text = f"rule pack {pack.id} of {pack.date}, sha256 {pack.sha256}; not legal advice\n{columns(rows)}"
    else:
        text = table(
            [
                *((name, str(value)) for name, value in documents[0].items() if value and name != "levels"),
                *((f"case {case}", level) for case, level in chosen[0].levels.items()),
            ]
        )
    told = {"pack": pack.id, "date": pack.date.isoformat(), "sha256": pack.sha256, "rules": documents}
    answer(text, told, as_json=as_json)


@command.group("groups", cls=InOrder)
def groups() -> None:
    """Add and show country groups: dated TOML, from their publisher."""


@groups.command("add")
@click.argument("file", type=click.Path(path_type=Path))
@voyage_option
@json_option
def add(file: Path, folder: Path, as_json: bool) -> None:
    """Read the country groups of FILE; one of the same name is replaced, and its record kept."""
    _tell_groups(open_voyage(folder).add_country_groups(file), as_json=as_json)


@groups.command("show")
@voyage_option
@json_option
def show_groups(folder: Path, as_json: bool) -> None:
    """Show which country groups were added, of which day they are, and how old that makes them."""
    _tell_groups(open_voyage(folder).country_groups(), as_json=as_json)


def _tell_groups(found: tuple[CountryGroup, ...], *, as_json: bool) -> None:
    import msgspec

    today = datetime.now(UTC).date()
    rows: list[tuple[str, ...]] = [("group", "of", "days old", "members", "source")]
    for group in found:
        age = max((today - date.fromisoformat(group.as_of)).days, 0)
        rows.append((group.name, group.as_of, str(age), " ".join(group.members), group.source))
    text = columns(rows) if found else "no country group was added: rules that need one are not judged"
    answer(text, [msgspec.to_builtins(group) for group in found], as_json=as_json)
