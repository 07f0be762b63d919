"""Cards, accounts, addresses of mail and machines, telephones, dates of birth, wallets: from faker, schwifty and phonenumbers
(a port of libphonenumber). What a generator makes and an independent check refuses is thrown away and counted.
"""

import collections
import hashlib
import ipaddress

import phonenumbers
import schwifty
from faker import Faker
from schwifty.registry import get_countries
from stdnum import bitcoin, luhn
from stdnum.us import ssn as us_ssn

from texts import HEX, NEUTRAL, SOURCE, chars, digits, pick, row, until

LOCALES = ["en_US", "en_GB", "de_DE", "fr_FR", "it_IT", "es_ES", "nl_NL", "pl_PL", "sv_SE", "fi_FI", "pt_BR", "en_CA", "en_IN", "nl_BE",
           "en_AU", "ja_JP", "pt_PT", "no_NO", "cs_CZ"]
FAKERS = {name: Faker(name) for name in LOCALES}
REFUSED = collections.Counter()  # generator and reason -> values thrown away


# ISO/IEC 7812 ranges of the schemes whose numbers faker draws too widely.
def issued(number):
    if number.startswith("35"):
        return 3528 <= int(number[:4]) <= 3589
    return not number.startswith("30") or number[:3] in ("300", "301", "302", "303", "304", "305", "309")


def card():
    while True:
        number = FAKERS["en_US"].credit_card_number(pick(["visa16", "visa16", "visa13", "visa19", "mastercard", "amex", "discover", "diners", "jcb16", "jcb15"]))
        if not luhn.is_valid(number) or not issued(number):
            REFUSED["faker card: outside issued ranges (ISO/IEC 7812)"] += 1
        else:
            return number


def spaced(number, separator):
    if len(number) == 15:
        return separator.join([number[:4], number[4:10], number[10:]])
    if len(number) == 14:
        return separator.join([number[:4], number[4:10], number[10:]])
    return separator.join(number[i:i + 4] for i in range(0, len(number), 4))


def cards(n):
    for i in range(n):
        number = card()
        value = number if i % 3 == 0 or len(number) == 13 else spaced(number, " -"[i % 3 - 1])
        yield row("card", "grouped" if value != number else "whole", value, NEUTRAL + ["card {} exp 11/29", "pay with {} today"])


def iban(country):
    while True:
        if country in ("GB", "DE", "FR", "IT", "ES", "NL", "PL", "FI", "BE", "NO", "PT") and SOURCE.random() < 0.5:
            locale = {"GB": "en_GB", "DE": "de_DE", "FR": "fr_FR", "IT": "it_IT", "ES": "es_ES", "NL": "nl_NL", "PL": "pl_PL", "FI": "fi_FI",
                      "BE": "nl_BE", "NO": "no_NO", "PT": "pt_PT"}[country]
            value = FAKERS[locale].iban()
        else:
            value = str(schwifty.IBAN.random(country_code=country))
        try:
            return str(schwifty.IBAN(value))
        except schwifty.exceptions.SchwiftyException:
            REFUSED["faker or schwifty IBAN: refused by schwifty"] += 1


def ibans(n):
    countries = sorted(country for country in get_countries() if country != "GB")
    makeable = []
    for country in countries:
        try:
            schwifty.IBAN.random(country_code=country)
            makeable.append(country)
        except Exception:  # noqa: BLE001 -- schwifty knows no bank of that country, in its own ways of saying so
            REFUSED[f"schwifty IBAN: makes none for {country}"] += 1
    common = ["DE", "FR", "IT", "ES", "NL", "PL", "FI", "BE", "NO", "PT", "AT", "CH", "SE", "DK", "IE", "GB"]
    for i in range(n):
        value = iban(pick(common) if i % 3 else pick(makeable))
        form = pick(["compact", "compact", "grouped", "grouped", "lower"])
        if form == "grouped":
            value = " ".join(value[j:j + 4] for j in range(0, len(value), 4))
        elif form == "lower":
            value = value.lower()
        yield row("iban", form, value, NEUTRAL + ["IBAN {}", "transfer it to {}, please"])


