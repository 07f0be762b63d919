"""Values that look like something and are nothing: what precision on the generated set is measured against, beside all other
classes' texts. Wrong check digits, numbers of orders and parts, hashes, versions, times, placeholders.
"""

from stdnum import luhn

from people import FAKERS, card, iban, spaced
from texts import BASE64, HEX, LOWER, NEUTRAL, SOURCE, UPPER, URL_SAFE, WORD, chars, digits, pick, row


def changed(value):
    """One digit becomes another: Luhn and modulo 97 notice every one."""
    places = [i for i, c in enumerate(value) if c.isdigit() and i > 3]
    at = pick(places)
    return value[:at] + pick([d for d in "0123456789" if d != value[at]]) + value[at + 1:]


def bare(n):
    """Digits that are no card by Luhn's check."""
    while True:
        number = pick("123456789") + digits(n - 1)
        if not luhn.is_valid(number):
            return number


VALUES = {
    "card, one digit changed": lambda: spaced(changed(card()), pick(["", " ", "-"])),
    "IBAN, one digit changed": lambda: changed(iban("DE")),
    "order number": lambda: pick(["ORD-", "A", "#", "INV-2026-", "PO "]) + digits(pick([6, 7, 8])),
    "long number": lambda: bare(pick([13, 14, 16, 17, 18])),
    "ISBN": lambda: FAKERS["en_US"].isbn13(),
    "EAN": lambda: FAKERS["en_US"].ean13(),
    "UUID": lambda: FAKERS["en_US"].uuid4(),
    "SHA-1": lambda: chars(HEX, 40),
    "SHA-256": lambda: chars(HEX, 64),
    "MD5": lambda: chars(HEX, 32),
    "time stamp": lambda: FAKERS["en_US"].date_time().strftime(pick(["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S+01:00", "%d/%b/%Y:%H:%M:%S +0000", "%Y%m%d%H%M%S", "%H:%M:%S"])),
    "milliseconds since 1970": lambda: str(SOURCE.randint(1_600_000_000_000, 1_800_000_000_000)),
    "version": lambda: pick(["v", "version "]) + ".".join(str(SOURCE.randint(0, 40)) for _ in range(3)),
    "SSN form that is never issued": lambda: pick(["000", "666"]) + "-" + digits(2) + "-" + digits(4),
    "four numbers, one above 255": lambda: f"{SOURCE.randint(256, 999)}.{SOURCE.randint(0, 255)}.{SOURCE.randint(0, 255)}.{SOURCE.randint(0, 255)}",
    "host without a domain": lambda: FAKERS["en_US"].user_name() + "@localhost",
    "decorator": lambda: "@" + FAKERS["en_US"].word() + "." + FAKERS["en_US"].word(),
    "price": lambda: f"{SOURCE.randint(1, 99)},{digits(3)}.{digits(2)} USD",
    "floating-point number": lambda: f"{SOURCE.random():.16f}",
    "coordinates": lambda: f"{SOURCE.uniform(-90, 90):.6f}, {SOURCE.uniform(-180, 180):.6f}",
    "scoped name": lambda: pick(["std::", "Foo::", "a::"]) + FAKERS["en_US"].word(),
    "integrity of a package": lambda: "sha512-" + chars(BASE64, 86) + "==",
    "reference to a secret": lambda: pick(["password: ${DB_PASSWORD}", "api_key = os.environ['API_KEY']", "token: <your-token-here>", "SECRET_KEY=changeme",
                                           "password=getPassword()", "auth_token: str", "passwd = None", "client_secret: {{ vault.client_secret }}",
                                           "api_key=YOUR_API_KEY", "password: xxxxxxxxxxxx", "token = request.headers.get('x-token')"]),
    "token of a form": lambda: pick(["csrf-token=", "csrf_token: ", "authenticity_token="]) + chars(WORD, 40),
    "key of a table": lambda: pick(["primary_key", "sort_key", "bucket_key", "cache_key"]) + ' = "' + FAKERS["en_US"].word() + "-" + digits(3) + '"',
    "masked token": lambda: pick(["token = \"", "api_key=\""]) + chars(WORD, 4) + "*" * 16 + '"',
    "name of a secret": lambda: pick(["secret", "token", "password", "api_key"]) + "_name = \"" + "_".join(FAKERS["en_US"].words(3)) + "\"",
    "key form with a placeholder": lambda: pick(["ghp_" + "x" * 36, "sk_live_" + "0" * 24, "AKIAIOSFODNN7EXAMPLE", "glpat-" + "x" * 20, "xoxb-your-token-here"]),
    "public key": lambda: "-----BEGIN PUBLIC KEY-----\n" + chars(BASE64, 64) + "\n-----END PUBLIC KEY-----",
    "file name": lambda: chars(LOWER, 8) + "-" + chars(HEX, 8) + pick([".js", ".css", ".tar.gz", "@2x.png"]),
    "identifier": lambda: pick(["id", "trace_id", "request_id", "etag"]) + "=" + chars(HEX, pick([16, 32])),
    "part number": lambda: chars(UPPER, 3) + "-" + digits(5) + "-" + chars(UPPER, 1),
    "session in an address": lambda: "?v=" + chars(URL_SAFE, 11) + "&t=" + digits(3),
    "camel case": lambda: "".join(word.title() for word in FAKERS["en_US"].words(4)) + pick(["Token", "Secret", "Key"]),
    "image": lambda: "data:image/png;base64,iVBORw0KGgo" + chars(WORD, 40),
    "sentence": lambda: FAKERS[pick(["en_US", "de_DE", "fr_FR", "es_ES"])].sentence(14),
}


def nothing(n):
    each = max(1, 8 * n // len(VALUES))
    for name, make in VALUES.items():
        for _ in range(each):
            yield row("none", name, make(), NEUTRAL)
