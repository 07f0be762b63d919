"""National numbers of persons and firms: random numbers in each country's form that python-stdnum calls valid (it knows
check digits, dates and ranges and was written by others). Where it does not know a form, the rule stands here with its source.
"""

from stdnum import luhn
from stdnum.ar import cuit
from stdnum.at import vnr
from stdnum.au import abn, acn, tfn
from stdnum.be import nn
from stdnum.bg import egn
from stdnum.br import cnpj, cpf
from stdnum.ca import sin
from stdnum.ch import ssn as ahv
from stdnum.cl import rut
from stdnum.cn import ric
from stdnum.cz import rc
from stdnum.de import idnr
from stdnum.dk import cpr
from stdnum.ee import ik
from stdnum.es import cif, dni, nie
from stdnum.fi import hetu
from stdnum.fr import nir, siret
from stdnum.gb import nhs, utr
from stdnum.gr import amka
from stdnum.gr import vat as afm
from stdnum.hr import oib
from stdnum.ie import pps
from stdnum.il import idnr as teudat
from stdnum.in_ import aadhaar, gstin, pan
from stdnum.it import codicefiscale, iva
from stdnum.jp import in_ as my_number
from stdnum.kr import rrn
from stdnum.lt import asmens
from stdnum.lv import pvn
from stdnum.mx import curp
from stdnum.nl import bsn
from stdnum.no import fodselsnummer
from stdnum.nz import ird
from stdnum.pl import nip, pesel, regon
from stdnum.pt import nif
from stdnum.ro import cnp
from stdnum.ru import inn
from stdnum.se import personnummer
from stdnum.si import emso
from stdnum.th import pin
from stdnum.tr import tckimlik
from stdnum.ua import rntrc
from stdnum.us import itin
from stdnum.za import idnr as za_id

from texts import NEUTRAL, SOURCE, UPPER, chars, day, digits, pick, row, until


def said(*words):
    """Sentences and records that name the number."""
    templates = []
    for word in words:
        templates += [word + " {}", word + ": {}", "the " + word + " is {}.", '{"' + word + '": "{}"}', word + "={}"]
    return templates


def ymd(form, first=1930, last=2005):
    year, month, date = day(first, last)
    return form.format(y=year % 100, Y=year, m=month, d=date)


def grouped(value, sizes, separator):
    parts, at = [], 0
    for size in sizes:
        parts.append(value[at:at + size])
        at += size
    return separator.join(parts)


def it_code():
    number = chars("BCDFGLMNPRSTV", 6) + f"{SOURCE.randint(30, 99):02}" + pick("ABCDEHLMPRST") + f"{SOURCE.randint(1, 28):02}" + pick("ABCDEFGHIL") + f"{SOURCE.randint(1, 899):03}"
    return number + codicefiscale.calc_check_digit(number)


def nino():
    """HMRC's National Insurance Manual NIM39110: prefixes never issued, suffix A to D."""
    while True:
        prefix = pick("ABCEGHJKLMNOPRSTWXYZ") + pick("ABCEGHJKLMNPRSTWXYZ")
        if prefix not in ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ") and prefix[0] not in "DFIOQUV":
            return prefix + digits(6) + pick("ABCD")


def nric():
    """Singapore: weights 2 7 6 5 4 3 2, plus 4 for T and G, modulo 11."""
    first, number = pick("STFG"), digits(7)
    total = sum(int(d) * w for d, w in zip(number, (2, 7, 6, 5, 4, 3, 2))) + (4 if first in "TG" else 0)
    return first + number + ("JZIHGFEDCBA" if first in "ST" else "XWUTRQPNMLK")[total % 11]


def medicare():
    """Services Australia: weights 1 3 7 9 1 3 7 9, modulo 10, then an issue number."""
    number = pick("23456") + digits(7)
    return number + str(sum(int(d) * w for d, w in zip(number, (1, 3, 7, 9, 1, 3, 7, 9))) % 10) + pick("123456789")


def npi():
    """CMS: Luhn over 80840 and the number."""
    number = pick("12") + digits(8)
    return number + luhn.calc_check_digit("80840" + number)


