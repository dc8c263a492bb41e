#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""crashes.py SLIPWAY: the faults of a deployment that are about its process and its environment. It is killed -9 before its UpdateService reaches
the cloud (F2) and after, before the answer is written down (F3); the cloud is out of reach for longer than a lease (F8); what is rolled back to is
sick, too (F22); two deployments and a rollback meet (F23). Never is anything issued twice. See shop.py for what it needs."""
import json
import signal
import subprocess
import sys
import time

import boto3
from shop import Shop, get, wait_for
from storms import Proxy


class World:
    def __init__(self, shop):
        self.shop = shop
        self.url = shop.up()[0]["url"]
        cloud = shop.cloud_env()
        keys = {"aws_access_key_id": cloud["access_key_id"], "aws_secret_access_key": cloud["secret_access_key"]}
        self.client = lambda name: boto3.client(name, region_name="us-east-1", endpoint_url=cloud["url"], **keys)
        self.ecs = self.client("ecs")
        host, port = cloud["url"].removeprefix("http://").split(":")
        self.proxy = Proxy((host, int(port)))
        self.env = {"AWS_ENDPOINT_URL": f"http://{self.proxy.address}", "AWS_REGION": "us-east-1",
                    "AWS_ACCESS_KEY_ID": cloud["access_key_id"], "AWS_SECRET_ACCESS_KEY": cloud["secret_access_key"]}

    def change(self, name, **container):
        """The task definition of the next deployment."""
        text = json.loads(open(f"{self.shop.app}/deploy/staging.json").read())
        text["containerDefinitions"][0]["environment"] = [{"name": "STORY", "value": name}]
        text["containerDefinitions"][0].update(container)
        self.shop.write("deploy/staging.json", json.dumps(text))

    def start(self, *words, env=None):
        env = self.env if env is None else env
        return subprocess.Popen([self.shop.slipway, "deploy", "staging", "--yes", *words], cwd=self.shop.app, env={**self.shop.env, **env}, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, start_new_session=True)

    def service(self):
        return self.ecs.describe_services(cluster="shop-staging", services=["web"])["services"][0]

    def issued(self):
        return [operation for operation, status in self.proxy.done if status == 200].count("UpdateService")

    def releases(self):
        return json.loads(self.shop.run("--json", "history", "staging").stdout)


def killed(world, name, reaches_the_cloud):
    """kill -9 in the midst of UpdateService; the next deployment finds out and ends with one deployment made in the cloud."""
    world.change(name)
    world.proxy.done = []
    process = None

    def weather(operation):
        if operation != "UpdateService" or process.poll() is not None:
            return None
        if not reaches_the_cloud:
            process.send_signal(signal.SIGKILL)
            return "reset"
        return "lost"  # done; killed before it could look for it
    world.proxy.weather = weather
    before = world.service()["deployments"][0]["id"]
    process = world.start()
    if reaches_the_cloud:
        wait_for(world.issued, 60, "UpdateService")
        process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, process.returncode
    world.proxy.weather = lambda operation: None
    made = world.issued()
    assert made == (1 if reaches_the_cloud else 0), world.proxy.done
    assert (world.service()["deployments"][0]["id"] != before) == reaches_the_cloud
    began = time.monotonic()
    done = world.shop.run("deploy", "staging", "--yes", env=world.env)
    lost, again = next(r for r in world.releases() if r.get("settled")), world.releases()[0]
    assert world.issued() == 1, world.proxy.done
    assert again["verdict"] == "succeeded" and again["taskDefinition"] == world.service()["taskDefinition"], again
    if reaches_the_cloud:
        assert lost["id"] == again["id"] and "runs it already" in done.stdout and "found in the cloud" in lost["reason"], (lost, done.stdout)
    else:
        assert lost["id"] != again["id"] and lost["verdict"] == "lost" and "nothing was changed" in lost["reason"], lost
    print(f"{name}: settled and ended {time.monotonic() - began:.1f} s after the next deployment began, 1 UpdateService", flush=True)


def out_of_reach(world):
    """The cloud does not answer for 35 s in the midst of the watch (the environment's lease is 30 s): the same deployment goes on, and is told."""
    world.change("partition")
    world.proxy.done = []
    since = []

    def weather(operation):
        if world.issued() and not since:
            since.append(time.monotonic())
        return "reset" if since and time.monotonic() - since[0] < 35 else None
    world.proxy.weather = weather
    process = world.start()
    wait_for(lambda: since, 60, "UpdateService")
    other = world.start("--timeout", "20s", env={})  # by a way of its own; nobody else gets the environment meanwhile
    said = other.communicate(timeout=100)
    assert other.returncode != 0 and "is being changed by" in said[1], (other.returncode, said)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, (out, err[-2000:])
    assert world.issued() == 1 and world.releases()[0]["verdict"] == "succeeded", (world.proxy.done, world.releases()[0])
    world.proxy.weather = lambda operation: None
    print(f"out of reach for 35 s: the verdict came {time.monotonic() - since[0]:.1f} s after UpdateService", flush=True)


def sick_target(world):
    """What ran well before does not any more: the rollback fails, says why, and what runs goes on answering; nothing flips to and fro."""
    secrets = world.client("secretsmanager")
    arn = secrets.create_secret(Name="shop/token", SecretString="x")["ARN"]
    world.client("iam").put_role_policy(RoleName="shop-staging-execution", PolicyName="token", PolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": arn}]}))
    world.change("with a secret", secrets=[{"name": "TOKEN", "valueFrom": arn}])
    world.shop.run("deploy", "staging", "--yes")
    target = world.releases()[0]["taskDefinition"].rpartition("/")[2]
    world.change("without", secrets=[])
    world.shop.run("deploy", "staging", "--yes")
    running = world.service()["taskDefinition"]
    secrets.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
    world.proxy.done = []
    done = world.shop.run("--json", "rollback", "staging", target, "--yes", ok=False, env=world.env)
    verdict = json.loads(done.stdout)[0]["verdict"]
    assert done.returncode == 1 and verdict["causes"][0]["kind"] == "resource" and verdict["verdict"] == "rolled back", verdict
    wait_for(lambda: len(world.service()["deployments"]) == 1, 60, "one deployment")
    assert world.service()["taskDefinition"] == running and world.issued() == 1, world.proxy.done
    assert get(world.url) and world.shop.run("status", "staging").returncode == 0
    world.shop.run("resume", "staging")
    print(f"a sick rollback: {verdict['reason'][:120]}", flush=True)


def at_once(world):
    """Two deployments 100 ms apart: one after the other. A rollback meanwhile takes the environment; what it meets says so and issues nothing more."""
    world.proxy.done = []
    world.change("first")
    first = world.start()
    time.sleep(0.1)  # F23's own interval
    world.change("second")
    second = world.start()
    ends = [process.communicate(timeout=120) for process in (first, second)]
    assert first.returncode == second.returncode == 0 and world.issued() == 2, ends
    assert sum("is being changed by" in err for _, err in ends) == 1, ends
    assert [r["verdict"] for r in world.releases()[:2]] == ["succeeded"] * 2 and len(world.service()["deployments"]) == 1

    good = world.service()["taskDefinition"]
    world.change("slow", healthCheck={"command": ["CMD-SHELL", "exit 1"], "interval": 60, "timeout": 2, "retries": 10})
    slow = world.start()
    wait_for(lambda: len(world.service()["deployments"]) == 2, 60, "the slow deployment")
    world.shop.run("rollback", "staging", good.rpartition("/")[2], "--yes", ok=None)
    out, err = slow.communicate(timeout=120)
    slowed = next(r for r in world.releases() if r["cause"] == "deploy")
    assert slow.returncode == 1 and slowed["verdict"] != "succeeded", (slow.returncode, out, err)
    wait_for(lambda: [d["taskDefinition"] for d in world.service()["deployments"]] == [good], 90, "what was good runs alone")
    refused = world.shop.run("deploy", "staging", "--yes", ok=False, env={**world.env, "GITHUB_ACTIONS": "true"})
    assert "are paused since" in refused.stderr, refused.stderr
    print(f"a rollback in the midst of a deployment: {slowed.get('reason', '')[:100]}", flush=True)


def main():
    with Shop(sys.argv[1]) as shop:
        world = World(shop)
        killed(world, "killed before UpdateService", False)
        killed(world, "killed after UpdateService", True)
        out_of_reach(world)
        sick_target(world)
        at_once(world)
        assert shop.run("audit", "verify").returncode == 0
        world.proxy.close()


if __name__ == "__main__":
    main()
