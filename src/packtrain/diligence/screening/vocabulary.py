"""Words that say little about who somebody is: legal forms, generic words, particles, words of addresses.

A word of a table stands for all its spellings, also those of other scripts as `anyascii` writes them. What is missing
here costs a little score and no candidate: an unknown word counts in full, and an unknown legal form is a word that
one of two names lacks.
"""

from __future__ import annotations

from typing import Final


def _meanings(table: str) -> dict[str, str]:
    """Return word -> meaning of lines "meaning: word word"; the meaning is a word of itself."""
    found: dict[str, str] = {}
    for line in table.strip().splitlines():
        meaning, _, words = line.partition(":")
        for word in (meaning, *words.split()):
            found[word.strip()] = meaning.strip()
    return found


LEGAL_FORMS: Final = frozenset(
    """
    ab ad ag ao aps as asa asbl bhd berhad bv bvba cc cia cjsc co company compania compagnie corp corporation cv cyf dd
    doo eirl eeig ehf ek eood eurl ev fze fzc fzco fzllc ggmbh gbr gie gk gmbh hf inc incorporated is jsc kabushiki
    kaisha kaca kd kft kg kgaa kk ks ksc ksp lda limitada limited limitee llc llp lp ltd ltda ltee mbh nhf nk nv nyrt
    oao oeg og ohg ojsc oo ooo ood ou oy oyj oo pao pjsc plc ps psc pt pte pty pvt private rt sa sac saog saoc sab sapi
    sarl sarlu sharika sharikat shrkh sas sasu sc sca scop scrl sdn se sia sicav sl slu snc soe spa spk sprl srl sro
    tbk too tov tzov uab ug vof wll xk yk zao zat zoo zrt
    """.split()  # noqa: SIM905 - hundred strings in quotes read worse than a table
)
"""Latin letters, lower case, without dots: "S.A.R.L." is sarl."""

LEGAL_PHRASES: Final = (
    "limited liability company",
    "limited liability partnership",
    "with limited liability",
    "public limited company",
    "private limited company",
    "joint stock company",
    "public joint stock company",
    "open joint stock company",
    "closed joint stock company",
    "company limited by shares",
    "societe anonyme",
    "societe a responsabilite limitee",
    "sociedad anonima",
    "sociedad limitada",
    "societa per azioni",
    "gesellschaft mit beschrankter haftung",
    "aktiengesellschaft",
    "obshchestvo s ogranichennoi otvetstvennostyu",
    "obshchestvo s ogranichennoy otvetstvennostyu",
    "otkrytoe aktsionernoe obshchestvo",
    "zakrytoe aktsionernoe obshchestvo",
    "publichnoe aktsionernoe obshchestvo",
    "aktsionernoe obshchestvo",
    "sp z oo",
    "sp z o o",
    "free zone establishment",
    "free zone company",
)

GENERIC: Final = _meanings(
    """
    academy: academie akademie akademiya akademi
    agency: agence agentur agentstvo
    association: assoc association assn assotsiatsiya
    bank: banka banco banque banca
    bureau: byuro buro
    center: centre centro ctr tsentr zentrum centrum
    chemical: chemicals chem khimicheskii
    city: town gorod
    commercial: commerce comercial
    communication: communications comm telecom telecommunication telecommunications telekom
    computer: computers computing
    construction: constructions stroi stroitelnaya
    consulting: consultancy consultants consult
    data: dannykh
    department: dept departement departament
    design: konstruktorskoe
    development: dev developments entwicklung
    digital: digitale
    electronics: electronic electron elektronik elektronika elec
    energy: energie energiya energia
    engineering: engineers engg eng inzhiniring ingenieure ingenierie
    enterprise: enterprises entreprise predpriyatie unternehmen
    equipment: equipments oborudovanie
    export: exports exporting eksport
    federal: federalnoe federalnyi
    finance: financial financing finans
    foundation: fund stiftung fond fundacion fondation
    general: gen
    global: globale
    group: grp groupe gruppe gruppa grupo gruppo holding holdings kholding jituan
    import: imports impex importing
    industry: industries industrial industrie industria ind promyshlennost
    information: info informatsionnye
    institute: inst institut institution istituto instituto
    insurance: assurance versicherung
    international: intl internationale internacional mezhdunarodnyi internasional
    investment: investments invest investitsii
    laboratory: lab labs laboratories laboratoriya laboratoire labor
    logistics: logistic logistik logistika
    management: mgmt managing
    manufacturing: mfg manufacture manufacturer manufacturers fabrication
    marine: maritime
    ministry: ministerstvo ministere ministerium min
    mining: mines
    national: natl nationale nacional natsionalnyi
    network: networks
    office: ofis
    oil: petroleum petrol
    partners: partner partnership
    plant: factory zavod works usine fabrik fabrika
    power: elektrostantsiya
    production: productions proizvodstvennoe produktion
    project: projects proekt
    research: rsch recherche forschung issledovatelskii nauchno scientific
    science: sciences nauk wissenschaft
    security: securities sicherheit
    service: services svc svcs servis
    shipping: shipmanagement sudokhodnaya
    software: soft
    solution: solutions
    state: gosudarstvennyi gosudarstvennoe staatliche
    supply: supplies
    system: systems sistemy systeme
    technology: technologies tech technical technique techno tekhnologii tekhnika technologie technik
    trade: trading trdg traders torgovyi torgovaya handel handels comercio tjarh tjrh tijara
    transport: transportation transports
    university: univ universitet universitat universite universidad universita universiteit daigaku
    """
)
"""Word -> meaning: two spellings of one meaning are the same word, and it counts less than a name's own words."""

