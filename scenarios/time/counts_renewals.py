"""A client with boto3 that counts what is renewed around it: the token file it was given, and the credentials it works with.

One session from first to last, which finds and renews its credentials by itself. Every turn it asks STS who it is, then
sleeps. The lengths of the sleeps, in hours, are its arguments.
"""

import os
import sys
import time

import boto3

TOKEN_FILE = os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]
session = boto3.Session()
sts = session.client("sts", region_name="us-east-1")
tokens, keys = [], []


def note(known, what):
    """How many there have been, this one counted in."""
    if what not in known:
        known.append(what)
    return len(known)


for number, hours in enumerate(["0", *sys.argv[1:]], start=1):
    time.sleep(float(hours) * 3600)
    role = sts.get_caller_identity()["Arn"].split("/")[1]
    with open(TOKEN_FILE, encoding="utf-8") as file:
        token = note(tokens, file.read())
    key = note(keys, session.get_credentials().get_frozen_credentials().access_key)
    print(f"turn {number}: {role}, token {token}, credentials {key}", flush=True)
