"""Small lists in the exact form of each publisher, of parties that do not exist."""

import json
from pathlib import Path
from textwrap import dedent

CSL_HEADINGS = (
    "_id,source,entity_number,type,programs,name,title,addresses,federal_register_notice,start_date,end_date,"
    "standard_order,license_requirement,license_policy,call_sign,vessel_type,gross_tonnage,gross_registered_tonnage,"
    "vessel_flag,vessel_owner,remarks,source_list_url,alt_names,citizenships,dates_of_birth,nationalities,"
    "places_of_birth,source_information_url,ids"
)
ENTITY_LIST = "Entity List (EL) - Bureau of Industry and Security"


def csl_entry(**fields: object) -> dict[str, object]:
    """Return one result of consolidated.json, with the fields of an entry of the Entity List."""
    return {
        "id": "e1",
        "source": ENTITY_LIST,
        "entity_number": None,
        "type": None,
        "programs": [],
        "name": "Quagga Optics Research Institute",
        "title": None,
        "addresses": [],
        "alt_names": [],
        "ids": [],
        "remarks": None,
        "source_list_url": "https://lists.example/el",
        "source_information_url": "https://lists.example/el/about",
        **fields,
    }


def csl_json(folder: Path, *entries: dict[str, object], text: str | None = None) -> Path:
    """Write consolidated.json."""
    path = folder / "consolidated.json"
    whole = {"total": len(entries), "sources_used": [], "results": list(entries)}
    path.write_text(text if text is not None else json.dumps(whole, ensure_ascii=False), encoding="utf-8")
    return path


def csl_csv(folder: Path, *rows: dict[str, str], tail: str = "") -> Path:
    """Write consolidated.csv: rows by heading."""
    lines = [CSL_HEADINGS]
    for row in rows:
        assert set(row) <= set(CSL_HEADINGS.split(",")), row
        lines.append(",".join(f'"{row[name]}"' if row.get(name) else "" for name in CSL_HEADINGS.split(",")))
    path = folder / "consolidated.csv"
    path.write_text("\n".join(lines) + "\n" + tail, encoding="utf-8")
    return path


OFAC_PARTIES = (
    '36,"QUAGGA SHIPPING LLC",-0- ,"SDGT] [IFSR",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,'
    "\"a.k.a. 'QSL'; Tax ID No. 99-0001 (Erewhon); Linked To: TARPAN HOLDING.\"",
    '173,"DODO, Ana Maria","individual","SDNTK","Director",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,'
    '"DOB 01 Jan 1970; nationality Ruritania; Passport R0001 (Ruritania)."',
    '205,"MOA STAR","vessel","SDGT",-0- ,"3EXX9",Tanker,-0- ,-0- ,"Ruritania","QUAGGA SHIPPING LLC",'
    '"Vessel Registration Identification IMO 0000001."',
)
OFAC_ADDRESSES = (
    '36,1,"1 Quay Street","Zenda 1001","Ruritania",-0- ',
    '36,2,-0- ,"Streslau","Ruritania",-0- ',
    '173,3,-0- ,-0- ,"Ruritania",-0- ',
)
OFAC_ALIASES = ('36,1,"aka","QUAGGA LINES",-0- ', '36,2,"fka","QUAGGA & SONS",-0- ')


def ofac_csv(
    folder: Path,
    parties: tuple[str, ...] = OFAC_PARTIES,
    addresses: tuple[str, ...] = OFAC_ADDRESSES,
    aliases: tuple[str, ...] = OFAC_ALIASES,
    end: str = "\x1a",
) -> Path:
    """Write sdn.csv, add.csv and alt.csv; return their folder."""
    for name, rows in (("sdn.csv", parties), ("add.csv", addresses), ("alt.csv", aliases)):
        (folder / name).write_text("\r\n".join(rows) + "\r\n" + end, encoding="utf-8", newline="")
    return folder