PARTICLES: Final = frozenset(
    """
    a al and an bin bint da de del der des di do dos dr du e el en et for from i ibn in la las le les los mr mrs ms na
    no nr of on prof s shri st the to und van vd ve von w y z zu
    """.split()  # noqa: SIM905 - as above
)
"""Words between names: kept, and counted least."""

SIGNS: Final = (
    ("股份有限公司", "ltd"),
    ("有限责任公司", "ltd"),
    ("有限責任公司", "ltd"),
    ("有限公司", "ltd"),
    ("株式会社", "kk"),
    ("有限会社", "yk"),
    ("合同会社", "gk"),
    ("주식회사", "co"),
    ("유한회사", "co"),
    ("(주)", "co"),
    ("公司", "co"),
    ("会社", "co"),
    ("集团", "group"),
    ("集團", "group"),
    ("科学技术", "science technology"),
    ("科技", "technology"),
    ("技术", "technology"),
    ("技術", "technology"),
    ("大学", "university"),
    ("大學", "university"),
    ("대학교", "university"),
    ("研究所", "institute"),
    ("研究院", "institute"),
    ("研究", "research"),
    ("实验室", "laboratory"),
    ("國際", "international"),
    ("国际", "international"),
    ("国家", "national"),
    ("贸易", "trade"),
    ("貿易", "trade"),
    ("进出口", "import export"),
    ("银行", "bank"),
    ("銀行", "bank"),
    ("工业", "industry"),
    ("工業", "industry"),
    ("电子", "electronics"),
    ("電子", "electronics"),
    ("통신", "communication"),
    ("전자", "electronics"),
    ("信息", "information"),
    ("网络", "network"),
    ("软件", "software"),
    ("通信", "communication"),
    ("工程", "engineering"),
    ("物流", "logistics"),
    ("系统", "system"),
    ("中心", "center"),
    ("学院", "academy"),
    ("工厂", "plant"),
    ("北京", "beijing"),
    ("上海", "shanghai"),
    ("深圳", "shenzhen"),
    ("广州", "guangzhou"),
    ("天津", "tianjin"),
    ("武汉", "wuhan"),
    ("成都", "chengdu"),
    ("西安", "xian"),
    ("南京", "nanjing"),
    ("哈尔滨", "harbin"),
    ("香港", "hong kong"),
    ("中国", "china"),
    ("中國", "china"),
)
"""What signs mean that are written without spaces, the longer before those that they hold."""

ADDRESS_SIGNS: Final = (
    ("大厦", "building"),
    ("大廈", "building"),
    ("省", "province"),
    ("市", "city"),
    ("区", "district"),
    ("區", "district"),
    ("县", "county"),
    ("路", "road"),
    ("街", "street"),
    ("道", "road"),
    ("号", "number"),
    ("號", "number"),
    ("楼", "floor"),
    ("樓", "floor"),
    ("层", "floor"),
    ("室", "room"),
    ("座", "building"),
    ("村", "village"),
    ("镇", "village"),
)
"""The same for addresses; the signs of towns in `SIGNS` are looked for first."""

ADDRESS_GENERIC: Final = _meanings(
    """
    apartment: apt flat kv kvartira appartement wohnung
    area: zone zona
    avenue: ave av prospekt pr prosp avenida
    boulevard: blvd bulvar bd
    box: pobox postfach
    building: bldg bld korpus korp str stroenie tower block blk blok
    city: town gorod g
    commercial: comm
    county: oblast obl
    district: dist rayon raion qu
    drive: dr
    east: e
    floor: fl level etazh piso etage
    highway: hwy shosse sh
    house: dom d haus
    industrial: ind
    lane: ln per pereulok
    north: n
    number: no nr num
    office: ofis off of
    park: parque
    plaza: plaz
    port: harbour harbor
    post: po
    province: prov sheng
    road: rd lu
    room: rm komnata
    south: s
    square: sq ploshchad pl platz
    street: st ul ulitsa strasse rue via calle jie straat
    suite: ste
    unit: units
    village: vill
    west: w
    """
)
"""Word of an address -> meaning; they count little, because every address has some."""
