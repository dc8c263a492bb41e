#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Twelve releases that cannot work, each deployed over a good one: how its tasks end, what the service says, and that it is rolled back (F21)."""
import json
import sys
import time

from local_aws import DOCKERFILE, LocalAws, wait_for

HTTPD = ["httpd", "-f", "-p", "8000", "-h", "/www"]
BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
CRASHED = dict(code="EssentialContainerExited", reason="Essential container in task exited")


def container(image, **more):
    return {"name": "app", "image": image, "essential": True, "stopTimeout": 2, "portMappings": [{"containerPort": 8000}], **more}


def broken(aws, image, bad_image):
    """name → (the task definition's changes, what its tasks show)"""
    secret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:none-AbCdEf"
    logs = {"logDriver": "awslogs", "options": {"awslogs-group": "/none", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "x"}}
    check = {"command": ["CMD-SHELL", "exit 1"], "interval": 5, "retries": 1, "timeout": 2}
    one = lambda **more: {"containerDefinitions": [container(image, **more)]}
    pair = lambda **more: {"containerDefinitions": [container(image), {"name": "sidecar", "image": image, "essential": True, **more}]}
    return {
        "crash loop": (one(command=["sh", "-c", "exit 3"]), dict(CRASHED, exit=3)),
        "image missing": ({"containerDefinitions": [container(image + "-none")]},
                          dict(code="TaskFailedToStart", starts="CannotPullContainerError: ", has=image + "-none: not found")),
        "secret missing": (one(secrets=[{"name": "S", "valueFrom": secret}]),
                           dict(code="TaskFailedToStart", starts="ResourceInitializationError: unable to pull secrets or registry auth: ",
                                has="ResourceNotFoundException: Secrets Manager can't find the specified secret.")),
        "wrong port": (one(command=["httpd", "-f", "-p", "9000", "-h", "/www"]),
                       dict(code="ServiceSchedulerInitiated", starts="Task failed ELB health checks in (target-group arn:")),
        "health check failing": (one(command=["httpd", "-f", "-p", "8000", "-h", "/tmp"]),
                                 dict(code="ServiceSchedulerInitiated", starts="Task failed ELB health checks in (target-group arn:")),
        "out of memory": (one(command=["tail", "/dev/zero"], memory=16),
                          dict(CRASHED, exit=137, why="OutOfMemoryError: Container killed due to memory usage")),
        "exec format error": ({"containerDefinitions": [container(bad_image)]}, dict(CRASHED, exit=1)),
        "no role": ({"executionRoleArn": "arn:aws:iam::123456789012:role/none", **one()}, dict(no_task=True)),
        "no log group": (one(logConfiguration=logs),
                         dict(code="TaskFailedToStart", starts="ResourceInitializationError: failed to validate logger args: ",
                              has="The specified log group does not exist.")),
        "port taken": (pair(command=HTTPD), dict(CRASHED, exit=1)),
        "essential sidecar dies": (pair(command=["sh", "-c", "exit 0"]), dict(CRASHED, exit=0)),
        "never healthy": (one(healthCheck=check), dict(code="ServiceSchedulerInitiated", reason="Task failed container health checks")),
    }


def problems(name, want, task, service, failed):
    found = []
    texts = [event["message"] for event in service["events"]]

    def expect(good, text):
        if not good:
            found.append(f"{name}: {text}")

    expect(f"(service {service['serviceName']}) (deployment {failed}) deployment failed: tasks failed to start." in texts, f"no failed event in {texts}")
    expect(any(text.startswith(f"(service {service['serviceName']}) rolling back to deployment ") for text in texts), f"no rollback event in {texts}")
    if want.get("no_task"):
        expect(any("failed to launch a task with (error ECS was unable to assume the role" in text for text in texts), f"no launch event in {texts}")
        return found
    if task is None:
        return found + [f"{name}: no task stopped"]
    expect(task["stopCode"] == want["code"], f"stopCode {task['stopCode']}")
    reason = task["stoppedReason"]
    expect(reason == want.get("reason", reason) and reason.startswith(want.get("starts", "")) and want.get("has", "") in reason, f"stoppedReason {reason!r}")
    exits = [each.get("exitCode") for each in task["containers"]]
    expect("exit" not in want or want["exit"] in exits, f"exit codes {exits}")
    whys = [each.get("reason", "") for each in task["containers"]]
    expect(want.get("why", "") in whys or "why" not in want, f"container reasons {whys}")
    return found


