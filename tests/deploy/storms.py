#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""storms.py SLIPWAY: deployments through an AWS that throttles, loses answers, resets connections and lets keys expire end well and are issued
once (F28, F4); runs cancelled in each of their phases end soon and whole (F24). See shop.py for what it needs."""
import http.client
import http.server
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import boto3
from shop import Shop, get, wait_for

SEED = int(os.environ.get("SEED", "28"))


class Proxy:
    """In front of the local AWS; `weather(operation)` says what becomes of a call: None, a status and an error code, "lost" (done, but the
    answer is not sent), "reset" (not done)."""

    def __init__(self, target):
        self.weather, self.done, self.lock = (lambda operation: None), [], threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                operation = self.headers.get("x-amz-target", "").rpartition(".")[2]
                if self.command == "PUT" and "/manifests/" in self.path:
                    operation = "PutImage"
                with outer.lock:
                    weather = outer.weather(operation)
                if isinstance(weather, tuple):
                    text = json.dumps({"__type": weather[1], "message": "weather"}).encode()
                    return self.reply(weather[0], text, {"content-type": "application/x-amz-json-1.1"})
                if weather != "reset":
                    connection = http.client.HTTPConnection(*target, timeout=60)
                    connection.request(self.command, self.path, body, dict(self.headers.items()))  # the Host header is signed
                    answer = connection.getresponse()
                    text = answer.read()
                    with outer.lock:
                        outer.done.append((operation, answer.status))
                if weather in ("reset", "lost"):
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.close_connection = True
                    return None
                return self.reply(answer.status, text, {k: v for k, v in answer.headers.items() if k.lower() not in ("transfer-encoding", "connection")})

            do_PUT = do_PATCH = do_GET = do_HEAD = do_POST

            def reply(self, status, text, headers):
                self.send_response(status)
                for name, value in {"content-length": str(len(text)), **{k.lower(): v for k, v in headers.items()}}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # a client that was killed
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def storm(rng):
    kinds = [None, None, (429, "ThrottlingException"), (503, "ServiceUnavailable"), (400, "ThrottlingException"), "reset"]
    return lambda operation: rng.choice(kinds if operation not in ("UpdateService", "RegisterTaskDefinition") else kinds[:-1])


def first_of(operations, weather):
    """The first call of each of these meets this weather, all others none."""
    left = set(operations)

    def of(operation):
        if operation in left:
            left.discard(operation)
            return weather
        return None
    return of


def profile(keys):
    return f"[default]\naws_access_key_id = {keys['AccessKeyId']}\naws_secret_access_key = {keys['SecretAccessKey']}\naws_session_token = {keys['SessionToken']}\n"


def pushed(shop, proxy, ecr, weather, name):
    """An image goes up to a repository whose tags are immutable: put once, there once, whatever becomes of the answer (F4)."""
    tag = name.replace(" ", "-")
    reference = f"{proxy.address}/shop/immutable:{tag}"
    shop.run("build", "-t", reference, "--build-arg", f"WEATHER={tag}", ".")
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    shop.write("../docker/config.json", json.dumps({"auths": {proxy.address: {"auth": token}}}))
    proxy.weather, proxy.done = weather, []
    shop.run("image", "push", reference, env={"DOCKER_CONFIG": f"{shop.work}/docker"})
    put = [status for operation, status in proxy.done if operation == "PutImage"]
    assert put == [201], (name, proxy.done)
    assert ecr.describe_images(repositoryName="shop/immutable", imageIds=[{"imageTag": tag}])["imageDetails"], name
    print(f"an image, {name}: put once", flush=True)


def expires(shop, later):
    """Keys expire in the midst of the watch; the profile has fresh ones by then."""
    seen = []

    def of(operation):
        seen.append(operation)
        if "UpdateService" in seen and operation == "DescribeServices" and "expired" not in seen:
            seen.append("expired")
            open(f"{shop.work}/credentials", "w").write(later)
            return (400, "ExpiredTokenException")
        return None
    return of


def through(shop, proxy, weather, name, ecs, env):
    """Deploys the same again; afterwards the cloud has exactly one deployment and one revision more."""
    revision = lambda: int(ecs.describe_services(cluster="shop-staging", services=["web"])["services"][0]["taskDefinition"].rpartition(":")[2])
    before = revision()
    text = json.loads(open(f"{shop.app}/deploy/staging.json").read())
    text["containerDefinitions"][0]["environment"] = [{"name": "WEATHER", "value": name}]
    shop.write("deploy/staging.json", json.dumps(text))
    proxy.weather, proxy.done = weather, []
    began = time.monotonic()
    shop.run("deploy", "staging", "--yes", env=env)
    took = time.monotonic() - began
    issued = [operation for operation, status in proxy.done if status == 200 and operation in ("RegisterTaskDefinition", "UpdateService")]
    assert issued == ["RegisterTaskDefinition", "UpdateService"] and revision() == before + 1, (name, issued, before, revision())
    print(f"{name}: succeeded after {took:.1f} s, {len(proxy.done)} calls got through", flush=True)


def cancelled(shop, phase, marker):
    """Ctrl-C (without a terminal) when `marker` is shown; the run ends within 15 s, nothing of it is still called running."""
    shop.write("root/stamp", f"{phase} {time.time()}\n")
    shop.commit(phase)
    run = subprocess.Popen([shop.slipway, "run", "--cloud", "local"], cwd=shop.app, env=shop.env, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    for line in run.stderr:
        if marker in line:
            break
    began = time.monotonic()
    run.send_signal(signal.SIGINT)
    rest = threading.Thread(target=run.stderr.read)
    rest.start()
    code = run.wait(60)
    rest.join()
    took = time.monotonic() - began
    assert code == 130 and took < 15, (phase, code, took)
    history = json.loads(shop.run("--json", "history", "staging").stdout)
    assert all(release["verdict"] not in ("running", "lost") for release in history), (phase, history[0])
    left = subprocess.run(["pgrep", "-f", f"{shop.state}/runs"], text=True, capture_output=True).stdout
    assert not left, (phase, left)
    print(f"cancelled in {phase}: ended {took:.1f} s later", flush=True)


def main():
    with Shop(sys.argv[1]) as shop:
        staging = shop.up()[0]["url"]
        cloud = shop.cloud_env()
        keys = {"aws_access_key_id": cloud["access_key_id"], "aws_secret_access_key": cloud["secret_access_key"]}
        ecs = boto3.client("ecs", region_name="us-east-1", endpoint_url=cloud["url"], **keys)
        sts = boto3.client("sts", region_name="us-east-1", endpoint_url=cloud["url"], **keys)
        now, later = [profile(sts.get_session_token()["Credentials"]) for _ in range(2)]
        open(f"{shop.work}/credentials", "w").write(now)
        host, port = cloud["url"].removeprefix("http://").split(":")
        proxy = Proxy((host, int(port)))
        env = {"AWS_ENDPOINT_URL": f"http://{proxy.address}", "AWS_REGION": "us-east-1", "AWS_SHARED_CREDENTIALS_FILE": f"{shop.work}/credentials"}
        through(shop, proxy, storm(random.Random(SEED)), f"429, 503 and resets (seed {SEED})", ecs, env)
        through(shop, proxy, first_of(["RegisterTaskDefinition", "UpdateService"], "lost"), "answers lost", ecs, env)
        through(shop, proxy, first_of(["RegisterTaskDefinition", "UpdateService"], "reset"), "connections reset", ecs, env)
        through(shop, proxy, expires(shop, later), "keys expired", ecs, env)
        ecr = boto3.client("ecr", region_name="us-east-1", endpoint_url=cloud["url"], **keys)
        ecr.create_repository(repositoryName="shop/immutable", imageTagMutability="IMMUTABLE")
        pushed(shop, proxy, ecr, first_of(["PutImage"], "lost"), "answer lost")
        pushed(shop, proxy, ecr, first_of(["PutImage"], "reset"), "connection reset")
        pushed(shop, proxy, ecr, first_of(["PutImage"], (503, "ServiceUnavailable")), "unavailable")
        proxy.close()
        sha = shop.git("rev-parse", "HEAD")
        assert get(staging) == sha
        for phase, marker in (("checkout", "Run actions/checkout"), ("build", "Run docker/build-push-action"), ("deploy", "Deployment ecs-svc/")):
            cancelled(shop, phase, marker)
        wait_for(lambda: shop.run("status", "staging", ok=None).returncode == 0, 60, "what was left going on in the cloud becomes steady")
        assert shop.run("audit", "verify").returncode == 0


if __name__ == "__main__":
    main()