OFAC_XML = """\
<?xml version="1.0" encoding="utf-8"?>
<Sanctions xmlns="https://lists.example/ADVANCED_XML" Version="1">
  <DateOfIssue CalendarTypeID="1"><Year>2026</Year><Month>9</Month><Day>2</Day></DateOfIssue>
  <ReferenceValueSets>
    <AliasTypeValues>
      <AliasType ID="1400">A.K.A.</AliasType><AliasType ID="1403">Name</AliasType>
    </AliasTypeValues>
    <AreaCodeValues><AreaCode ID="11" CountryID="11" Description="Ruritania">RU1</AreaCode></AreaCodeValues>
    <CountryValues><Country ID="21" ISO2="RR">Ruritania</Country></CountryValues>
    <DetailReferenceValues><DetailReference ID="91">Male</DetailReference></DetailReferenceValues>
    <FeatureTypeValues>
      <FeatureType ID="8" FeatureTypeGroupID="1">Birthdate</FeatureType>
      <FeatureType ID="10" FeatureTypeGroupID="1">Nationality Country</FeatureType>
      <FeatureType ID="13" FeatureTypeGroupID="1">SWIFT/BIC</FeatureType>
      <FeatureType ID="25" FeatureTypeGroupID="1">Location</FeatureType>
      <FeatureType ID="224" FeatureTypeGroupID="1">Gender</FeatureType>
    </FeatureTypeValues>
    <IDRegDocTypeValues><IDRegDocType ID="1571">Passport</IDRegDocType></IDRegDocTypeValues>
    <ListValues><List ID="1550">SDN List</List></ListValues>
    <LocPartTypeValues>
      <LocPartType ID="1451">ADDRESS1</LocPartType><LocPartType ID="1454">CITY</LocPartType>
      <LocPartType ID="1456">POSTAL CODE</LocPartType>
    </LocPartTypeValues>
    <NamePartTypeValues>
      <NamePartType ID="1520">Last Name</NamePartType><NamePartType ID="1521">First Name</NamePartType>
      <NamePartType ID="1525">Entity Name</NamePartType>
    </NamePartTypeValues>
    <PartySubTypeValues>
      <PartySubType ID="3" PartyTypeID="2">Unknown</PartySubType>
      <PartySubType ID="4" PartyTypeID="1">Unknown</PartySubType>
      <PartySubType ID="1" PartyTypeID="4">Vessel</PartySubType>
    </PartySubTypeValues>
    <PartyTypeValues>
      <PartyType ID="1">Individual</PartyType><PartyType ID="2">Entity</PartyType>
      <PartyType ID="4">Transport</PartyType>
    </PartyTypeValues>
    <ScriptValues><Script ID="215" ScriptCode="Latn">Latin</Script></ScriptValues>
  </ReferenceValueSets>
  <Locations>
    <Location ID="80"><LocationAreaCode AreaCodeID="11" /></Location>
    <Location ID="500">
      <LocationAreaCode AreaCodeID="11" />
      <LocationCountry CountryID="21" CountryRelevanceID="1413" />
      <LocationPart LocPartTypeID="1456">
        <LocationPartValue Primary="true"><Comment /><Value>1001</Value></LocationPartValue>
      </LocationPart>
      <LocationPart LocPartTypeID="1454">
        <LocationPartValue Primary="false"><Comment>Cyrillic</Comment><Value>Зенда</Value></LocationPartValue>
        <LocationPartValue Primary="true"><Comment /><Value>Zenda</Value></LocationPartValue>
      </LocationPart>
      <LocationPart LocPartTypeID="1451">
        <LocationPartValue Primary="true"><Comment /><Value>1 Quay Street</Value></LocationPartValue>
      </LocationPart>
    </Location>
  </Locations>
  <IDRegDocuments>
    <IDRegDocument ID="1" IDRegDocTypeID="1571" IdentityID="9002" IssuedBy-CountryID="21" ValidityID="1">
      <Comment /><IDRegistrationNo>R0001</IDRegistrationNo><IssuingAuthority />
    </IDRegDocument>
  </IDRegDocuments>
  <DistinctParties>
    <DistinctParty FixedRef="36">
      <Comment />
      <Profile ID="36" PartySubTypeID="3">
        <Identity ID="9001" FixedRef="36" Primary="true" False="false">
          <Alias FixedRef="36" AliasTypeID="1403" Primary="true" LowQuality="false">
            <DocumentedName ID="1"><DocumentedNamePart>
              <NamePartValue NamePartGroupID="1" ScriptID="215">QUAGGA SHIPPING LLC</NamePartValue>
            </DocumentedNamePart></DocumentedName>
            <DocumentedName ID="2"><DocumentedNamePart>
              <NamePartValue NamePartGroupID="1" ScriptID="220">КВАГГА</NamePartValue>
            </DocumentedNamePart></DocumentedName>
          </Alias>
          <Alias FixedRef="36" AliasTypeID="1400" Primary="false" LowQuality="true">
            <DocumentedName ID="3"><DocumentedNamePart>
              <NamePartValue NamePartGroupID="1" ScriptID="215">QSL</NamePartValue>
            </DocumentedNamePart></DocumentedName>
          </Alias>
          <NamePartGroups><MasterNamePartGroup><NamePartGroup ID="1" NamePartTypeID="1525" /></MasterNamePartGroup>
          </NamePartGroups>
        </Identity>
        <Feature ID="1" FeatureTypeID="25">
          <FeatureVersion ID="1"><Comment /><VersionLocation LocationID="500" /></FeatureVersion>
        </Feature>
        <Feature ID="2" FeatureTypeID="13">
          <FeatureVersion ID="2"><Comment /><VersionDetail DetailTypeID="1432">QUAGRRZZ</VersionDetail></FeatureVersion>
        </Feature>
      </Profile>
    </DistinctParty>
    <DistinctParty FixedRef="173">
      <Comment />
      <Profile ID="173" PartySubTypeID="4">
        <Identity ID="9002" FixedRef="173" Primary="true" False="false">
          <Alias FixedRef="173" AliasTypeID="1403" Primary="true" LowQuality="false">
            <DocumentedName ID="4">
              <DocumentedNamePart><NamePartValue NamePartGroupID="2" ScriptID="215">DODO</NamePartValue>
              </DocumentedNamePart>
              <DocumentedNamePart><NamePartValue NamePartGroupID="3" ScriptID="215">Ana Maria</NamePartValue>
              </DocumentedNamePart>
            </DocumentedName>
          </Alias>
          <NamePartGroups>
            <MasterNamePartGroup><NamePartGroup ID="2" NamePartTypeID="1520" /></MasterNamePartGroup>
            <MasterNamePartGroup><NamePartGroup ID="3" NamePartTypeID="1521" /></MasterNamePartGroup>
          </NamePartGroups>
        </Identity>
        <Feature ID="3" FeatureTypeID="10">
          <FeatureVersion ID="3"><Comment /><VersionLocation LocationID="80" /></FeatureVersion>
        </Feature>
        <Feature ID="4" FeatureTypeID="224">
          <FeatureVersion ID="4"><VersionDetail DetailTypeID="1431" DetailReferenceID="91" /></FeatureVersion>
        </Feature>
      </Profile>
    </DistinctParty>
  </DistinctParties>
  <SanctionsEntries>
    <SanctionsEntry ID="1" ProfileID="36" ListID="1550">
      <SanctionsMeasure ID="1" SanctionsTypeID="1"><Comment>SDGT</Comment></SanctionsMeasure>
    </SanctionsEntry>
  </SanctionsEntries>
</Sanctions>
"""

