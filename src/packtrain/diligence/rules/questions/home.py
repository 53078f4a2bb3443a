"""Where the trained model goes, to whom, and what it is in export control."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from packtrain.diligence.rules.inquiry import Finding, Inquiry, Parameters, Question, is_none, key, said


class Nothing(Parameters, frozen=True, kw_only=True):
    """Nothing to set."""


class Destination(Parameters, frozen=True, kw_only=True):
    """Where a model may not go: members of a group, and countries besides."""

    group: str
    also: tuple[str, ...]


def _destination(inquiry: Inquiry, wanted: Destination) -> Iterator[Finding]:
    facts = inquiry.facts
    inquiry.use("country that the model goes to", facts.home.country)
    found: list[str] = []
    if facts.home.country is None:
        yield Finding("unstated", "where the model goes is not disclosed")
    elif inquiry.is_in(facts.home.country, wanted.group, wanted.also):
        found.append(f"the model goes to {facts.home.country}")
    recipients = list(inquiry.parties(("recipient",), "headquarters"))
    end_users = {key(party.name) for party in facts.of("end_user")}
    inquiry.use("end user", tuple(party.name for party in facts.of("end_user")) or None)
    if not recipients:
        yield Finding("unstated", "who gets the model is not disclosed")
    for party in recipients:
        for country in dict.fromkeys((party.headquarters, party.location)):
            if inquiry.is_in(country, wanted.group, wanted.also):
                found.append(f"the recipient {party.name} is in {country}")
        # Where the end user is not disclosed another rule holds the voyage.
        if end_users and key(party.name) not in end_users:
            found.append(f"the recipient {party.name} is not the end user")
    licences = inquiry.licences()
    inquiry.use("licences held, with evidence and valid on the day", tuple(each.number for each in licences))
    for because in found:
        if licences:
            yield Finding("licensed", f"{because}; held: {', '.join(each.number for each in licences)}")
        else:
            yield Finding("unlicensed", f"{because}; no licence with evidence")


def _weights(inquiry: Inquiry, _: Nothing) -> Iterator[Finding]:
    home = inquiry.facts.home
    inquiry.use("operations of the training", home.training_operations)
    inquiry.use("control number of the weights", home.classification)
    if is_none(home.training_operations):
        yield Finding("unstated", f"operations of the training: {said(home.training_operations)}")
    if home.classification is None:  # "none" is an answer here: not every model has a number
        yield Finding("unstated", "control number of the weights not disclosed")


QUESTIONS: Final = (
    Question("model_destination", ("unlicensed", "licensed", "unstated"), Destination, _destination),
    Question("model_weights", ("unstated",), Nothing, _weights),
)