def mails(n):
    for i in range(n):
        fake = FAKERS[pick(LOCALES)]
        value = pick([fake.email, fake.company_email, fake.free_email])()
        if i % 10 == 0:
            name, _, domain = value.partition("@")
            value = pick([name + "+" + pick(["news", "shop", "2026"]) + "@" + domain, name.upper() + "@" + domain, name + "@mail." + domain])
        detail = "ascii"
        if i % 20 == 5:
            detail = "top-level domain outside ASCII"
            value = value.partition("@")[0] + "@" + pick(["пример.рф", "пошта.укр", "例子.中国", "ドメイン.みんな", "δοκιμή.ελ", "例え.公司", "उदाहरण.भारत"])
        elif not value.isascii():
            detail = "domain outside ASCII"
        yield row("email", detail, value, NEUTRAL + ["mail {} now", "mailto:{}", "From: Somebody <{}>"])


def addresses(n):
    for i in range(n):
        kind = i % 4
        if kind < 2:
            value = FAKERS["en_US"].ipv4()
            if value.startswith("0."):
                value = "10" + value[1:]
            yield row("ip", "4", value, NEUTRAL[1:] + ["from {} port 22", "{}:8443", "inet {}/24", "http://{}/index.html"])
            continue
        address = ipaddress.IPv6Address(FAKERS["en_US"].ipv6())
        if i % 3 == 0:  # as providers give them out: a prefix, zeros, a short host
            address = ipaddress.IPv6Address(f"{pick(['2001:db8', '2a01:4f8', '2606:4700', 'fd12:3456', 'fe80'])}::{chars(HEX, 3)}:{chars(HEX, 4)}")
        value = address.exploded if i % 5 == 0 else str(address)
        yield row("ip", "6", value.upper() if i % 7 == 0 else value, NEUTRAL[1:] + ["from {} port 22", "[{}]:8443", "inet6 {}/64"])


def urls(n):
    fake = FAKERS["en_US"]
    for i in range(n):
        value = pick([fake.url, fake.uri, FAKERS[pick(LOCALES)].url])()
        detail = "plain"
        if i % 4 == 1:
            value, detail = value.rstrip("/") + "/" + fake.uri_path() + "?" + fake.word() + "=" + digits(3) + "&q=" + fake.word() + "#" + fake.word(), "query"
        elif i % 8 == 2:
            value, detail = pick(["ftp", "https", "http"]) + "://" + fake.domain_name() + ":" + str(SOURCE.randint(1024, 65535)) + "/", "port"
        yield row("url", detail, value, NEUTRAL + ["open {} in the browser", "[text]({})", 'href="{}"'])


def ssns(n):
    for i in range(n):
        value = until(us_ssn.is_valid, FAKERS["en_US"].ssn)
        form = i % 5
        if form == 3:
            yield row("ssn", "spaces", value.replace("-", " "), NEUTRAL + ["SSN {}"])
        elif form == 4:
            yield row("ssn", "bare, named", value.replace("-", ""), ["SSN {}", "SSN: {}", "social security number {}", '"ssn": "{}"'])
        else:
            yield row("ssn", "dashes", value, NEUTRAL + ["SSN {}", "my social is {}"])


REGIONS = ["US", "CA", "GB", "DE", "FR", "IT", "ES", "NL", "BE", "PL", "SE", "FI", "NO", "DK", "AT", "CH", "PT", "IE", "CZ", "HU", "RO", "GR", "TR",
           "UA", "IN", "BR", "AU", "NZ", "ZA", "IL", "JP", "KR", "SG", "HK", "MX", "AR", "CL", "CN", "TH", "EG"]
SAYS_PHONE = ["phone: {}", "call me at {}", "my telephone number is {}", "Tel. {}", "mobile {}", "Telefon: {}", "téléphone : {}", "teléfono {}",
              '"phone_number": "{}"', "Fax {}", "WhatsApp {}"]


