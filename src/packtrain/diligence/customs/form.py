"""The form of customs.toml, with a table for each case and the drives as the packing statement names them."""

from __future__ import annotations

import json

from packtrain.documents.drive import unread_serial
from packtrain.documents.packing_statement import PackingStatement

_HEAD = """\
# What customs asks of the goods, and no other document of the voyage says. "packtrain papers" signs the answers and
# makes the papers from them. "none" is an answer; an empty text is none. Decimals stand in quotes: "412.50".
# Tariff codes and values are yours to answer for: ask your broker. Nothing here is legal advice.

reference = ""                    # number of the pro-forma invoice
place = ""                        # where it is issued

[consignor]                       # who ships
name = ""
address = ""
country = ""                      # two letters, ISO 3166-1
tax_id = ""                       # VAT, RUT, EIN...; "none"
eori = ""                         # for a customs desk of the EU; "none"
contact = ""                      # person, telephone, e-mail

[consignee]                       # who receives
name = ""
address = ""
country = ""
tax_id = ""
eori = ""
contact = ""

[carnet]
holder = "consignor"              # of the ATA carnet; or a table [carnet.holder] like a party
representative = ""               # who shows it at the desk

[carriage]
reason = ""                       # for example "temporary export for scientific work, not for sale"
intended_use = ""                 # what is done with the goods abroad
returns_by = ""                   # a day: 2027-03-31
incoterm = ""                     # for example "DAP Leiden (Incoterms 2020)"
dispatch = ""                     # country the goods leave
destination = ""                  # country they go to
port_of_exit = ""
port_of_entry = ""
transport = ""                    # for example "accompanied baggage, flight XY 123 on 2026-12-01"

[value]
currency = ""                     # three letters, ISO 4217
basis = ""                        # how values were found: "purchase invoices of May 2026"
recorded_data = "none declared"   # or a sum, for what is recorded on the drives; never left blank
freight = "0"
insurance = "0"

[seals]
type = ""                         # for example "plastic pull-tight, indicative (ISO 17712)"
maker = ""
"""

_CASE = """
[[case]]
label = {label}
marks = ""                        # what is written on the outside
length_cm = ""
width_cm = ""
height_cm = ""
gross_kg = ""                     # weighed, as packed
"""

_DRIVE = """
# A row for each make and model. Drives are named by cases, labels or serials; the closest name counts.
[[drive]]
cases = {cases}
labels = []
serials = []
description = ""                  # for example "hard disk drive, 3.5 inch, SATA, 24 TB"
make = ""
model = ""
hs_code = ""                      # often 8471.70 for hard disks, 8523.51 for solid-state drives: ask
origin = ""                       # country that made it, as printed on it
value_each = ""
net_kg_each = ""
lithium = ""                      # "none", or watt hours and how it is packed
export_class = ""                 # its number in an export control list, such as "EAR99"; "none"

# What else travels: docks, cables, the cases themselves. Leave the row out where there is nothing.
# [[other]]
# case = {first}
# pieces = 1
# serial = ""                     # "none" where it has none
# description = ""
# make = ""
# model = ""
# hs_code = ""
# origin = ""
# value_each = ""
# net_kg_each = ""
# lithium = ""
# export_class = ""
"""


def customs_form(statement: PackingStatement) -> str:
    """Return the form for the cases and drives of a packing statement, as TOML."""
    cases = "".join(_CASE.format(label=json.dumps(case.label)) for case in statement.cases)
    labels = json.dumps([case.label for case in statement.cases])
    text = _HEAD + cases + _DRIVE.format(cases=labels, first=json.dumps(statement.cases[0].label))
    unread = [drive for case in statement.cases for drive in case.drives if drive.serial == unread_serial(drive.uuid)]
    if unread:
        text += (
            "\n# packtrain could not read these drives' serial numbers: copy them from what is printed on the drives.\n"
        )
        text += "[serials]\n" + "".join(f'{json.dumps(drive.label)} = ""\n' for drive in unread)
    return text
