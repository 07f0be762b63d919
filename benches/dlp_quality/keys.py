"""Secrets: for each kind that C2 names a random key in the form that its maker publishes (documentation, announcements of
prefixes, secret-scanning partner pages), private keys and tokens made by the libraries that make real ones, and passwords
in the places where people leave them. Written without the packs; a kind's name is what the table of misses shows.
"""

import base64
import json

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from people import FAKERS
from texts import BASE64, DIGITS, HEX, LOWER, SOURCE, UPPER, URL_SAFE, WORD, chars, digits, pick, row

# A key with a form of its own may stand anywhere.
ANYWHERE = ["token: {}", "export TOKEN={}", "curl -H 'X-Key: {}' https://example.org", "{}", '"key": "{}"', 'client = Client("{}")', "use {} until Friday",
            "| key | {} |", "--token {}"]
B32 = UPPER + "234567"


def uuid():
    return "-".join(chars(HEX, n) for n in (8, 4, 4, 4, 12))


def encoded(value):
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).rstrip(b"=").decode()


def named(*words):
    """For keys without a form: only a name beside them says what they are."""
    templates = []
    for word in words:
        upper = word.upper().replace(" ", "_")
        templates += [upper + "={}", upper.lower() + ": {}", upper.lower() + ' = "{}"', '"' + upper.lower() + '": "{}"', "export " + upper + "='{}'"]
    return templates


