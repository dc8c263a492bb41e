#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The AWS SDK for JavaScript v3, unmodified, against a local AWS. Its packages are those of javascript/package-lock.json, kept outside of this repository."""
import os
import shutil
import subprocess
import sys

from local_aws import LocalAws

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "javascript")


def installed():
    """Where the packages are, or None when npm does not reach its registry."""
    place = os.environ.get("SLIPWAY_JAVASCRIPT_SDK") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "slipway/javascript-sdk")
    os.makedirs(place, exist_ok=True)
    lock = os.path.join(place, "package-lock.json")
    with open(os.path.join(HERE, "package-lock.json")) as wanted:
        is_there = os.path.isdir(os.path.join(place, "node_modules/@aws-sdk/client-ecs")) and os.path.exists(lock) and open(lock).read() == wanted.read()
    for name in ("package.json", "package-lock.json", "sdk.mjs"):
        shutil.copy(os.path.join(HERE, name), place)
    if is_there:
        return place
    done = subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=place, capture_output=True, timeout=300)
    if done.returncode == 0:
        return place
    os.remove(lock)
    return None


def main():
    place = installed()
    if place is None:
        print("skipped: npm does not reach its registry")
        return 77
    with LocalAws() as aws:
        image, role = aws.image(), aws.role("exec", policies=("arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy", "arn:aws:iam::aws:policy/SecretsManagerReadWrite"))
        subnets = ",".join(s["SubnetId"] for s in aws.client("ec2").describe_subnets()["Subnets"][:2])
        environment = {**{k: v for k, v in os.environ.items() if not k.startswith("AWS_")}, **aws.env, "SUBNETS": subnets, "NODE_NO_WARNINGS": "1"}
        return subprocess.run(["node", "sdk.mjs", image, role], cwd=place, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