EU_XML = """\
<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<export xmlns="http://eu.europa.ec/fpi/fsd/export" generationDate="2026-09-02T15:51:25.849+02:00" globalFileId="1">
  <sanctionEntity designationDetails="" unitedNationId="" euReferenceNumber="EU.1.1" logicalId="13">
    <remark>Designated by way of example.</remark>
    <regulation regulationType="regulation" publicationDate="2026-01-01" numberTitle="2026/1" programme="RUR">
      <publicationUrl>https://law.example/2026/1</publicationUrl>
    </regulation>
    <subjectType code="enterprise" classificationCode="E"/>
    <nameAlias firstName="" lastName="" wholeName="Quagga Shipping LLC" function="" strong="true" logicalId="1"/>
    <nameAlias firstName="" lastName="" wholeName="ООО Квагга" nameLanguage="RU" strong="true" logicalId="2"/>
    <nameAlias firstName="" lastName="" wholeName="QSL" strong="false" logicalId="3"/>
    <nameAlias wholeName="Quag" strong="true" logicalId="4"><remark>Low quality alias</remark></nameAlias>
    <address city="Zenda" street="Quay Street 1" poBox="" zipCode="1001" region="" place="" asAtListingTime="false"
      countryIso2Code="RR" countryDescription="RURITANIA" logicalId="5"/>
    <address city="" street="" poBox="" zipCode="" place="" countryIso2Code="00" countryDescription="UNKNOWN"/>
    <identification number="1001" identificationTypeCode="regnumber"
      identificationTypeDescription="Registration Number" countryIso2Code="RR" countryDescription="RURITANIA"/>
  </sanctionEntity>
  <sanctionEntity designationDetails="" unitedNationId="" logicalId="14">
    <regulation programme="RUR"><publicationUrl>https://law.example/2026/2</publicationUrl></regulation>
    <subjectType code="person" classificationCode="P"/>
    <nameAlias firstName="Ana" middleName="Maria" lastName="Dodo" wholeName="" strong="true" logicalId="6"/>
    <citizenship region="" countryIso2Code="RR" countryDescription="RURITANIA" logicalId="7"/>
  </sanctionEntity>
</export>
"""

