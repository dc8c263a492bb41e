#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long after the cloud's own time `slipway deploy` says its verdict: lag.py SLIPWAY [TIMES]; as broken.py needs root, crun and so on.

The cloud's time is the deployment's updatedAt when it is COMPLETED, the verdict's the ledger's. Exit 0 when the worst is at most 1 s.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

import broken


def main():
    times = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    work = tempfile.mkdtemp(prefix="slipway-lag-")
    world = broken.World(work)
    lags = []
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
            good = broken.definition("lag", broken.container(script=broken.GOOD, healthCheck=broken.HEALTHY, environment=[{"name": "N", "value": str(n)}]))
            json.dump(good, open(f"{repository}/td.json", "w"))
            done = world.run("--json", "deploy", "lag", "--yes", cwd=repository)
            release = json.loads(done.stdout)[0]
            deployment = world.ecs.describe_services(cluster="broken", services=["lag"])["services"][0]["deployments"][0]
            ended = json.loads(world.run("--json", "history", "lag").stdout)[0]["ended"]
            lag = (__import__("datetime").datetime.fromisoformat(ended.replace("Z", "+00:00")) - deployment["updatedAt"]).total_seconds()
            lags.append(lag)
            print(f"{release['verdict']['verdict']}: UpdateService to verdict {release['verdict']['tookMs']} ms, {lag:.3f} s after the cloud's own time", flush=True)
    finally:
        world.run("cloud", "stop", check=False)
        shutil.rmtree(work, ignore_errors=True)
    print(f"verdict after the cloud's own time: at most {max(lags):.3f} s")
    sys.exit(0 if max(lags) <= 1 else 1)


main()