# kind -> (maker of the key, sentences or None)
FORMS = {
    # cloud
    "AWS access key": (lambda: pick(["AKIA", "ASIA"]) + chars(B32, 16), None),
    "AWS secret key": (lambda: chars(BASE64, 40), named("aws_secret_access_key")),
    "Azure storage key": (lambda: chars(BASE64, 86) + "==", ["DefaultEndpointsProtocol=https;AccountName=x;AccountKey={};EndpointSuffix=core.windows.net"]),
    "Azure client secret": (lambda: chars(WORD, 3) + "8Q~" + chars(WORD + "-_.~", 34), None),
    "Azure SAS": (lambda: chars(WORD, 41) + "%2B" + "%3D", ["https://x.blob.core.windows.net/c/f?sv=2024-11-04&ss=b&srt=sco&sp=rl&se=2027-01-01T00:00:00Z&sig={}"]),
    "Google API key": (lambda: "AIza" + chars(URL_SAFE, 35), None),
    "Google OAuth secret": (lambda: "GOCSPX-" + chars(URL_SAFE, 28), None),
    "Google OAuth token": (lambda: "ya29." + chars(URL_SAFE, 160), None),
    "DigitalOcean": (lambda: pick(["dop_v1_", "doo_v1_", "dor_v1_"]) + chars(HEX, 64), None),
    "Heroku": (lambda: "HRKU-AA" + chars(URL_SAFE, 58), None),
    "Cloudflare": (lambda: chars(URL_SAFE, 40), named("cloudflare_api_token")),
    "Netlify": (lambda: "nfp_" + chars(WORD, 36), None),
    "Fly.io": (lambda: "fm2_" + chars(BASE64, 180), None),
    "Doppler": (lambda: "dp.pt." + chars(WORD, 43), None),
    "Pulumi": (lambda: "pul-" + chars(HEX, 40), None),
    "Terraform Cloud": (lambda: chars(WORD, 14) + ".atlasv1." + chars(WORD, 67), None),
    "Vault": (lambda: "hvs." + chars(URL_SAFE, 92), None),
    "1Password service account": (lambda: "ops_" + encoded({"signInAddress": "example.1password.com", "secretKey": chars(B32, 34), "srpX": chars(HEX, 64), "muk": {"k": chars(URL_SAFE, 43)}, "email": chars(LOWER, 12)}), None),
    "age key": (lambda: "AGE-SECRET-KEY-1" + chars("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58), None),
    "Alibaba": (lambda: "LTAI5t" + chars(WORD, 18), None),
    "IBM Cloud": (lambda: chars(URL_SAFE, 44), named("ibmcloud_api_key")),
    # code hosting, packages
    "GitHub": (lambda: pick(["ghp_", "gho_", "ghu_", "ghs_", "ghr_"]) + chars(WORD, 36), None),
    "GitHub fine-grained": (lambda: "github_pat_" + chars(WORD, 22) + "_" + chars(WORD, 59), None),
    "GitLab": (lambda: pick(["glpat-", "gldt-", "glrt-"]) + chars(URL_SAFE, 20), None),
    "GitLab trigger": (lambda: "glptt-" + chars(HEX, 40), None),
    "Bitbucket": (lambda: "ATBB" + chars(WORD, 32), None),
    "Atlassian": (lambda: "ATATT3xFfGF0" + chars(URL_SAFE, 170) + "=" + chars("0123456789ABCDEF", 8), None),
    "42 intranet application": (lambda: "s-s4t2" + pick(["ud", "af"]) + "-" + chars(HEX, 64), None),
    "Sourcegraph": (lambda: "sgp_" + chars(HEX, 16) + "_" + chars(HEX, 40), None),
    "npm": (lambda: "npm_" + chars(WORD, 36), None),
    "PyPI": (lambda: "pypi-AgEIcHlwaS5vcmc" + chars(URL_SAFE, 150), None),
    "RubyGems": (lambda: "rubygems_" + chars(HEX, 48), None),
    "Docker Hub": (lambda: "dckr_pat_" + chars(URL_SAFE, 27), None),
    "Artifactory": (lambda: "AKCp" + chars(WORD, 69), None),
    # models
    "OpenAI": (lambda: "sk-proj-" + chars(URL_SAFE, 74) + "T3BlbkFJ" + chars(URL_SAFE, 74), None),
    "OpenAI, old": (lambda: "sk-" + chars(WORD, 20) + "T3BlbkFJ" + chars(WORD, 20), None),
    "Anthropic": (lambda: "sk-ant-api03-" + chars(URL_SAFE, 93) + "AA", None),
    "OpenRouter": (lambda: "sk-or-v1-" + chars(HEX, 64), None),
    "Hugging Face": (lambda: "hf_" + chars(UPPER + LOWER, 34), None),
    "Replicate": (lambda: "r8_" + chars(WORD, 37), None),
    "Groq": (lambda: "gsk_" + chars(WORD, 52), None),
    "xAI": (lambda: "xai-" + chars(WORD, 80), None),
    "Perplexity": (lambda: "pplx-" + chars(WORD, 48), None),
    "LangSmith": (lambda: "lsv2_pt_" + chars(HEX, 32) + "_" + chars(HEX, 10), None),
    "Databricks": (lambda: "dapi" + chars(HEX, 32), None),
    # chat, mail
    "Slack bot": (lambda: pick(["xoxb-", "xoxp-"]) + digits(12) + "-" + digits(12) + "-" + chars(WORD, 24), None),
    "Slack app": (lambda: "xapp-1-A" + chars(B32, 10) + "-" + digits(13) + "-" + chars(HEX, 64), None),
    "Slack webhook": (lambda: "https://hooks.slack.com/services/T" + chars(B32, 10) + "/B" + chars(B32, 10) + "/" + chars(WORD, 24), None),
    "Discord bot": (lambda: "MT" + chars(WORD, 24) + "." + chars(URL_SAFE, 6) + "." + chars(URL_SAFE, 38), named("discord_bot_token")),
    "Discord webhook": (lambda: "https://discord.com/api/webhooks/" + digits(18) + "/" + chars(URL_SAFE, 68), None),
    "Telegram": (lambda: digits(10) + ":AA" + chars(URL_SAFE, 33), None),
    "Teams webhook": (lambda: "https://" + chars(LOWER, 8) + ".webhook.office.com/webhookb2/" + uuid() + "@" + uuid() + "/IncomingWebhook/" + chars(HEX, 32) + "/" + uuid(), None),
    "SendGrid": (lambda: "SG." + chars(URL_SAFE, 22) + "." + chars(URL_SAFE, 43), None),
    "Mailgun": (lambda: "key-" + chars(HEX, 32), named("mailgun_api_key")),
    "Mailchimp": (lambda: chars(HEX, 32) + "-us" + str(SOURCE.randint(1, 21)), None),
    "Brevo": (lambda: "xkeysib-" + chars(HEX, 64) + "-" + chars(WORD, 16), None),
    "Resend": (lambda: "re_" + chars(WORD, 8) + "_" + chars(WORD, 24), None),
    "Twilio": (lambda: "SK" + chars(HEX, 32), named("twilio_api_key")),
    "Twilio auth token": (lambda: chars(HEX, 32), named("twilio_auth_token")),
    "Postmark": (uuid, named("postmark_server_token")),
    # payment, shops
    "Stripe": (lambda: pick(["sk_live_", "rk_live_", "sk_test_"]) + chars(WORD, pick([24, 99])), None),
    "Stripe webhook": (lambda: "whsec_" + chars(WORD, 32), None),
    "PayPal/Braintree": (lambda: "access_token$production$" + chars(LOWER + DIGITS, 16) + "$" + chars(HEX, 32), None),
    "Square": (lambda: "sq0atp-" + chars(URL_SAFE, 22), None),
    "Square access token": (lambda: "EAAA" + chars(URL_SAFE, 60), None),
    "Shopify": (lambda: pick(["shpat_", "shpss_", "shpca_"]) + chars(HEX, 32), None),
    "Razorpay": (lambda: "rzp_live_" + chars(WORD, 14), None),
    "Plaid": (lambda: "access-production-" + uuid(), None),
    "Flutterwave": (lambda: "FLWSECK-" + chars(HEX, 32) + "-X", None),
    "EasyPost": (lambda: "EZAK" + chars(WORD, 54), None),
    "Shippo": (lambda: "shippo_live_" + chars(HEX, 40), None),
    # observability, delivery
    "Datadog": (lambda: chars(HEX, 32), named("datadog_api_key", "dd_api_key")),
    "New Relic": (lambda: "NRAK-" + chars(UPPER + DIGITS, 27), None),
    "Grafana": (lambda: "glsa_" + chars(WORD, 32) + "_" + chars(HEX, 8), None),
    "Grafana Cloud": (lambda: "glc_" + encoded({"o": digits(6), "n": "stack-" + digits(6), "k": chars(WORD, 24), "m": {"r": "us"}}), None),
    "Sentry": (lambda: "sntryu_" + chars(HEX, 64), None),
    "Sentry organisation": (lambda: "sntrys_" + encoded({"iat": 1700000000.5, "url": "https://sentry.io", "region_url": "https://us.sentry.io", "org": "x"}) + "_" + chars(BASE64, 43), None),
    "Dynatrace": (lambda: "dt0c01." + chars(B32, 24) + "." + chars(B32, 64), None),
    "Snyk": (uuid, named("snyk_token")),
    "SonarQube": (lambda: "squ_" + chars(HEX, 40), None),
    "CircleCI": (lambda: "CCIPAT_" + chars(WORD, 22) + "_" + chars(HEX, 40), None),
    "Buildkite": (lambda: "bkua_" + chars(HEX, 40), None),
    "Postman": (lambda: "PMAK-" + chars(HEX, 24) + "-" + chars(HEX, 34), None),
    "ReadMe": (lambda: "rdme_" + chars(LOWER + DIGITS, 70), None),
    "LaunchDarkly": (lambda: "sdk-" + uuid(), None),
    "Octopus Deploy": (lambda: "API-" + chars(UPPER + DIGITS, 26), None),
    "Tailscale": (lambda: "tskey-auth-" + chars(WORD, 16) + "-" + chars(WORD, 32), None),
    # databases, tools
    "PlanetScale": (lambda: "pscale_tkn_" + chars(URL_SAFE, 43), None),
    "Supabase": (lambda: "sbp_" + chars(HEX, 40), None),
    "Airtable": (lambda: "pat" + chars(WORD, 14) + "." + chars(HEX, 64), None),
    "Notion": (lambda: "ntn_" + digits(11) + chars(WORD, 35), None),
    "Linear": (lambda: "lin_api_" + chars(WORD, 40), None),
    "Figma": (lambda: "figd_" + chars(URL_SAFE, 40), None),
    "Dropbox": (lambda: "sl." + chars(URL_SAFE, 140), None),
    "HubSpot": (lambda: "pat-na1-" + uuid(), None),
    "Okta": (lambda: "00" + chars(URL_SAFE, 40), named("okta_api_token")),
    "Contentful": (lambda: "CFPAT-" + chars(URL_SAFE, 43), None),
    "Mapbox": (lambda: "sk.eyJ" + encoded({"u": chars(LOWER, 8), "a": chars(LOWER, 24)})[3:] + "." + chars(URL_SAFE, 22), None),
    "Prefect": (lambda: "pnu_" + chars(LOWER + DIGITS, 36), None),
    "Typeform": (lambda: "tfp_" + chars(URL_SAFE, 44) + "_" + chars(WORD, 14), None),
    "Duffel": (lambda: "duffel_live_" + chars(URL_SAFE, 43), None),
    "Facebook": (lambda: "EAAB" + chars(WORD, 170), None),
    "Asana": (lambda: digits(1) + "/" + digits(16) + ":" + chars(HEX, 32), named("asana_access_token")),
    # standards
    "JWT": (lambda: jwt.encode({"sub": digits(8), "name": FAKERS["en_US"].name(), "iat": 1700000000}, chars(WORD, 40), algorithm="HS256"), None),
    "bearer token": (lambda: chars(URL_SAFE, 43), ["Authorization: Bearer {}", "curl -H 'Authorization: Bearer {}' https://example.org"]),
    "basic credentials": (lambda: base64.b64encode((FAKERS["en_US"].user_name() + ":" + chars(WORD, 12)).encode()).decode(), ["Authorization: Basic {}", "-H \"Authorization: Basic {}\""]),
    "PGP private key": (lambda: "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n" + "\n".join(chars(BASE64, 64) for _ in range(10)) + "\n=" + chars(BASE64, 4) + "\n-----END PGP PRIVATE KEY BLOCK-----", None),
    "PuTTY key": (lambda: "\n".join(chars(BASE64, 64) for _ in range(4)), ["PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nPrivate-Lines: 4\n{}\nPrivate-MAC: 00"]),
    # databases and addresses with credentials
    "database URL": (lambda: password(), [scheme + "://app:{}@db.internal:5432/main" for scheme in ("postgres", "postgresql", "mysql", "mongodb", "mongodb+srv", "redis", "amqp", "mssql")]),
    "URL with credentials": (lambda: chars(WORD, 14), ["https://deploy:{}@git.example.org/x.git", "ftp://upload:{}@files.example.org/", "http://admin:{}@10.0.0.5:8080/"]),
    "ADO connection string": (lambda: password(), ["Server=tcp:db.example.org,1433;Database=app;User Id=sa;Password={};Encrypt=True;", "Data Source=db;Initial Catalog=app;uid=app;pwd={};"]),
    "JDBC connection string": (lambda: chars(WORD, 14), ["jdbc:postgresql://db:5432/app?user=app&password={}", "jdbc:mysql://db/app?user=root&password={}&useSSL=true"]),
    "netrc": (lambda: password(), ["machine api.example.org login bob password {}"]),
    "authorization header": (lambda: chars(WORD, 40), ["Authorization: Token {}", "Authorization: ApiKey {}", "-H 'Authorization: {}'"]),
    "key as user": (lambda: chars(WORD, 24), ["curl -u {}: https://example.org/v1/items", "curl https://example.org/v1 -u \"{}:\""]),
    "Facebook app token": (lambda: digits(16) + "|" + chars(URL_SAFE, 27), ["facebook access token {}", "https://graph.facebook.com/v19.0/me?access_token={}"]),
    "curl -u": (lambda: chars(WORD, 12), ["curl -u admin:{} https://example.org/api", "curl --user \"bob:{}\" https://example.org"]),
    # assignments
    "password, quoted": (lambda: password(), ["db_password = \"{}\"", "'password': '{}'", "const dbPassword = \"{}\";", "String password = \"{}\";", '"password": "{}"', "spring.datasource.password=\"{}\"", "PASSWORD: '{}'"]),
    "API key, assigned": (lambda: chars(WORD, SOURCE.randint(24, 40)), ["API_KEY={}", "api_key: \"{}\"", "export SERVICE_TOKEN={}", "apiKey: '{}',", "x-api-key: {}", "SECRET_KEY = '{}'", "app.secret={}", "client_secret={}"]),
    "hexadecimal secret": (lambda: chars(HEX, pick([32, 40, 64])), ["secret_key: {}", "auth_token = \"{}\"", "SESSION_SECRET={}", "encryption_key: '{}'"]),
    "XML password": (lambda: password(), ["<password>{}</password>", "<add key=\"ApiSecret\" value=\"{}\" />"]),
    "command line": (lambda: chars(WORD, 16), ["mysql -h db --password={} app", "app --api-key {} run", "docker login -u bob --password {} registry.example.org"]),
    "SQL": (lambda: password(), ["CREATE USER bob IDENTIFIED BY '{}';", "ALTER ROLE app WITH PASSWORD '{}';"]),
}


def password():
    """As a password manager makes it: letters and digits, marks that do not end a string."""
    value = FAKERS["en_US"].password(length=SOURCE.randint(12, 20), special_chars=False)
    at = SOURCE.randrange(4, len(value))
    return value[:at] + pick("!#-_.~") + value[at:]


def private_keys():
    plain = serialization.NoEncryption()
    locked = serialization.BestAvailableEncryption(b"correct horse")
    formats = serialization.PrivateFormat
    pem = serialization.Encoding.PEM
    rsa_key = rsa.generate_private_key(65537, 2048)
    keys = {"RSA key": rsa_key.private_bytes(pem, formats.TraditionalOpenSSL, plain),
            "PKCS 8 key": rsa_key.private_bytes(pem, formats.PKCS8, plain),
            "encrypted key": rsa_key.private_bytes(pem, formats.PKCS8, locked),
            "EC key": ec.generate_private_key(ec.SECP256R1()).private_bytes(pem, formats.TraditionalOpenSSL, plain),
            "SSH key": ed25519.Ed25519PrivateKey.generate().private_bytes(pem, formats.OpenSSH, plain)}
    return {name: key.decode().strip() for name, key in keys.items()}


def secrets(n):
    each = max(12, -(-n // len(FORMS)))
    for name, (make, templates) in FORMS.items():
        for _ in range(each):
            yield row("secret", name, make(), templates or ANYWHERE)
    for _ in range(3):
        for name, key in private_keys().items():
            for templates in (["{}"], ["key = '''{}'''"], ["here it is:\n{}\nthanks"]):
                yield row("secret", name, key, templates)
            yield row("secret", name + " in a string", key.replace("\n", "\\n"), ['{"private_key": "{}\\n"}'])
