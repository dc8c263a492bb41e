#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""promotion.py SLIPWAY: commits to staging, every way past the gate of production refused and recorded, promotion and rollback under load, the
pause after it, the attestation. See shop.py for what it needs."""
import base64
import glob
import json
import os
import subprocess
import sys
import urllib.request

import boto3
from shop import Load, Shop, get

SETTINGS = """version: 1
environments:
  production:
    protection: {require_tests: true, promote_from: staging}
"""
REPOSITORY = "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/web"
DOCS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs")


def refused(shop, why, *words):
    """The verb ends with 1, says why, and the refusal stands in the ledger."""
    before = len(shop.entries("refused"))
    done = shop.run(*words, ok=False)
    said = done.stdout + done.stderr
    assert done.returncode == 1 and why in said, (words, done.returncode, said[-2000:])
    entries = shop.entries("refused")
    assert len(entries) == before + 1 and entries[-1]["environment"] == "production", (words, entries)


def past_the_gate(shop, two, ecs):
    """`two` is tested, its image is in ECR, but it never ran in staging."""
    missing = "does not run in 'staging'"
    shop.git("tag", "v2", two)
    registered = lambda: ecs.list_task_definitions(status="ACTIVE")["taskDefinitionArns"]
    before = registered()
    refused(shop, missing, "run", "--cloud", "local", "--ref", "v2")  # the workflow goes straight to production
    assert registered() == before, "a refused workflow has registered a revision"
    refused(shop, missing, "deploy", "production", "--yes")
    refused(shop, missing, "deploy", "production", "--sha", "v2", "--service", "web", "--force", "--no-wait", "--yes")
    refused(shop, missing, "deploy", "production", "--sha", "HEAD~1", "--image", f"web={REPOSITORY}:{two}", "--yes")
    refused(shop, missing, "deploy", "production", "--image", "web=registry.invalid/web:1", "--yes")
    refused(shop, "from 'staging' only", "promote", "production", "production", "--yes")
    shop.write("slipway.yml", "version: 1\n")  # edited, not committed
    refused(shop, missing, "deploy", "production", "--yes")
    shop.write("slipway.yml", SETTINGS)
    # What runs in staging must be well and be what was released there.
    ecs.update_service(cluster="shop-staging", service="web", desiredCount=0)
    refused(shop, "is not healthy", "promote", "staging", "production", "--yes")
    ecs.update_service(cluster="shop-staging", service="web", desiredCount=1)
    ecs.get_waiter("services_stable").wait(cluster="shop-staging", services=["web"], WaiterConfig={"Delay": 1})


def attested(shop, keys):
    """The statement beside the image is the one in STATE, and the key has signed it."""
    key = shop.run("audit", "key").stdout.splitlines()[0]
    file = sorted(glob.glob(f"{shop.state}/attestations/production-web-*.dsse.json"), key=os.path.getmtime)[-1]
    check = lambda *words: subprocess.run([sys.executable, f"{DOCS}/verify_attestation.py", *words], text=True, capture_output=True)
    statement = json.loads(check(file, key).stdout)
    digest = "sha256:" + statement["subject"][0]["digest"]["sha256"]
    assert statement["predicate"]["environment"] == "production" and statement["predicate"]["tests"] == "success", statement
    assert check(file, key, digest).returncode == 0 and check(file, key, "sha256:" + "0" * 64).returncode == 1
    assert check(file, base64.b64encode(bytes(32)).decode()).returncode == 1
    token = boto3.client("ecr", **keys).get_authorization_token()["authorizationData"][0]["authorizationToken"]
    ask = lambda path: json.load(urllib.request.urlopen(urllib.request.Request(f"{keys['endpoint_url']}/v2/shop/web/{path}", headers={"authorization": "Basic " + token})))
    found = [m for m in ask(f"referrers/{digest}")["manifests"] if m["artifactType"] == "application/vnd.in-toto+json"]
    blobs = [ask(f"blobs/{ask('manifests/' + m['digest'])['layers'][0]['digest']}") for m in found]
    assert json.load(open(file)) in blobs, found


def main():
    with Shop(sys.argv[1], SETTINGS) as shop:
        one = shop.git("rev-parse", "HEAD")
        staging = shop.up()[0]["url"]
        assert get(staging) == one
        cloud = shop.cloud_env()
        keys = {"region_name": "us-east-1", "endpoint_url": cloud["url"], "aws_access_key_id": cloud["access_key_id"], "aws_secret_access_key": cloud["secret_access_key"]}
        shop.write("Dockerfile", open(f"{shop.app}/Dockerfile").read() + "LABEL two=2\n")
        two = shop.commit("two")
        past_the_gate(shop, two, boto3.client("ecs", **keys))

        shop.run("promote", "staging", "production", "--yes")
        attested(shop, keys)
        production = shop.url("production")
        assert get(production) == one
        shop.up()
        with Load(production) as load:
            shop.run("promote", "staging", "production", "--yes")
        assert not load.failed and load.seen == [one, two], (load.failed, load.seen)
        with Load(production) as back:
            answer = json.loads(shop.run("--json", "rollback", "production", one[:10], "--yes").stdout)
        assert not back.failed and back.seen == [two, one], (back.failed, back.seen)
        assert answer[0]["acceptedAfterMs"] <= 1000, answer

        registered = lambda: boto3.client("ecs", **keys).list_task_definitions()["taskDefinitionArns"]
        before = registered()
        done = shop.run("run", "--cloud", "local", "--ref", "v2", ok=False)  # automatic: paused
        assert "are paused since" in done.stdout + done.stderr, done.stderr[-1000:]
        assert registered() == before, "a paused workflow has registered a revision"
        shop.run("resume", "production")
        revision = next(r["taskDefinition"] for r in json.loads(shop.run("--json", "history", "production").stdout) if r["sha"] == two)
        shop.run("rollback", "production", revision.rpartition("/")[2], "--no-pause", "--yes")
        again = shop.run("resume", "production").stdout
        assert get(production) == two and "was not paused" in again, (get(production), one, two, again)
        assert shop.run("audit", "verify").returncode == 0
        print(f"promotion under load: {load.count} requests, 0 failed; rollback: {back.count} requests, 0 failed, accepted after {answer[0]['acceptedAfterMs']} ms")


if __name__ == "__main__":
    main()
