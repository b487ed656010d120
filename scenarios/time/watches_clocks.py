"""A client that tells what its clocks show and what the agent says, then sleeps. The lengths of the sleeps, in hours, are its
arguments."""

import os
import sys
import time
import urllib.error
import urllib.request

WALL, MONOTONIC = time.time(), time.monotonic()


def agent():
    """The agent's status, and its words if it refuses."""
    with open(os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"], encoding="utf-8") as file:
        headers = {"Authorization": file.read()}
    request = urllib.request.Request(os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"], headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return str(answer.status)
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.read().decode().strip()}"


for number, hours in enumerate(["0", *sys.argv[1:]], start=1):
    time.sleep(float(hours) * 3600)
    monotonic, wall = ((now - then) / 3600 for now, then in [(time.monotonic(), MONOTONIC), (time.time(), WALL)])
    print(f"turn {number}: monotonic {monotonic:+.1f} h, wall {wall:+.1f} h, agent {agent()}", flush=True)