EU_CSV = """\
\ufefffileGenerationDate;Entity_LogicalId;Entity_EU_ReferenceNumber;Entity_UnitedNationId;Entity_DesignationDate;\
Entity_DesignationDetails;Entity_Remark;Entity_SubjectType;Entity_SubjectType_ClassificationCode;\
Entity_Regulation_Programme;Entity_Regulation_PublicationUrl;NameAlias_LastName;NameAlias_FirstName;\
NameAlias_MiddleName;NameAlias_WholeName;NameAlias_NameLanguage;NameAlias_Function;NameAlias_Remark;Address_City;\
Address_Street;Address_PoBox;Address_ZipCode;Address_Region;Address_Place;Address_CountryIso2Code;\
Address_CountryDescription;BirthDate_BirthDate;Identification_Number;Identification_LatinNumber;\
Identification_TypeDescription;Citizenship_CountryIso2Code;Citizenship_CountryDescription
02/09/2026;13;EU.1.1;;;;Designated by way of example;E;enterprise;RUR;https://law.example/1;;;;Quagga Shipping LLC;\
EN;;;;;;;;;;;;;;;;
02/09/2026;14;EU.1.2;;;;;P;person;RUR;https://law.example/1;Dodo;Ana;Maria;;;;;;;;;;;;;1970-01-01;;;;RR;RURITANIA
02/09/2026;13;EU.1.1;;;;;E;enterprise;RUR;https://law.example/1;;;;"QSL; the line";;;Low quality;;;;;;;;;;;;;;
02/09/2026;13;EU.1.1;;;;;E;enterprise;RUR;https://law.example/1;;;;;;;;Zenda;Quay Street 1;;1001;;;RR;RURITANIA;;\
;;;;
02/09/2026;13;EU.1.1;;;;;E;enterprise;RUR;https://law.example/1;;;;;;;;;;;;;;00;UNKNOWN;;1001;;Registration Number;;
"""

