"""What the name of a column means, in several languages. The name itself is never passed on: only our own word for it.

A strong word is a finding where the column is filled. A weak one ("name", "city") stands in many tables that are about
no person: it counts where the table has another finding, or three weak words of different meaning.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

MAX_NAME: Final = 128
MAX_WORDS: Final = 4
LEAST_WEAK: Final = 3


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a column's name means; `is_strong` where that is enough by itself."""

    word: str
    is_strong: bool


# One line a meaning; entries apart by commas. "=" before an entry: only where the name is nothing else.
_STRONG: Final = {
    "a surname": "surname, last name, lastname, family name, familyname, nachname, familienname, nom de famille,"
    " apellido, apellidos, cognome, achternaam, sobrenome, nazwisko, фамилия, 姓氏, 苗字",
    "a given name": "first name, firstname, given name, givenname, forename, middle name, vorname, prenom, nombre de pila,"
    " voornaam, primeiro nome, imie, имя",
    "a person's name": "full name, fullname, person name, patient name, customer name, client name, employee name,"
    " student name, maiden name, nombre completo, nome completo, nom complet, nama penuh, nama lengkap, 姓名, 氏名, 성명",
    "a day of birth": "date of birth, dob, birth date, birthdate, birthday, birth day, born on, geburtsdatum, geburtstag,"
    " date de naissance, fecha de nacimiento, fecha nacimiento, data di nascita, data de nascimento, geboortedatum,"
    " data urodzenia, дата рождения, tarikh lahir, tanggal lahir, 出生日期, 生年月日, 생년월일",
    "a passport": "passport, passport no, passport number, passeport, reisepass, pasaporte, passaporto, paspoort,"
    " passaporte, paszport, паспорт, pasport, 护照, 護照, パスポート, 여권",
    "an identity number": "ssn, social security, social security number, national id, national identity number, nric, mykad,"
    " bsn, burgerservicenummer, =dni, =nie, codice fiscale, steuer id, steueridentifikationsnummer, nino,"
    " national insurance number, personnummer, personalausweis, numero de securite sociale, cpf, pesel, aadhaar,"
    " no kp, nik ktp, 身份证, 身份证号, 身分證, 住民登録, 마이넘버, 주민등록번호, tax id number, identity card",
    "a driving licence": "driver license, drivers license, driver licence, driving licence, driving license,"
    " fuhrerschein, fuehrerschein, permis de conduire, licencia de conducir, patente di guida, rijbewijs",
    "an e-mail address": "email, e mail, emails, mail address, email address, correo electronico, courriel, correo,"
    " posta elettronica, электронная почта, emel, 电子邮件, 邮箱, メールアドレス, 이메일",
    "a telephone number": "phone, phone number, telephone, telefon, telefonnummer, handynummer, mobile number, mobile phone,"
    " cell phone, cellphone, telefono, telephone number, numero de telephone, telefoonnummer, telefone, celular, телефон,"
    " no telefon, nomor telepon, 电话, 手机号, 手机, 電話番号, 전화번호, msisdn",
    "a home address": "home address, street address, postal address, mailing address, residential address, anschrift,"
    " wohnanschrift, adresse postale, domicilio, indirizzo di casa, woonadres, endereco residencial, adres zamieszkania,"
    " домашний адрес, alamat rumah, 住址, 住所, 주소",
    "a patient": "patient, patient id, patient no, patientid, patienten id, patientennummer, paciente, paziente,"
    " medical record number, =mrn, nhs number, пациент, pesakit, pasien, 患者, 病历号, 환자",
    "a diagnosis": "diagnosis, diagnoses, diagnose, diagnostic medical, diagnostico, diagnosi, icd10, icd 10, icd code,"
    " rozpoznanie, диагноз, 诊断, 診断, 진단, blood type, blood group, blutgruppe, hiv status, medication, allergies",
    "a conviction of the mind": "religion, religious affiliation, konfession, ethnicity, ethnic group, ethnie, etnia,"
    " sexual orientation, political opinion, union membership, religiao, 宗教, 民族",
    "a bank account": "iban, bank account, bank account number, kontonummer, compte bancaire, cuenta bancaria,"
    " conto corrente, bankrekening, credit card, credit card number, card number, kreditkarte, cardholder, 银行卡号, 银行账号",
    "pay": "salary, gehalt, salaire, salario, stipendio, salaris, wynagrodzenie, зарплата, gaji, 工资, 給与",
}
_WEAK: Final = {
    "a name": "=name, =names, =nom, =nombre, =nome, =naam, =nama, =имя фамилия, =名字, =名前",
    "an address": "address, adresse, direccion, indirizzo, adres, endereco, адрес, alamat, 地址, street, strasse, calle",
    "a town or postcode": "city, town, postcode, post code, postal code, zip, zip code, zipcode, plz, ort, ville, ciudad,"
    " citta, stad, cidade, code postal, codigo postal, cap code, город, bandar, 城市, 邮编, 郵便番号",
    "a sex": "gender, sex, geschlecht, sexe, sexo, sesso, geslacht, plec, пол, jantina, 性别, 性別, 성별",
    "an age": "=age, age years, =alter, =edad, =eta, =leeftijd, =idade, =wiek, =возраст, =umur, 年龄, 年齢, 나이",
    "a nationality": "nationality, citizenship, staatsangehorigkeit, nationalite, nacionalidad, nazionalita,"
    " nationaliteit, nacionalidade, гражданство, kewarganegaraan, 国籍, 국적",
    "a user": "username, user name, user id, userid, login, customer id, client id, employee id, student id, account number,"
    " benutzername, nom d utilisateur, usuario, kundennummer, 用户名, 用户id",
    "a marital status": "marital status, familienstand, etat civil, estado civil, stato civile, burgerlijke staat, 婚姻状况",
    "an occupation": "occupation, job title, employer, beruf, profession, profesion, professione, beroep, profissao, 职业",
    "an IP or device address": "ip, ip address, ipaddress, mac address, imei, imsi, device id",
}
LATITUDE: Final = "latitude"
LONGITUDE: Final = "longitude"
_PLACES: Final = {
    LATITUDE: "lat, latitude, breitengrad, geo lat, latitud, latitudine, широта, 纬度, 緯度",
    LONGITUDE: "lon, lng, long, longitude, laengengrad, langengrad, geo lon, geo lng, longitud, longitudine, долгота, 经度, 経度",
}

