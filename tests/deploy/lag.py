#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long after the cloud's own time `slipway deploy` says its verdict: lag.py SLIPWAY [TIMES]; as broken.py needs root, crun and so on.

The cloud's time is the deployment's updatedAt when it is COMPLETED, the verdict's the ledger's. With OFFICIAL=DIR, where
aws-actions/amazon-ecs-deploy-task-definition@v2 lies, that action deploys the same on the same service for comparison; its end is the
process's. The local AWS holds that action's polls until the deployment has ended, AWS does not: it is measured both ways, the second
time through a forwarder that takes its name from the requests. Exit 0 when slipway's worst is at most 1 s.
"""
import datetime
import http.client
import http.server
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.parse

import broken


def definition(text):
    return broken.definition("lag", broken.container(script=broken.GOOD, healthCheck=broken.HEALTHY, environment=[{"name": "N", "value": text}]))


def completed_at(world):
    """When the cloud says that the service's only deployment was completed."""
    deployments = world.ecs.describe_services(cluster="broken", services=["lag"])["services"][0]["deployments"]
    assert len(deployments) == 1 and deployments[0]["rolloutState"] == "COMPLETED", deployments
    return deployments[0]["updatedAt"]


def slipway(world, repository, n):
    json.dump(definition(f"slipway {n}"), open(f"{repository}/td.json", "w"))
    release = json.loads(world.run("--json", "deploy", "lag", "--yes", cwd=repository).stdout)[0]
    ended = json.loads(world.run("--json", "history", "lag").stdout)[0]["ended"]
    lag = (datetime.datetime.fromisoformat(ended.replace("Z", "+00:00")) - completed_at(world)).total_seconds()
    print(f"slipway: {release['verdict']['verdict']}, UpdateService to verdict {release['verdict']['tookMs']} ms, {lag:.3f} s after the cloud's own time", flush=True)
    return lag


class Forwarder(http.server.BaseHTTPRequestHandler):
    """Forwards to the cloud as an unknown client, whose polls are answered at once."""
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(self.server.cloud).netloc)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "user-agent"}
        connection.request("POST", self.path, self.rfile.read(int(self.headers["Content-Length"])), headers)
        answer = connection.getresponse()
        body = answer.read()
        self.send_response(answer.status)
        for name in ("Content-Type", "x-amzn-requestid"):
            if answer.getheader(name):
                self.send_header(name, answer.getheader(name))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        connection.close()

    def log_message(self, *_):
        pass


def official(world, work, action, n, url):
    json.dump(definition(f"official {n}"), open(f"{work}/official.json", "w"))
    output = os.path.join(work, "output")
    open(output, "w").close()
    keys = json.load(open(os.path.join(world.state, "cloud/env.json")))
    env = {**os.environ, "GITHUB_WORKSPACE": work, "GITHUB_OUTPUT": output, "AWS_ENDPOINT_URL": url, "AWS_REGION": broken.REGION,
           "AWS_ACCESS_KEY_ID": keys["access_key_id"], "AWS_SECRET_ACCESS_KEY": keys["secret_access_key"],
           "INPUT_TASK-DEFINITION": "official.json", "INPUT_SERVICE": "lag", "INPUT_CLUSTER": "broken", "INPUT_WAIT-FOR-SERVICE-STABILITY": "true"}
    done = subprocess.run([os.environ.get("NODE", "node"), os.path.join(action, "dist/index.js")], env=env, text=True, capture_output=True)
    ended = datetime.datetime.now(datetime.timezone.utc)
    if done.returncode:
        raise SystemExit(f"the official action: {done.stdout}{done.stderr}")
    lag = (ended - completed_at(world)).total_seconds()
    print(f"official action, polls {'held' if url == world.url else 'not held'}: {lag:.3f} s after the cloud's own time", flush=True)
    return lag


def main():
    times = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    action = os.environ.get("OFFICIAL")
    work = tempfile.mkdtemp(prefix="slipway-lag-")
    world = broken.World(work)
    ours, theirs = [], []
    forwarder = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Forwarder)
    threading.Thread(target=forwarder.serve_forever, daemon=True).start()
    try:
        world.prepare()
        forwarder.cloud = world.url
        world.service("lag", {})
        repository = os.path.join(work, "repo")
        os.makedirs(repository)
        open(f"{repository}/slipway.yml", "w").write("version: 1\nenvironments:\n  lag:\n    services:\n      lag: {cluster: broken, task_definition: td.json}\n")
        git = ["git", "-c", "user.name=t", "-c", "user.email=t@t", "-C", repository]
        subprocess.run([*git, "init", "-q"], check=True)
        subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
        for n in range(times):
            ours.append(slipway(world, repository, n))
            if action:
                official(world, work, action, f"held {n}", world.url)
                theirs.append(official(world, work, action, n, f"http://127.0.0.1:{forwarder.server_port}"))
    finally:
        forwarder.shutdown()
        world.run("down", check=False)
        shutil.rmtree(work, ignore_errors=True)
    if theirs:
        print(f"the official action, polls not held: at least {min(theirs):.3f} s, at most {max(theirs):.3f} s after the cloud's own time")
    print(f"verdict after the cloud's own time: at most {max(ours):.3f} s")
    sys.exit(0 if max(ours) <= 1 else 1)


main()
