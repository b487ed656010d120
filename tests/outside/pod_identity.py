"""The whole chain, seen from outside: boto3 and the AWS CLI against a running `emu up`, with the variables of `emu env` only.

Environment: EMU_BIN, EMU_ADDR, what `emu env` prints, and this Python's `aws` first in PATH. Prints a line a check.
"""

import datetime
import hashlib
import hmac
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile

import boto3
from botocore.exceptions import ClientError

EMU = os.environ["EMU_BIN"]
ADDRESS = os.environ["EMU_ADDR"]
ROLE = "arn:aws:iam::000000000000:role/app"
SESSION = r"arn:aws:sts::000000000000:assumed-role/app/eks-shop-clust-api-[0-9a-z]+-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def check(name, held, seen=""):
    if not held:
        print(f"FAIL  {name}\n      {seen}", flush=True)
        sys.exit(1)
    print(f"ok    {name}", flush=True)


def equal(name, found, expected):
    check(name, found == expected, f"found {found!r}, expected {expected!r}")


def like(name, found, pattern):
    check(name, re.search(pattern, found), f"found {found!r}, expected something like {pattern!r}")


def refused(call, **parameters):
    """The code and message of the error that a call must end with."""
    try:
        answer = call(**parameters)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    return "nothing", f"it was answered: {answer}"


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def output(*command):
    done = run(*command)
    check(" ".join(command[:5]), done.returncode == 0, done.stderr)
    return done.stdout


def in_pod(*command):
    return run(EMU, "exec", "shop/api", "--", *command)


def signed(service, body=b"", method="POST", path="/", key="test", secret="test", token=None, late=0, spoil=False):
    """A request signed by hand, so that it can be signed wrongly. Gives the status and the body."""
    when = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=late)
    date, day = when.strftime("%Y%m%dT%H%M%SZ"), when.strftime("%Y%m%d")
    digest = hashlib.sha256(body).hexdigest()
    headers = {"host": ADDRESS, "x-amz-content-sha256": digest, "x-amz-date": date}
    if service != "s3":
        headers["content-type"] = "application/x-www-form-urlencoded"
    if token:
        headers["x-amz-security-token"] = token
    names = ";".join(sorted(headers))
    canonical = "\n".join([method, path, "", *(f"{n}:{headers[n]}" for n in sorted(headers)), "", names, digest])
    scope = f"{day}/us-east-1/{service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", date, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    mac = b"AWS4" + secret.encode()
    for part in [day, "us-east-1", service, "aws4_request", text]:
        mac = hmac.new(mac, part.encode(), hashlib.sha256).digest()
    signature = mac.hex() if not spoil else mac.hex()[::-1]
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    connection = http.client.HTTPConnection(ADDRESS, timeout=30)
    try:
        connection.request(method, path, body, headers)
    except (BrokenPipeError, ConnectionResetError):
        pass  # Refused before all of it was sent; the answer is there nevertheless.
    answer = connection.getresponse()
    found = answer.status, answer.read().decode()
    connection.close()
    return found


WHO = b"Action=GetCallerIdentity&Version=2011-06-15"


def build():
    """The administrator's part, half by boto3 and half by the AWS CLI."""
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "pods.eks.amazonaws.com"},
                "Action": ["sts:AssumeRole", "sts:TagSession"],
            }
        ],
    }
    permissions = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::invoices"}],
    }
    iam = boto3.client("iam")
    role = iam.create_role(RoleName="app", AssumeRolePolicyDocument=json.dumps(trust))
    equal("boto3 creates the role", role["Role"]["Arn"], ROLE)
    iam.put_role_policy(RoleName="app", PolicyName="list", PolicyDocument=json.dumps(permissions))
    code, message = refused(iam.create_role, RoleName="broken", AssumeRolePolicyDocument="not JSON")
    equal("a trust policy that is not JSON", code, "MalformedPolicyDocument")

    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="invoices")
    s3.put_object(Bucket="invoices", Key="october.pdf", Body=b"october")

    created = json.loads(
        output(
            "aws", "eks", "create-cluster", "--name", "shop-cluster", "--role-arn", ROLE,
            "--resources-vpc-config", "subnetIds=subnet-1,subnet-2",
        )
    )
    equal("the AWS CLI creates the cluster", created["cluster"]["name"], "shop-cluster")
    output("aws", "eks", "wait", "cluster-active", "--name", "shop-cluster")
    associated = json.loads(
        output(
            "aws", "eks", "create-pod-identity-association", "--cluster-name", "shop-cluster",
            "--namespace", "shop", "--service-account", "api", "--role-arn", ROLE,
        )
    )
    like("the AWS CLI creates the association", associated["association"]["associationId"], r"^a-[0-9a-z]{17}$")


