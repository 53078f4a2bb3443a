"""The words that columns are called by, a line a meaning, in several languages.

Entries are apart by commas; "=" before an entry: only where the name is nothing else.
"""

from __future__ import annotations

from typing import Final

LATITUDE: Final = "latitude"
LONGITUDE: Final = "longitude"

STRONG: Final = {
    "a surname": (
        "surname, last name, lastname, family name, familyname, nachname, familienname, nom de famille, "
        "apellido, apellidos, cognome, achternaam, sobrenome, nazwisko, фамилия, 姓氏, 苗字"
    ),
    "a given name": (
        "first name, firstname, given name, givenname, forename, middle name, vorname, prenom, nombre de "
        "pila, voornaam, primeiro nome, imie, имя"
    ),
    "a person's name": (
        "full name, fullname, person name, patient name, customer name, client name, employee name, student "
        "name, maiden name, nombre completo, nome completo, nom complet, nama penuh, nama lengkap, 姓名, 氏名, 성명"
    ),
    "a day of birth": (
        "date of birth, dob, birth date, birthdate, birthday, birth day, born on, geburtsdatum, geburtstag, "
        "date de naissance, fecha de nacimiento, fecha nacimiento, data di nascita, data de nascimento, "
        "geboortedatum, data urodzenia, дата рождения, tarikh lahir, tanggal lahir, 出生日期, 生年月日, 생년월일"
    ),
    "a passport": (
        "passport, passport no, passport number, passeport, reisepass, pasaporte, passaporto, paspoort, "
        "passaporte, paszport, паспорт, pasport, 护照, 護照, パスポート, 여권"
    ),
    "an identity number": (
        "ssn, social security, social security number, national id, national identity number, nric, mykad, "
        "bsn, burgerservicenummer, =dni, =nie, codice fiscale, steuer id, steueridentifikationsnummer, nino, "
        "national insurance number, personnummer, personalausweis, numero de securite sociale, cpf, pesel, "
        "aadhaar, no kp, nik ktp, 身份证, 身份证号, 身分證, "
        "마이넘버, 주민등록번호, tax id number, identity card"
    ),
    "a driving licence": (
        "driver license, drivers license, driver licence, driving licence, driving license, fuhrerschein, "
        "fuehrerschein, permis de conduire, licencia de conducir, patente di guida, rijbewijs"
    ),
    "an e-mail address": (
        "email, e mail, emails, mail address, email address, correo electronico, courriel, correo, posta "
        "elettronica, электронная почта, emel, 电子邮件, 邮箱, メールアドレス, 이메일"
    ),
    "a telephone number": (
        "phone, phone number, telephone, telefon, telefonnummer, handynummer, mobile number, mobile phone, "
        "cell phone, cellphone, telefono, telephone number, numero de telephone, telefoonnummer, telefone, "
        "celular, телефон, no telefon, nomor telepon, 电话, 手机号, 手机, 電話番号, 전화번호, msisdn"
    ),
    "a home address": (
        "home address, street address, postal address, mailing address, residential address, anschrift, "
        "wohnanschrift, adresse postale, domicilio, indirizzo di casa, woonadres, endereco residencial, adres "
        "zamieszkania, домашний адрес, alamat rumah, 住址, 住所, 주소"
    ),
    "a patient": (
        "patient, patient id, patient no, patientid, patienten id, patientennummer, paciente, paziente, "
        "medical record number, =mrn, nhs number, пациент, pesakit, pasien, 患者, 病历号, 환자"
    ),
    "a diagnosis": (
        "diagnosis, diagnoses, diagnose, diagnostic medical, diagnostico, diagnosi, icd10, icd 10, icd code, "
        "rozpoznanie, диагноз, 诊断, 診断, 진단, blood type, blood group, blutgruppe, hiv status, medication, "
        "allergies"
    ),
    "belief, origin or orientation": (
        "religion, religious affiliation, konfession, ethnicity, ethnic group, ethnie, etnia, sexual "
        "orientation, political opinion, union membership, religiao, 宗教, 民族"
    ),
    "a bank account": (
        "iban, bank account, bank account number, kontonummer, compte bancaire, cuenta bancaria, conto "
        "corrente, bankrekening, credit card, credit card number, card number, kreditkarte, cardholder, 银行卡号, "
        "银行账号"
    ),
    "pay": ("salary, gehalt, salaire, salario, stipendio, salaris, wynagrodzenie, зарплата, gaji, 工资, 給与"),
}
WEAK: Final = {
    "a name": ("=name, =names, =nom, =nombre, =nome, =naam, =nama, =имя фамилия, =名字, =名前"),
    "an address": (
        "address, adresse, direccion, indirizzo, adres, endereco, адрес, alamat, 地址, street, strasse, calle"
    ),
    "a town or postcode": (
        "city, town, postcode, post code, postal code, zip, zip code, zipcode, plz, ort, ville, ciudad, "
        "citta, stad, cidade, code postal, codigo postal, cap code, город, bandar, 城市, 邮编, 郵便番号"
    ),
    "a sex": ("gender, sex, geschlecht, sexe, sexo, sesso, geslacht, plec, пол, jantina, 性别, 性別, 성별"),
    "an age": ("=age, age years, =alter, =edad, =eta, =leeftijd, =idade, =wiek, =возраст, =umur, 年龄, 年齢, 나이"),
    "a nationality": (
        "nationality, citizenship, staatsangehorigkeit, nationalite, nacionalidad, nazionalita, "
        "nationaliteit, nacionalidade, гражданство, kewarganegaraan, 国籍, 국적"
    ),
    "a user": (
        "username, user name, user id, userid, login, customer id, client id, employee id, student id, "
        "account number, benutzername, nom d utilisateur, usuario, kundennummer, 用户名, 用户id"
    ),
    "a marital status": (
        "marital status, familienstand, etat civil, estado civil, stato civile, burgerlijke staat, 婚姻状况"
    ),
    "an occupation": (
        "occupation, job title, employer, beruf, profession, profesion, professione, beroep, profissao, 职业"
    ),
    "an IP or device address": ("ip, ip address, ipaddress, mac address, imei, imsi, device id"),
}
PLACES: Final = {
    LATITUDE: ("lat, latitude, breitengrad, geo lat, latitud, latitudine, широта, 纬度, 緯度"),
    LONGITUDE: (
        "lon, lng, long, longitude, laengengrad, langengrad, geo lon, geo lng, longitud, longitudine, "
        "долгота, 经度, 経度"
    ),
}