def gst():
    number = f"{SOURCE.randint(1, 37):02}" + chars(UPPER, 3) + pick("ABCFGHLJPT") + chars(UPPER, 1) + digits(4) + chars(UPPER, 1) + pick("123456789") + "Z"
    return number + luhn.calc_check_digit(number, gstin._ALPHABET)


def mx():
    number = pick("BCDFGLMR") + pick("AEIOU") + chars("BCDFGLMR", 2) + ymd("{y:02}{m:02}{d:02}", 1940, 1999) + pick("HM") + pick(["DF", "JC", "NL", "MC", "VZ"]) + chars("BCDFGLMNPRST", 3) + "0"
    return number + curp.calc_check_digit(number)


# what, maker, validator, writings of the bare number, words that name it, whether the writing alone is enough
NUMBERS = [
    ("us.itin", lambda: "9" + digits(2) + pick(["50", "61", "70", "85", "90", "99"]) + digits(4), itin, [lambda n: grouped(n, (3, 2, 4), "-")], ["ITIN", "taxpayer number"], True),
    ("us.npi", npi, None, [str], ["NPI", "NPI number"], False),
    ("uk.nino", nino, None, [str, lambda n: grouped(n, (2, 2, 2, 2, 1), " ")], ["NI number", "National Insurance number", "NINO"], True),
    ("uk.nhs", lambda: digits(10), nhs, [str, lambda n: grouped(n, (3, 3, 4), " "), lambda n: grouped(n, (3, 3, 4), "-")], ["NHS number", "NHS no"], False),
    ("uk.utr", lambda: digits(10), utr, [str, lambda n: grouped(n, (5, 5), " ")], ["UTR", "Unique Taxpayer Reference"], False),
    ("de.tax_id", lambda: pick("123456789") + digits(10), idnr, [str, lambda n: grouped(n, (2, 3, 3, 3), " ")], ["Steuer-ID", "Steueridentifikationsnummer", "IdNr"], False),
    ("fr.nir", lambda: pick("12") + ymd("{y:02}{m:02}") + pick(["75", "13", "59", "69", "33", "2A", "31"]) + digits(8), nir, [str, lambda n: grouped(n, (1, 2, 2, 2, 3, 3, 2), " ")], ["numéro de sécurité sociale", "NIR"], True),
    ("fr.siret", lambda: digits(14), siret, [str, lambda n: grouped(n, (3, 3, 3, 5), " ")], ["SIRET"], False),
    ("it.fiscal_code", it_code, codicefiscale, [str], ["codice fiscale", "CF"], True),
    ("it.vat", lambda: digits(11), iva, [str], ["partita IVA", "P.IVA"], False),
    ("es.dni", lambda: digits(8) + pick("TRWAGMYFPDXBNJZSQVHLCKE"), dni, [str, lambda n: n[:8] + "-" + n[8]], ["DNI", "NIF"], True),
    ("es.nie", lambda: pick("XYZ") + digits(7) + pick("TRWAGMYFPDXBNJZSQVHLCKE"), nie, [str, lambda n: n[0] + "-" + n[1:8] + "-" + n[8]], ["NIE"], True),
    ("es.cif", lambda: pick("ABCDEFGH") + digits(8), cif, [str], ["CIF", "NIF de la empresa"], False),
    ("pt.nif", lambda: pick("123") + digits(8), nif, [str, lambda n: grouped(n, (3, 3, 3), " ")], ["NIF", "contribuinte"], False),
    ("nl.bsn", lambda: digits(9), bsn, [str, lambda n: grouped(n, (4, 2, 3), ".")], ["BSN", "burgerservicenummer"], False),
    ("be.national", lambda: ymd("{y:02}{m:02}{d:02}", 1930, 1999) + digits(5), nn, [lambda n: f"{n[:2]}.{n[2:4]}.{n[4:6]}-{n[6:9]}.{n[9:]}"], ["rijksregisternummer", "numéro de registre national"], True),
    ("ch.ahv", lambda: "756" + digits(10), ahv, [lambda n: grouped(n, (3, 4, 4, 2), ".")], ["AHV-Nummer", "numéro AVS"], True),
    ("at.social", lambda: digits(4) + ymd("{d:02}{m:02}{y:02}"), vnr, [str, lambda n: grouped(n, (4, 6), " ")], ["Sozialversicherungsnummer", "SVNR"], False),
    ("ie.pps", lambda: digits(7) + pick("ABCDEFGHIJKLMNOPQRSTUVW"), pps, [str], ["PPS number", "PPSN"], False),
    ("pl.pesel", lambda: ymd("{y:02}{m:02}{d:02}", 1930, 1999) + digits(5), pesel, [str], ["PESEL", "numer PESEL"], False),
    ("pl.nip", lambda: pick("123456789") + digits(9), nip, [str, lambda n: grouped(n, (3, 3, 2, 2), "-")], ["NIP"], False),
    ("pl.regon", lambda: digits(9), regon, [str], ["REGON"], False),
    ("se.personal", lambda: ymd("{y:02}{m:02}{d:02}") + "-" + digits(4), personnummer, [str, lambda n: "19" + n if int(n[:2]) > 24 else n], ["personnummer"], True),
    ("fi.hetu", lambda: ymd("{d:02}{m:02}{y:02}", 1930, 1999) + "-" + digits(3) + pick("0123456789ABCDEFHJKLMNPRSTUVWXY"), hetu, [str], ["henkilötunnus", "HETU"], True),
    ("no.national", lambda: ymd("{d:02}{m:02}{y:02}", 1955, 1999) + digits(5), fodselsnummer, [str, lambda n: grouped(n, (6, 5), " ")], ["fødselsnummer", "personnummer"], True),
    ("dk.cpr", lambda: ymd("{d:02}{m:02}{y:02}", 1940, 1999) + digits(4), cpr, [lambda n: grouped(n, (6, 4), "-"), str], ["CPR-nummer", "CPR"], False),
    ("ee.personal", lambda: pick("34") + ymd("{y:02}{m:02}{d:02}", 1930, 1999) + digits(4), ik, [str], ["isikukood"], False),
    ("lt.personal", lambda: pick("34") + ymd("{y:02}{m:02}{d:02}", 1930, 1999) + digits(4), asmens, [str], ["asmens kodas"], False),
    ("lv.personal", lambda: ymd("{d:02}{m:02}{y:02}", 1930, 1999) + "1" + digits(4), pvn, [lambda n: grouped(n, (6, 5), "-")], ["personas kods"], True),
    ("cz.birth_number", lambda: ymd("{y:02}{m:02}{d:02}", 1955, 1999) + digits(4), rc, [lambda n: grouped(n, (6, 4), "/"), str], ["rodné číslo", "r.č."], False),
    ("cz.birth_number before 1954", lambda: ymd("{y:02}{m:02}{d:02}", 1920, 1953) + digits(3), rc, [lambda n: grouped(n, (6, 3), "/"), str], ["rodné číslo", "r.č."], False),
    ("ro.cnp", lambda: pick("12") + ymd("{y:02}{m:02}{d:02}", 1930, 1999) + pick(["12", "40", "35", "22"]) + digits(4), cnp, [str], ["CNP", "cod numeric personal"], False),
    ("bg.egn", lambda: ymd("{y:02}{m:02}{d:02}", 1930, 1999) + digits(4), egn, [str], ["ЕГН", "EGN"], False),
    ("hr.oib", lambda: digits(11), oib, [str], ["OIB"], False),
    ("si.emso", lambda: ymd("{d:02}{m:02}9{y:02}", 1930, 1999) + "50" + digits(4), emso, [str], ["EMŠO", "EMSO"], False),
    ("gr.amka", lambda: ymd("{d:02}{m:02}{y:02}", 1930, 1999) + digits(5), amka, [str], ["ΑΜΚΑ", "AMKA"], False),
    ("gr.afm", lambda: digits(9), afm, [str], ["ΑΦΜ", "AFM"], False),
    ("tr.identity", lambda: pick("123456789") + digits(10), tckimlik, [str], ["T.C. Kimlik No", "TCKN"], False),
    ("ua.tax", lambda: pick("23") + digits(9), rntrc, [str], ["РНОКПП", "ІПН"], False),
    ("ru.inn", lambda: digits(pick([10, 12])), inn, [str], ["ИНН"], False),
    ("ca.sin", lambda: pick("1234567") + digits(8), sin, [lambda n: grouped(n, (3, 3, 3), " "), lambda n: grouped(n, (3, 3, 3), "-"), str], ["SIN", "social insurance number", "NAS"], False),
    ("in.aadhaar", lambda: pick("23456789") + digits(11), aadhaar, [str, lambda n: grouped(n, (4, 4, 4), " "), lambda n: grouped(n, (4, 4, 4), "-")], ["Aadhaar", "Aadhaar number", "UIDAI"], False),
    ("in.pan", lambda: chars(UPPER, 3) + pick("ABCFGHLJPT") + chars(UPPER, 1) + f"{SOURCE.randint(1, 9999):04}" + chars(UPPER, 1), pan, [str], ["PAN", "PAN card", "permanent account number"], True),
    ("in.gstin", gst, gstin, [str], ["GSTIN"], True),
    ("br.cpf", lambda: digits(11), cpf, [lambda n: f"{n[:3]}.{n[3:6]}.{n[6:9]}-{n[9:]}", str], ["CPF"], False),
    ("br.cnpj", lambda: digits(8) + "0001" + digits(2), cnpj, [lambda n: f"{n[:2]}.{n[2:5]}.{n[5:8]}/{n[8:12]}-{n[12:]}", str], ["CNPJ"], False),
    ("au.tfn", lambda: pick("123456789") + digits(8), tfn, [str, lambda n: grouped(n, (3, 3, 3), " ")], ["TFN", "tax file number"], False),
    ("au.abn", lambda: pick("123456789") + digits(10), abn, [str, lambda n: grouped(n, (2, 3, 3, 3), " ")], ["ABN"], False),
    ("au.acn", lambda: digits(9), acn, [str, lambda n: grouped(n, (3, 3, 3), " ")], ["ACN"], False),
    ("au.medicare", medicare, None, [str, lambda n: grouped(n, (4, 5, 1), " ")], ["Medicare number", "Medicare card"], False),
    ("nz.ird", lambda: pick("1456789") + digits(7), ird, [str, lambda n: grouped(n, (2, 3, 3), "-")], ["IRD number", "IRD"], False),
    ("za.id", lambda: ymd("{y:02}{m:02}{d:02}", 1930, 1999) + digits(4) + "0" + digits(2), za_id, [str], ["South African ID", "RSA ID", "ID number"], False),
    ("il.id", lambda: pick("0123") + digits(8), teudat, [str], ["Teudat Zehut", "Israeli ID", "תעודת זהות"], False),
    ("cn.resident", lambda: pick(["110101", "310104", "440305", "510107"]) + ymd("{Y}{m:02}{d:02}", 1940, 1999) + digits(3) + pick("0123456789X"), ric, [str], ["身份证号", "resident ID"], True),
    ("jp.my_number", lambda: digits(12), my_number, [str, lambda n: grouped(n, (4, 4, 4), " ")], ["マイナンバー", "My Number"], False),
    ("kr.rrn", lambda: ymd("{y:02}{m:02}{d:02}", 1930, 1999) + pick("12") + digits(6), rrn, [lambda n: grouped(n, (6, 7), "-")], ["주민등록번호", "RRN"], True),
    ("sg.nric", nric, None, [str], ["NRIC", "FIN"], True),
    ("th.id", lambda: pick("12345678") + digits(12), pin, [lambda n: grouped(n, (1, 4, 5, 2, 1), "-")], ["เลขประจำตัวประชาชน", "Thai ID"], True),
    ("mx.curp", mx, curp, [str], ["CURP"], True),
    ("ar.cuit", lambda: pick(["20", "23", "27", "30"]) + digits(9), cuit, [lambda n: grouped(n, (2, 8, 1), "-")], ["CUIT", "CUIL"], True),
    ("cl.rut", lambda: str(SOURCE.randint(4_000_000, 25_000_000)).zfill(8) + pick("0123456789K"), rut, [lambda n: f"{int(n[:8]):,}".replace(",", ".") + "-" + n[8]], ["RUT"], True),
]


def national(per_class):
    for name, make, module, writings, words, alone in NUMBERS:
        for _ in range(per_class):
            number = until(module.is_valid if module else bool, make)
            yield row("national", name, pick(writings)(number), said(*words) + (NEUTRAL[:4] if alone else []))