def visit():
    """The pod's part, with the role's credentials."""
    listed = in_pod("aws", "s3", "ls", "s3://invoices")
    like("a pod lists the bucket", listed.stdout + listed.stderr, r"7 october\.pdf")
    me = in_pod("aws", "sts", "get-caller-identity", "--query", "Arn", "--output", "text")
    like("a pod is the role's session", me.stdout.strip() + me.stderr, f"^{SESSION}$")
    sdk = in_pod(sys.executable, "-c", "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])")
    like("so it is through boto3", sdk.stdout.strip() + sdk.stderr, f"^{SESSION}$")
    denied = in_pod("aws", "s3api", "put-object", "--bucket", "invoices", "--key", "x")
    check("what the role lacks fails", denied.returncode != 0, denied.stdout)
    like(
        "and is denied in AWS's words",
        denied.stderr,
        r"An error occurred \(AccessDenied\) when calling the PutObject operation: User: " + SESSION
        + r" is not authorized to perform: s3:PutObject on resource: \"arn:aws:s3:::invoices/x\" because no"
        r" identity-based policy allows the s3:PutObject action",
    )


def large():
    with tempfile.NamedTemporaryFile() as file:
        file.write(bytes(20_000_000))
        file.flush()
        output("aws", "s3", "cp", "--no-progress", file.name, "s3://invoices/large")
    head = boto3.client("s3").head_object(Bucket="invoices", Key="large")
    equal("20 MB arrive", head["ContentLength"], 20_000_000)


def lives():
    status, body = signed("sts", WHO)
    check("  the server lives on", status == 200 and "<Arn>" in body, f"{status} {body}")


def bad_requests():
    equal("signed rightly by hand", signed("sts", WHO)[0], 200)
    for service, body, method in [("sts", WHO, "POST"), ("s3", b"", "GET")]:
        status, text = signed(service, body, method, spoil=True)
        check(f"a broken signature, {service}", status == 403 and "<Code>SignatureDoesNotMatch</Code>" in text, f"{status} {text}")
        lives()
    status, text = signed("sts", WHO, key="ASIAAAAAAAAAAAAAAAAA", secret="x", token="x")
    check("a key that nobody has", status == 403 and "<Code>InvalidClientTokenId</Code>" in text, f"{status} {text}")
    lives()
    status, text = signed("sts", WHO, late=-1200)
    check("a date 20 minutes ago, STS", status == 403 and "<Code>SignatureDoesNotMatch</Code>" in text, f"{status} {text}")
    like("  in AWS's words", text, r"Signature expired: \d{8}T\d{6}Z is now earlier than \d{8}T\d{6}Z \(\d{8}T\d{6}Z - 15 min\.\)")
    lives()
    status, text = signed("s3", method="GET", late=1200)
    check("a date in 20 minutes, S3", status == 403 and "<Code>RequestTimeTooSkewed</Code>" in text, f"{status} {text}")
    like("  in AWS's words", text, "The difference between the request time and the current time is too large.")
    lives()
    status, text = signed("sts", WHO + b"&Padding=" + b"x" * 20_000_000)
    # A snapshot of the real service: 413 and nothing else.
    equal("20 MB to STS", (status, text), (413, ""))
    lives()


def expired():
    program = (
        "import boto3, json; c = boto3.Session().get_credentials().get_frozen_credentials();"
        "print(json.dumps([c.access_key, c.secret_key, c.token]))"
    )
    key, secret, token = json.loads(in_pod(sys.executable, "-c", program).stdout)
    who = {"key": key, "secret": secret, "token": token}
    equal("credentials carried out of the pod work", signed("sts", WHO, **who)[0], 200)
    output(EMU, "clock", "advance", "7h")
    late = 7 * 3600
    status, text = signed("sts", WHO, late=late, **who)
    check("seven hours later they have expired, STS", status == 403 and "<Code>ExpiredToken</Code>" in text, f"{status} {text}")
    status, text = signed("s3", method="GET", path="/invoices", late=late, **who)
    check("and for S3", status == 400 and "<Code>ExpiredToken</Code>" in text, f"{status} {text}")
    status, text = signed("sts", WHO, late=late)
    check("  the server lives on", status == 200, f"{status} {text}")


for part in [build, visit, large, bad_requests, expired]:
    part()
