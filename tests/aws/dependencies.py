#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Containers that depend on others: a HEALTHY that never comes ends the task after the start timeout, SUCCESS that fails ends it at once, and a
container is stopped only after those that depend on it."""
import sys

from local_aws import LocalAws, wait_for


def main():
    with LocalAws() as aws:
        image = aws.image()
        role = aws.role("exec")
        ecs, logs = aws.client("ecs"), aws.client("logs")
        ecs.create_cluster(clusterName="c")
        logs.create_log_group(logGroupName="/t")

        def container(name, script, **more):
            return {"name": name, "image": image, "command": ["sh", "-c", script], "stopTimeout": 10,
                    "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/t", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "x"}}, **more}

        def run(family, *containers):
            ecs.register_task_definition(family=family, networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512", executionRoleArn=role, containerDefinitions=list(containers))
            return ecs.run_task(cluster="c", taskDefinition=family, launchType="FARGATE", networkConfiguration=aws.network())["tasks"][0]["taskArn"]

        look = lambda arn: ecs.describe_tasks(cluster="c", tasks=[arn])["tasks"][0]
        stopped = lambda arn, seconds: wait_for(lambda: look(arn)["lastStatus"] == "STOPPED" and look(arn), seconds, "the end of " + arn)
        forever = "trap 'exit 0' TERM; while :; do sleep 0.1; done"

        never = {"command": ["CMD-SHELL", "exit 1"], "interval": 5, "retries": 10, "startPeriod": 100}
        unhealthy = run("never", container("db", forever, healthCheck=never, startTimeout=3), container("app", forever, dependsOn=[{"containerName": "db", "condition": "HEALTHY"}]))
        failing = run("failing", container("init", "exit 4", essential=False), container("app", forever, dependsOn=[{"containerName": "init", "condition": "SUCCESS"}]))
        ordered = run("ordered", container("db", "trap 'echo db ends; exit 0' TERM; while :; do sleep 0.1; done"),
                      container("app", "trap 'sleep 1; echo app ends; exit 0' TERM; while :; do sleep 0.1; done", dependsOn=[{"containerName": "db", "condition": "START"}]))
        task = stopped(unhealthy, 60)
        assert task["stopCode"] == "TaskFailedToStart" and "dependency timed out: container 'db' of 'app' is not HEALTHY in time" in task["stoppedReason"], task
        task = stopped(failing, 60)
        assert task["stopCode"] == "TaskFailedToStart" and "dependency did not exit successfully" in task["stoppedReason"], task
        wait_for(lambda: look(ordered)["lastStatus"] == "RUNNING", 60, "RUNNING")
        ecs.stop_task(cluster="c", task=ordered)
        stopped(ordered, 60)
        events = wait_for(lambda: [each for each in logs.filter_log_events(logGroupName="/t", filterPattern="ends")["events"]][1:] and logs.filter_log_events(logGroupName="/t", filterPattern="ends")["events"], 10, "both lines")
        lines = [each["message"] for each in sorted(events, key=lambda each: each["timestamp"])]
        assert lines == ["app ends", "db ends"], lines
    print("dependencies: waited for no longer than they may be, stopped in the reverse order")


if __name__ == "__main__":
    sys.exit(main())
