"""Sections 2 to 5 from the declaration in force: whose data, for whom, owned by whom, on which machines."""

from __future__ import annotations

from fractions import Fraction

from packtrain.diligence.audit.declared_values import Chain, ForWhom, Machines, OwnedBy, Parent, WhoseData
from packtrain.diligence.audit.told import Told
from packtrain.diligence.ownership_chain import Member, OwnershipChain, chain_of_ownership, share_text
from packtrain.documents.declaration import Declaration
from packtrain.documents.declared_party import DeclaredParty
from packtrain.documents.full_form import WHOLE


def whose_data(declaration: Declaration, told: Told) -> WhoseData:
    """Return the answers about the data."""
    full = declaration.full
    return WhoseData(
        told=told,
        shipper=declaration.shipper,
        data=declaration.data,
        source=full.data_source if full else None,
        is_source_asked=full is not None,
        personal=full.personal if full else None,
        most_bytes=declaration.most_bytes,
        most_drives=declaration.most_drives,
    )


def for_whom(declaration: Declaration, told: Told) -> ForWhom:
    """Return for whom is trained and what for, each parent as declared and as the shares say."""
    full = declaration.full
    chains = {chain.role: chain for chain in chain_of_ownership(declaration)}
    parties: dict[str, DeclaredParty | None] = {
        "trained_for": declaration.trained_for,
        "end_user": full.end_user if full else None,
        "customer": full.customer if full else None,
        "model_owner": full.model_owner if full else None,
        "payer": full.payer if full else None,
    }
    return ForWhom(
        told=told,
        form=declaration.form,
        trained_for=declaration.trained_for,
        receiver=declaration.receiver,
        end_user=parties["end_user"],
        customer=parties["customer"],
        model_owner=parties["model_owner"],
        payer=parties["payer"],
        end_use=declaration.end_use,
        prohibited_uses=full.prohibited_uses if full else None,
        returns=declaration.returns,
        home=full.home if full else None,
        parents=tuple(_parent(role, party, chains.get(role)) for role, party in parties.items() if party is not None),
    )


def owned_by(declaration: Declaration, told: Told) -> OwnedBy:
    """Return who is above each party whose owners are asked for; a party of several roles once."""
    found: dict[str, tuple[list[str], OwnershipChain]] = {}
    for chain in chain_of_ownership(declaration):
        found.setdefault(chain.party.name, ([], chain))[0].append(chain.role.replace("_", " "))
    return OwnedBy(told, tuple(_chain(tuple(roles), chain) for roles, chain in found.values()))


def machines(declaration: Declaration, told: Told) -> Machines:
    """Return where the machines stand and what they are."""
    full = declaration.full
    return Machines(
        told=told,
        operator=declaration.operator,
        site_country=declaration.site_country,
        address=full.site.address if full else None,
        kilowatts=full.site.kilowatts if full else None,
        infrastructure_attested=full.site.infrastructure_attested if full else None,
        hardware_class=declaration.hardware_class,
        hardware=full.site.hardware if full else (),
        licences=tuple(
            f"{row.number} of {row.authority}, for {row.covers}, valid until {row.valid_until or 'no day is stated'}"
            for row in (full.licences or () if full else ())
        ),
    )


def _parent(role: str, party: DeclaredParty, chain: OwnershipChain | None) -> Parent:
    country = f" ({party.parent_country})" if party.parent_country else ""
    declared = f"{party.ultimate_parent}{country}" if party.ultimate_parent is not None else "undisclosed"
    if chain is None:
        computed, agreement = "not computed: the short form asks no shares", "cannot be compared"
    else:
        computed, agreement = _end(chain), chain.agreement
    return Parent(role.replace("_", " "), party.name, declared, computed, agreement)


def _chain(roles: tuple[str, ...], chain: OwnershipChain) -> Chain:
    return Chain(
        roles=roles,
        party=chain.party.name,
        chain=tuple(map(_member, chain.chain)),
        end=_end(chain),
        undisclosed=tuple(f"{_share(part)} of {name}" for name, part in chain.undisclosed.items()),
        overfull=tuple(f"{name}: its owners hold {_share(part)} for certain" for name, part in chain.overfull.items()),
    )


def _end(chain: OwnershipChain) -> str:
    last = chain.chain[-1]
    if chain.end == "not applicable":
        return "ownership not applicable: a public body or treaty organisation, with evidence"
    if chain.end == "undisclosed":
        return f"undisclosed, above {last.name}"
    if chain.end == "cycle":
        return f"none: {last.name} is above itself"
    return _member(last) if len(chain.chain) > 1 else "nobody above it"


def _member(member: Member) -> str:
    return f"{member.name} ({member.kind or 'kind undisclosed'}, {member.headquarters or 'headquarters undisclosed'})"


def _share(part: Fraction) -> str:
    millionths = int(part * WHOLE)
    return share_text(millionths, millionths)