UK_CSV = """\
Report Date: 02-Sep-2026
Last Updated,Unique ID,OFSI Group ID,UN Reference Number,Name 6,Name 1,Name 2,Name 3,Name 4,Name 5,Name type,\
Alias strength,Title,Name non-latin script,Non-latin script type,Non-latin script language,Regime Name,\
Designation Type,Designation source,Sanctions Imposed,Other Information,UK Statement of Reasons,Address Line 1,\
Address Line 2,Address Line 3,Address Line 4,Address Line 5,Address Line 6,Address Postal Code,Address Country,\
Phone number,Website,Email address,Date Designated,D.O.B,Nationality(/ies),National Identifier number,\
National Identifier additional information,Passport number,Passport additional information,Position,Gender,\
Town of birth,Country of birth,Type of entity,Subsidiaries,Parent company,Business registration number (s),\
IMO number,Current owner/operator (s),Previous owner/operator (s),Current believed flag of ship,Previous flags,\
Type of ship,Tonnage of ship,Length of ship,Year Built,Hull identification number (HIN)
01/09/2026,RUR0001,1,,QUAGGA SHIPPING LLC,,,,,,Primary Name,,,,,,The Ruritania Regulations 2026,Entity,UK,\
Asset freeze,,,1 Quay Street,,,,,Zenda,1001,Ruritania,,,,01/01/2026,,,,,,,,,,,,,TARPAN HOLDING,R-1001,,,,,,,,,,
01/09/2026,RUR0002,2,,DODO,Ana,Maria,,,,Primary Name,,Ms,Ана Додо,,,The Ruritania Regulations 2026,Individual,UK,\
Asset freeze,,,,,,,,,,Ruritania,,,,01/01/2026,dd/mm/1970,Ruritania,,,R0001,,Director,,,,,,,,,,,,,,,,,
01/09/2026,RUR0001,1,,QSL,,,,,,ALias,Low quality a.k.a,,,,,The Ruritania Regulations 2026,Entity,UK,\
Asset freeze,,,,,,,,,,,,,,01/01/2026,,,,,,,,,,,,,,,,,,,,,,,,
01/09/2026,RUR0003,3,,MOA STAR,,,,,,Primary name,,,,,,The Ruritania Regulations 2026,Ship,UK,\
Port entry,,,,,,,,,,,,,,01/01/2026,,,,,,,,,,,,,,,0000001,QUAGGA SHIPPING LLC,,Ruritania,,,,,,
"""

UN_XML = """\
<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<CONSOLIDATED_LIST xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:noNamespaceSchemaLocation="https://lists.example/sc.xsd" dateGenerated="2026-09-02T00:00:09.554Z">
  <INDIVIDUALS>
    <INDIVIDUAL>
      <DATAID>690001</DATAID><VERSIONNUM>1</VERSIONNUM>
      <FIRST_NAME>ANA</FIRST_NAME><SECOND_NAME>MARIA</SECOND_NAME><THIRD_NAME>DODO</THIRD_NAME>
      <UN_LIST_TYPE>RUR</UN_LIST_TYPE><REFERENCE_NUMBER>RURi.001</REFERENCE_NUMBER>
      <NAME_ORIGINAL_SCRIPT>Ана Мария Додо</NAME_ORIGINAL_SCRIPT>
      <COMMENTS1>By way
of example.</COMMENTS1>
      <DESIGNATION><VALUE>Director </VALUE></DESIGNATION>
      <NATIONALITY><VALUE>Ruritania</VALUE></NATIONALITY>
      <INDIVIDUAL_ALIAS><QUALITY>Good</QUALITY><ALIAS_NAME>Anna Dodo; A. M. Dodo</ALIAS_NAME></INDIVIDUAL_ALIAS>
      <INDIVIDUAL_ALIAS><QUALITY>Low</QUALITY><ALIAS_NAME>Dodo</ALIAS_NAME></INDIVIDUAL_ALIAS>
      <INDIVIDUAL_ALIAS><QUALITY/><ALIAS_NAME/></INDIVIDUAL_ALIAS>
      <INDIVIDUAL_ADDRESS><COUNTRY>Grand Fenwick</COUNTRY><NOTE>as of 2026</NOTE></INDIVIDUAL_ADDRESS>
      <INDIVIDUAL_DOCUMENT><TYPE_OF_DOCUMENT>Passport</TYPE_OF_DOCUMENT><NUMBER>R0001</NUMBER>\
<ISSUING_COUNTRY>Ruritania</ISSUING_COUNTRY></INDIVIDUAL_DOCUMENT>
      <INDIVIDUAL_DOCUMENT/>
    </INDIVIDUAL>
  </INDIVIDUALS>
  <ENTITIES>
    <ENTITY>
      <DATAID>690002</DATAID><FIRST_NAME>QUAGGA SHIPPING LLC</FIRST_NAME><UN_LIST_TYPE>RUR</UN_LIST_TYPE>
      <REFERENCE_NUMBER>RURe.001</REFERENCE_NUMBER>
      <ENTITY_ALIAS><QUALITY>f.k.a.</QUALITY><ALIAS_NAME>Quagga &amp; Sons</ALIAS_NAME></ENTITY_ALIAS>
      <ENTITY_ADDRESS><STREET>1 Quay Street</STREET><CITY>Zenda</CITY><ZIP_CODE>1001</ZIP_CODE>\
<COUNTRY>Ruritania</COUNTRY></ENTITY_ADDRESS>
    </ENTITY>
  </ENTITIES>
</CONSOLIDATED_LIST>
"""