def phone(region):
    kind = pick([phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE])
    example = phonenumbers.example_number_for_type(region, kind) or phonenumbers.example_number(region)
    whole = str(example.national_number)
    for _ in range(2000):
        number = phonenumbers.PhoneNumber(country_code=example.country_code, italian_leading_zero=example.italian_leading_zero,
                                          national_number=int(whole[:2] + digits(len(whole) - 2)))
        if phonenumbers.is_valid_number(number):
            return number
    return example


def phones(n):
    forms = phonenumbers.PhoneNumberFormat
    for i in range(n):
        number = phone(pick(REGIONS))
        if i % 2:
            value = phonenumbers.format_number(number, pick([forms.E164, forms.INTERNATIONAL, forms.INTERNATIONAL]))
            yield row("phone", "country code", value, NEUTRAL + SAYS_PHONE)
        else:
            yield row("phone", "national, named", phonenumbers.format_number(number, forms.NATIONAL), SAYS_PHONE)
    for i in range(n // 4):  # faker's, where libphonenumber calls them valid in their country
        locale = pick(["en_US", "en_GB", "de_DE", "fr_FR", "it_IT", "es_ES", "nl_NL", "pl_PL", "sv_SE", "pt_BR", "en_IN", "en_AU"])
        for _ in range(500):
            value = FAKERS[locale].phone_number()
            try:
                if phonenumbers.is_valid_number(phonenumbers.parse(value, locale[-2:])):
                    break
            except phonenumbers.NumberParseException:
                pass
            REFUSED["faker telephone number: refused by libphonenumber's rules"] += 1
        yield row("phone", "country code" if value.startswith("+") else "national, named", value, SAYS_PHONE)


def births(n):
    for _ in range(n):
        born = FAKERS["en_US"].date_of_birth()
        yield row("birth", "", born.strftime(pick(["%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%y", "%B %d, %Y", "%d %B %Y", "%d %b %Y"])),
                  ["born on {}", "date of birth: {}", "DOB {}", "geboren am {}", "né le {}", '"birthdate": "{}"'])


def macs(n):
    for i in range(n):
        value = FAKERS["en_US"].mac_address()
        yield row("mac", "", value if i % 3 else value.upper().replace(":", "-"), NEUTRAL + ["ether {}"])


def bics(n):
    for _ in range(n):
        code = None
        while code is None:
            code = schwifty.IBAN.random(country_code=pick(["DE", "FR", "ES", "NL", "BE", "AT", "PL", "CZ", "FI"])).bic
        yield row("bic", "", str(code), ["BIC {}", "BIC: {}", "SWIFT {}", "SWIFT/BIC: {}", '"bic": "{}"'])


BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def base58check(version):
    payload = bytes([version]) + SOURCE.randbytes(20)
    payload += hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4]
    number, text = int.from_bytes(payload, "big"), ""
    while number:
        number, rest = divmod(number, 58)
        text = BASE58[rest] + text
    return "1" * (len(payload) - len(payload.lstrip(b"\0"))) + text


def bech32():
    """BIP 173: version 0, twenty bytes."""
    bits = int.from_bytes(SOURCE.randbytes(20), "big")
    data = [0] + [(bits >> (5 * i)) & 31 for i in range(31, -1, -1)]
    check = 1
    for value in [3, 3, 0, 2, 3] + data + [0] * 6:  # "bc" expanded
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for i, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= generator if top >> i & 1 else 0
    check ^= 1
    return "bc1" + "".join(BECH32[d] for d in data + [(check >> 5 * (5 - i)) & 31 for i in range(6)])


def wallets(n):
    for i in range(n):
        value = [lambda: base58check(0), lambda: base58check(5), bech32, lambda: "0x" + chars(HEX, 40)][i % 4]()
        if i % 4 < 3 and not bitcoin.is_valid(value):
            raise SystemExit(f"generator: python-stdnum refuses the address {value}")
        yield row("wallet", ["P2PKH", "P2SH", "bech32", "Ethereum"][i % 4], value, NEUTRAL + ["send it to {}"])


def people(n):
    for maker in (cards, ibans, mails, addresses, urls, ssns, phones, births, macs, bics, wallets):
        yield from maker(n)
