#!/usr/bin/env python3
"""Stands in for Amazon's agent: binds what it binds, asks instance metadata for keys and EKS Auth for credentials."""
import json, os, socket, sys, threading, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

if sys.argv[1] == "version":
    print("Amazon EKS Pod Identity Agent 0.0.0")
    sys.exit()
flags = dict(zip(sys.argv[2::2], sys.argv[3::2]))
hosts = [v for k, v in zip(sys.argv[2::2], sys.argv[3::2]) if k == "--bind-hosts"]
hosts = hosts or ["169.254.170.23", "[fd00:ec2::23]"]
port = int(flags["--port"])


def log(level, msg):
    print(json.dumps({"level": level, "msg": msg}), flush=True)


def ask(url, method="GET", headers={}, body=None):
    request = urllib.request.Request(url, method=method, headers=headers, data=body)
    return urllib.request.urlopen(request, timeout=5).read().decode()


def role():
    if "AWS_ACCESS_KEY_ID" in os.environ:
        return os.environ["AWS_ACCESS_KEY_ID"]
    base = "http://169.254.169.254/latest/"
    token = ask(base + "api/token", "PUT", {"X-aws-ec2-metadata-token-ttl-seconds": "60"})
    got = {"X-aws-ec2-metadata-token": token}
    path = base + "meta-data/iam/security-credentials/"
    return json.loads(ask(path + ask(path, headers=got), headers=got))["AccessKeyId"]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/die":
            log("fatal", "last words")
            os._exit(1)
        if self.path != "/v1/credentials":
            return self.answer(404, "404 page not found\n", "text/plain; charset=utf-8")
        key = role()
        url = os.environ["AWS_ENDPOINT_URL_EKS_AUTH"]
        try:
            got = ask(f"{url}/clusters/{flags['--cluster-name']}/assume-role-for-pod-identity", "POST", {}, b"{}")
        except OSError as e:
            return self.answer(500, str(e), "text/plain; charset=utf-8")
        got = json.loads(got)["credentials"]
        log("info", f"answered with the keys of {key}")
        self.answer(200, json.dumps({"AccessKeyId": got["accessKeyId"]}), "application/json")

    def answer(self, status, text, kind):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


class V6(ThreadingHTTPServer):
    address_family = socket.AF_INET6


for host in hosts:
    kind = V6 if host.startswith("[") else ThreadingHTTPServer
    try:
        server = kind((host.strip("[]"), port), Handler)
    except OSError:
        log("fatal", f"Unable to start server: listen tcp {host}:{port}: bind: cannot assign requested address")
        os._exit(1)
    threading.Thread(target=server.serve_forever).start()