_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NO_LETTER: Final = re.compile(r"[\W_]+")


def _plain(name: str) -> str:
    """Return a name in lower case, without accents and signs, its words apart by one blank."""
    text = _CAMEL.sub(" ", unicodedata.normalize("NFKC", name[:MAX_NAME])[:MAX_NAME]).casefold()
    bare = "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    # Hangul and kana come apart in NFKD; they are put together again.
    return _NO_LETTER.sub(" ", unicodedata.normalize("NFC", bare)).strip()


def _table() -> tuple[dict[str, Meaning], dict[str, Meaning]]:
    whole: dict[str, Meaning] = {}
    parts: dict[str, Meaning] = {}
    for meanings, is_strong in ((_PLACES, False), (_WEAK, False), (_STRONG, True)):
        for word, entries in meanings.items():
            for entry in entries.split(","):
                plain = _plain(entry.strip().removeprefix("="))
                whole[plain] = Meaning(word, is_strong)
                if not entry.strip().startswith("="):
                    parts[plain] = Meaning(word, is_strong)
    return whole, parts


_WHOLE, _PARTS = _table()
_WITHOUT_BLANKS: Final = tuple((entry, meaning) for entry, meaning in _PARTS.items() if ord(entry[0]) > 0x2E00)


def meaning_of(name: str) -> Meaning | None:
    """Return what a column's name means, or None where the dictionary does not have it; a strong meaning goes first."""
    plain = _plain(name)
    if (whole := _WHOLE.get(plain)) is not None:
        return whole
    words = plain.split(" ")
    found: Meaning | None = None
    for first in range(len(words)):
        for end in range(first + 1, min(first + MAX_WORDS, len(words)) + 1):
            meaning = _PARTS.get(" ".join(words[first:end]))
            if meaning is not None and meaning.word not in _PLACES and (found is None or meaning.is_strong):
                found = meaning
    if not plain.isascii():
        # Scripts without blanks between words.
        for entry, meaning in _WITHOUT_BLANKS:
            if entry in plain and (found is None or meaning.is_strong):
                found = meaning
    return found
