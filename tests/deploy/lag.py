#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long after the cloud's own time `slipway deploy` says its verdict: lag.py SLIPWAY [TIMES]; as broken.py needs root, crun and so on.

The cloud's time is the deployment's updatedAt when it is COMPLETED, the verdict's the ledger's. With OFFICIAL=DIR, where
aws-actions/amazon-ecs-deploy-task-definition@v2 lies, that action deploys the same on the same service for comparison; its end is the
process's. Exit 0 when slipway's worst is at most 1 s.
"""
import datetime
import json
import os
import shutil
import subprocess
import sys
import tempfile

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


def official(world, work, action, n):
    json.dump(definition(f"official {n}"), open(f"{work}/official.json", "w"))
    output = os.path.join(work, "output")
    open(output, "w").close()
    keys = json.load(open(os.path.join(world.state, "cloud/env.json")))
    env = {**os.environ, "GITHUB_WORKSPACE": work, "GITHUB_OUTPUT": output, "AWS_ENDPOINT_URL": world.url, "AWS_REGION": broken.REGION,
           "AWS_ACCESS_KEY_ID": keys["access_key_id"], "AWS_SECRET_ACCESS_KEY": keys["secret_access_key"],
           "INPUT_TASK-DEFINITION": "official.json", "INPUT_SERVICE": "lag", "INPUT_CLUSTER": "broken", "INPUT_WAIT-FOR-SERVICE-STABILITY": "true"}
    done = subprocess.run([os.environ.get("NODE", "node"), os.path.join(action, "dist/index.js")], env=env, text=True, capture_output=True)
    ended = datetime.datetime.now(datetime.timezone.utc)
    if done.returncode:
        raise SystemExit(f"the official action: {done.stdout}{done.stderr}")
    lag = (ended - completed_at(world)).total_seconds()
    print(f"official action: {lag:.3f} s after the cloud's own time", flush=True)
    return lag


def main():
    times = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    action = os.environ.get("OFFICIAL")
    work = tempfile.mkdtemp(prefix="slipway-lag-")
    world = broken.World(work)
    ours, theirs = [], []
    try:
        world.prepare()
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
                theirs.append(official(world, work, action, n))
    finally:
        world.run("down", check=False)
        shutil.rmtree(work, ignore_errors=True)
    if theirs:
        print(f"the official action: at least {min(theirs):.3f} s, at most {max(theirs):.3f} s after the cloud's own time")
    print(f"verdict after the cloud's own time: at most {max(ours):.3f} s")
    sys.exit(0 if max(ours) <= 1 else 1)


main()
