#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""canary.py SLIPWAY: with `canary` in slipway.yml a part of the requests goes to the new tasks for a minute, then all; no request fails. As
broken.py needs root, crun and so on, and haproxy."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.request

import broken
from shop import wait_for

SERVE = "mkdir -p /tmp/w; echo {0} > /tmp/w/index.html; cp /tmp/w/index.html /tmp/w/ok 2>/dev/null || echo ok > /tmp/w/ok; exec httpd -f -p 8080 -h /tmp/w"


def definition(name):
    return broken.definition("canary", broken.container(script=SERVE.format(name), portMappings=[{"containerPort": 8080}]))


def service(world):
    """A service between two target groups that a listener's rule chooses from; returns where it is reached and the rule."""
    elb, ecs = world.elb, world.ecs
    groups = [elb.create_target_group(Name=f"canary-{n}", Protocol="HTTP", Port=8080, VpcId=world.vpc, TargetType="ip", HealthCheckPath="/ok", HealthCheckIntervalSeconds=5)
              ["TargetGroups"][0]["TargetGroupArn"] for n in ("one", "two")]
    balancer = elb.create_load_balancer(Name="canary", Subnets=world.subnets)["LoadBalancers"][0]["LoadBalancerArn"]
    listener = elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=[{"Type": "forward", "TargetGroupArn": groups[0]}])["Listeners"][0]["ListenerArn"]
    rule = elb.describe_rules(ListenerArn=listener)["Rules"][0]["RuleArn"]
    ecs.register_task_definition(**definition("one"))
    ecs.create_service(cluster="broken", serviceName="canary", taskDefinition="broken-canary", desiredCount=1, launchType="FARGATE", networkConfiguration=world.network,
                       deploymentConfiguration={"minimumHealthyPercent": 100, "maximumPercent": 200, "deploymentCircuitBreaker": {"enable": True, "rollback": True}},
                       loadBalancers=[{"targetGroupArn": groups[0], "containerName": "web", "containerPort": 8080, "advancedConfiguration": {
                           "alternateTargetGroupArn": groups[1], "productionListenerRule": rule, "roleArn": broken.EXECUTION}}])
    described = lambda: ecs.describe_services(cluster="broken", services=["canary"])["services"][0]
    wait_for(lambda: described()["deployments"][0]["rolloutState"] == "COMPLETED", 60, "the first release")
    tags = elb.describe_tags(ResourceArns=[balancer])["TagDescriptions"][0]["Tags"]
    return next(t["Value"] for t in tags if t["Key"] == "slipway:local-url"), described


def main():
    work = tempfile.mkdtemp(prefix="slipway-canary-")
    world = broken.World(work)
    try:
        world.prepare()
        url, described = service(world)
        answer = lambda: urllib.request.urlopen(url + "/index.html", timeout=5).read().decode().strip()
        assert answer() == "one"
        repository = os.path.join(work, "repo")
        os.makedirs(repository)
        json.dump(definition("two"), open(f"{repository}/td.json", "w"))
        open(f"{repository}/slipway.yml", "w").write(
            "version: 1\nenvironments:\n  live:\n    canary: {percent: 30, bake: 1m}\n    services:\n      canary: {cluster: broken, task_definition: td.json}\n")
        git = ["git", "-c", "user.name=t", "-c", "user.email=t@t", "-C", repository]
        subprocess.run([*git, "init", "-q"], check=True)
        subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
        done = []
        deploy = threading.Thread(target=lambda: done.append(world.run("--json", "deploy", "live", "--yes", cwd=repository, check=False)))
        deploy.start()
        said = []
        while not done:
            said.append(answer())
        deploy.join()
        assert done[0].returncode == 0 and json.loads(done[0].stdout)[0]["verdict"]["verdict"] == "succeeded", done[0]
        first = said.index("two")
        baking = said[first:len(said) - said[::-1].index("one")]  # from the first new answer to the last old one
        share = baking.count("two") / len(baking)
        assert 0.2 < share < 0.4 and len(baking) > 50, (share, len(baking))
        assert answer() == "two" and described()["deploymentConfiguration"]["deploymentCircuitBreaker"]["rollback"]
        print(f"canary: {share:.0%} of {len(baking)} requests went to the new task, then all; 0 of {len(said)} failed")
    finally:
        world.run("down", check=False)
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
