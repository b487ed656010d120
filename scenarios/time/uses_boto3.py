"""A client with boto3, which finds its credentials by itself and renews them.

Every turn it asks STS who it is, with one session from first to last, then sleeps. The lengths of the sleeps, in hours, are
its arguments.
"""

import sys
import time

import boto3

sts = boto3.Session().client("sts", region_name="us-east-1")


def turn(number):
    """One turn."""
    print(f"turn {number}: {sts.get_caller_identity()['Arn']}", flush=True)


turn(1)
for number, hours in enumerate(sys.argv[1:], start=2):
    time.sleep(float(hours) * 3600)
    turn(number)
