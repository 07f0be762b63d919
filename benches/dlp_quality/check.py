"""Says of values, read as JSON from standard input, whether an independent library accepts them as what they were found to be:
true, false, or null where there is none. Runs in the generators' environment.
"""

import ipaddress
import json
import re
import sys
import urllib.parse

import phonenumbers
import schwifty
from email_validator import EmailNotValidError, validate_email
from stdnum import bitcoin, luhn
from stdnum.us import ssn


def mail(value):
    try:
        validate_email(value, check_deliverability=False, test_environment=True)
        return True
    except EmailNotValidError as error:
        # Names that RFC 6761 reserves stand in examples everywhere; their form is right.
        return "special-use" in str(error)


def card(value):
    digits = re.sub(r"\D", "", value)
    return 12 <= len(digits) <= 19 and luhn.is_valid(digits)


def address(value):
    try:
        return not ipaddress.ip_address(value.strip("[]")).is_unspecified
    except ValueError:
        return False


def url(value):
    value = value.replace("\\/", "/")  # as JSON writes it; the finding lies in the escaped text
    try:
        parts = urllib.parse.urlsplit(value if "://" in value else "http://" + value)
        return bool(parts.hostname) and (parts.port or 0) >= 0 and ("." in parts.hostname or ":" in parts.hostname or parts.hostname == "localhost")
    except ValueError:
        return False


def phone(value):
    for region in (None,) if value.startswith("+") else ("US", "GB", "DE", "FR", "IN"):
        try:
            if phonenumbers.is_valid_number(phonenumbers.parse(value, region)):
                return True
        except phonenumbers.NumberParseException:
            pass
    return False


CHECKS = {"card": card, "email": mail, "ip": address, "url": url, "phone": phone, "ssn": ssn.is_valid,
          "iban": lambda value: schwifty.IBAN(value, allow_invalid=True).is_valid,
          "bic": lambda value: schwifty.BIC(value, allow_invalid=True).is_valid,
          "mac": lambda value: re.fullmatch(r"[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}", value) is not None,
          "wallet": lambda value: bitcoin.is_valid(value) or re.fullmatch(r"0x[0-9A-Fa-f]{40}", value) is not None}

json.dump([CHECKS[q["kind"]](q["value"]) if q["kind"] in CHECKS else None for q in json.load(sys.stdin)], sys.stdout)