def main():
    found = []
    with LocalAws() as aws:
        image = aws.image(tag="good")
        bad_image = aws.image(tag="bad", dockerfile=DOCKERFILE.replace("CMD", 'COPY --chmod=755 bad /bad\nENTRYPOINT ["/bad"]\nCMD'), files={"bad": "\x7fELFnot"})
        role = aws.role("exec")
        may = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "*"}]}
        aws.client("iam").put_role_policy(RoleName="exec", PolicyName="secrets", PolicyDocument=json.dumps(may))
        ecs, elb, ec2 = aws.client("ecs"), aws.client("elbv2"), aws.client("ec2")
        ecs.create_cluster(clusterName="c")
        subnets = [s["SubnetId"] for s in ec2.describe_subnets()["Subnets"]][:2]
        balancer = elb.create_load_balancer(Name="lb", Subnets=subnets)["LoadBalancers"][0]
        cases = broken(aws, image, bad_image)
        chosen = {name: case for name, case in cases.items() if not sys.argv[1:] or name in sys.argv[1:]}
        base = dict(networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512", executionRoleArn=role)
        good = ecs.register_task_definition(family="good", containerDefinitions=[container(image)], **base)["taskDefinition"]["taskDefinitionArn"]
        for number, name in enumerate(chosen):
            group = elb.create_target_group(Name=f"tg{number}", Protocol="HTTP", Port=8000, VpcId=balancer["VpcId"], TargetType="ip", HealthCheckPath="/index.html",
                                            HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2, UnhealthyThresholdCount=2)["TargetGroups"][0]["TargetGroupArn"]
            elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "0"}])
            elb.create_listener(LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=8100 + number, DefaultActions=[{"Type": "forward", "TargetGroupArn": group}])
            ecs.create_service(cluster="c", serviceName=f"s{number}", taskDefinition=good, desiredCount=1, launchType="FARGATE", networkConfiguration=aws.network(),
                               loadBalancers=[{"targetGroupArn": group, "containerName": "app", "containerPort": 8000}], deploymentConfiguration=BREAKER)
        describe = lambda number: ecs.describe_services(cluster="c", services=[f"s{number}"])["services"][0]
        failed = {}
        for number, (name, (change, _)) in enumerate(chosen.items()):
            wait_for(lambda: describe(number)["deployments"][0]["rolloutState"] == "COMPLETED", 60, f"the good release of {name}")
            arn = ecs.register_task_definition(family=f"bad{number}", **{**base, **change})["taskDefinition"]["taskDefinitionArn"]
            failed[name] = ecs.update_service(cluster="c", service=f"s{number}", taskDefinition=arn)["service"]["deployments"][0]["id"]
        started = time.monotonic()
        for number, (name, (_, want)) in enumerate(chosen.items()):
            try:
                wait_for(lambda: any(" rolling back to deployment " in e["message"] for e in describe(number)["events"]), 150, f"the rollback of {name}")
                wait_for(lambda: len(describe(number)["deployments"]) == 1 and describe(number)["deployments"][0]["rolloutState"] == "COMPLETED", 60, f"the end of {name}")
            except AssertionError as error:
                found.append(f"{error}: {[e['message'] for e in describe(number)['events']]}")
            took = time.monotonic() - started
            tasks = ecs.list_tasks(cluster="c", family=f"bad{number}", desiredStatus="STOPPED")["taskArns"]
            stopped = ecs.describe_tasks(cluster="c", tasks=tasks)["tasks"] if tasks else []
            stopped = [t for t in stopped if t["lastStatus"] == "STOPPED" and not t["stoppedReason"].startswith("Scaling")]
            task = stopped[0] if stopped else None
            found += problems(name, want, task, describe(number), failed[name])
            print(f"{took:6.1f} s  {name}: {task and task['stopCode']} | {task and task['stoppedReason']} | {[(c['name'], c.get('exitCode'), c.get('reason')) for c in task['containers']] if task else ''}")
    print("\n".join(found) or f"{len(chosen)} broken releases end as on AWS")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
