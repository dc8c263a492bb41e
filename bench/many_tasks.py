#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""many_tasks.py [COUNT]: so many tasks (500) of a service run at once: how long until they do, what the local AWS needs for them, how long until they have gone.
SLIPWAY names the binary. Needs root, crun, skopeo and busybox."""
import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests/aws"))
from local_aws import DOCKERFILE, LocalAws, wait_for  # noqa: E402

SLEEPER = DOCKERFILE.replace('CMD ["httpd", "-f", "-p", "8000", "-h", "/www"]', 'CMD ["sleep", "100000"]')


def process_of(aws):
    """What the cloud's process needs: resident memory in MB, threads, processor seconds."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = open(f"/proc/{pid}/cmdline").read().split("\0")
            if aws.state not in words or "serve" not in words:
                continue
            status = dict(line.split(":", 1) for line in open(f"/proc/{pid}/status") if ":" in line)
            seconds = sum(map(int, open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[11:13])) / os.sysconf("SC_CLK_TCK")
        except (OSError, ProcessLookupError):
            continue
        return int(status["VmRSS"].split()[0]) / 1024, int(status["Threads"]), seconds
    raise AssertionError("the cloud's process is not there")


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    with LocalAws() as aws:
        image, role, ecs = aws.image(dockerfile=SLEEPER), aws.role("exec"), aws.client("ecs")
        ecs.create_cluster(clusterName="c")
        ecs.register_task_definition(family="app", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512", executionRoleArn=role,
                                     containerDefinitions=[{"name": "app", "image": image, "stopTimeout": 2}])
        service = lambda: ecs.describe_services(cluster="c", services=["s"])["services"][0]
        begun = time.monotonic()
        ecs.create_service(cluster="c", serviceName="s", taskDefinition="app:1", desiredCount=count, launchType="FARGATE", networkConfiguration=aws.network())
        wait_for(lambda: service()["runningCount"] == count, 240, f"{count} tasks")
        up = time.monotonic() - begun
        addresses = set()
        arns = [arn for page in ecs.get_paginator("list_tasks").paginate(cluster="c", serviceName="s") for arn in page["taskArns"]]
        for at in range(0, len(arns), 100):
            for task in ecs.describe_tasks(cluster="c", tasks=arns[at:at + 100])["tasks"]:
                assert task["lastStatus"] == "RUNNING", task
                addresses.add(next(d["value"] for d in task["attachments"][0]["details"] if d["name"] == "privateIPv4Address"))
        assert len(addresses) == count, f"{len(addresses)} addresses"
        memory, threads, before = process_of(aws)
        time.sleep(5)
        idle = (process_of(aws)[2] - before) / 5 * 100
        print(f"{count} tasks run after {up:.1f} s; the local AWS: {memory:.0f} MB, {threads} threads, {idle:.1f} % of a processor at rest")
        begun = time.monotonic()
        ecs.update_service(cluster="c", service="s", desiredCount=0)
        stopped = lambda: not subprocess.run(["ls", f"{aws.state}/cloud/tasks"], capture_output=True, text=True).stdout.split()
        wait_for(lambda: service()["runningCount"] == 0 and stopped(), 240, "their end")
        print(f"all gone after {time.monotonic() - begun:.1f} s")


if __name__ == "__main__":
    main()
