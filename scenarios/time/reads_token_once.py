"""A client as some people write it: it reads its token once, when it starts, and keeps it.

Only the standard library. Every turn it asks the agent for credentials and STS who it is, then sleeps. The lengths of the
sleeps, in hours, are its arguments.
"""

import datetime
import hashlib
import hmac
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

REGION = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
with open(os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"], encoding="utf-8") as file:
    TOKEN = file.read()


def ask(url, headers, body=None):
    """Status and text of the answer, whatever it is."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def sign(keys, service, url, body):
    """The headers of a request signed with Signature Version 4."""
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{now[:8]}/{REGION}/{service}/aws4_request"
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "host": urllib.parse.urlsplit(url).netloc,
        "x-amz-date": now,
        "x-amz-security-token": keys["Token"],
    }
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    request = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = ("AWS4" + keys["SecretAccessKey"]).encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.new(key, text.encode(), "sha256").hexdigest()
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={keys['AccessKeyId']}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return headers


def turn(number):
    """One turn; whether it went well."""
    status, text = ask(os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"], {"Authorization": TOKEN})
    if status != 200:
        print(f"turn {number}: {status} {text.strip()}", flush=True)
        return False
    url = os.environ["AWS_ENDPOINT_URL"].rstrip("/") + "/"
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    status, text = ask(url, sign(json.loads(text), "sts", url, body), body)
    arn = text.partition("<Arn>")[2].partition("</Arn>")[0]
    print(f"turn {number}: {status} {arn or text}", flush=True)
    return status == 200


number = 1
well = turn(number)
for hours in sys.argv[1:]:
    time.sleep(float(hours) * 3600)
    number += 1
    well = turn(number)
sys.exit(0 if well else 1)