SIMPLE_CSV = """\
"id","schema","name","aliases","birth_date","countries","addresses","identifiers","sanctions","phones","emails",\
"program_ids","dataset","first_seen","last_seen","last_change"
"NK-1","Company","Quagga Shipping LLC","QSL;""Quagga; Tarpan & Co"";Квагга","","rr;gf","1 Quay Street, Zenda","R-1001",\
"Ruritania - 2026-01-01","","","RR-EXAMPLE","Example List","2026-01-01T00:00:00","2026-09-01T00:00:00",""
"NK-2","Person","Ana Dodo","","1970","rr","","","","","","","Example List","","",""
"NK-3","Address","2 Hidden Lane, Streslau","","","rr","","","","","","","Example List","","",""
"""


def ftm_json(folder: Path) -> Path:
    """Write entities.ftm.json: a target, its address and its sanction, a listed address, a bystander, a position."""
    lines = [
        {"id": "s1", "schema": "Sanction", "properties": {"entity": ["NK-1"], "program": ["RUR"]}, "target": False},
        {
            "id": "NK-1",
            "schema": "Company",
            "caption": "Quagga Shipping LLC",
            "properties": {
                "name": ["Квагга", "Quagga Shipping LLC"],
                "alias": ["Quagga Lines"],
                "weakAlias": ["QSL"],
                "country": ["rr"],
                "addressEntity": ["a1"],
                "registrationNumber": ["R-1001"],
                "topics": ["sanction"],
            },
            "target": True,
        },
        {
            "id": "a1",
            "schema": "Address",
            "properties": {"full": ["1 Quay Street, Zenda"], "country": ["rr"]},
            "target": False,
        },
        {"id": "b1", "schema": "Person", "properties": {"name": ["By Stander"]}, "target": False},
        {"id": "p1", "schema": "Position", "properties": {"name": ["Director"]}, "target": False},
    ]
    path = folder / "entities.ftm.json"
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return path


OWN_CSV = dedent(
    """\
    Company;Also known as;Seat;Country;Reference
    Quagga Shipping LLC;QSL; "1 Quay Street, Zenda";Ruritania;W-1
    ;;2 Hidden Lane, Streslau;Ruritania;W-2
    """
).replace('; "', ';"')
OWN_COLUMNS = {"name": "company", "alias": "Also known as", "address": "Seat", "country": "Country", "id": "Reference"}


def write(folder: Path, name: str, text: str) -> Path:
    """Write a file and return its path."""
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="")
    return path
