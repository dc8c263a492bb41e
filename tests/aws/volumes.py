#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Volumes of tasks: one that two containers share (by mountPoints and volumesFrom), read-only where it says so; one of EBS with the size
that was asked for, by RunTask and by a service; one of EFS that outlives its tasks. What ECS refuses is refused, and nothing stays mounted."""
import sys

from botocore.exceptions import ClientError

from local_aws import DOCKERFILE, LocalAws, wait_for

SHARED = """id -u > /data/who; stat -c '%a %u' /data > /data/mode; touch /data/done; sleep 30"""
READER = """while [ ! -e /seen/done ]; do sleep 0.1; done
cat /seen/who /seen/mode; touch /seen/x 2>/dev/null || echo read-only; ls /data/done"""
EBS = """df -k /disk | tail -n 1 | awk '{ print $2 }'; echo kept > /disk/a && cat /disk/a; ls /disk | wc -l"""


def refused(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Message"]
    raise AssertionError(f"accepted: {arguments}")


def main():
    with LocalAws() as aws:
        image = aws.image(dockerfile=DOCKERFILE + "RUN mkdir /data && chown 1000 /data && chmod 750 /data\nVOLUME /data\n")
        role = aws.role("exec")
        infrastructure = aws.role("infra", policies=("arn:aws:iam::aws:policy/service-role/AmazonECSInfrastructureRolePolicyForVolumes",),
                                  trust={"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
        ecs, logs = aws.client("ecs"), aws.client("logs")
        logs.create_log_group(logGroupName="/v")
        ecs.create_cluster(clusterName="c")

        def register(family, volumes, *containers):
            for container in containers:
                container.update(image=image, stopTimeout=2, logConfiguration={"logDriver": "awslogs", "options": {
                    "awslogs-group": "/v", "awslogs-region": "us-east-1", "awslogs-stream-prefix": family}})
            return dict(family=family, networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512", executionRoleArn=role,
                        volumes=volumes, containerDefinitions=list(containers))

        def task(arn):
            return ecs.describe_tasks(cluster="c", tasks=[arn])["tasks"][0]

        def said_by(family, **more):
            """Runs it to its end; what its containers wrote, line by line, and the task."""
            arn = ecs.run_task(cluster="c", taskDefinition=family, launchType="FARGATE", networkConfiguration=aws.network(), **more)["tasks"][0]["taskArn"]
            wait_for(lambda: task(arn)["lastStatus"] == "STOPPED", what=f"the end of {family}", seconds=60)
            events = logs.filter_log_events(logGroupName="/v", logStreamNamePrefix=family)["events"]
            return [event["message"] for event in events if event["logStreamName"].endswith(arn.rsplit("/", 1)[1])], task(arn)

        ecs.register_task_definition(**register("shared", [{"name": "between"}],
                                                {"name": "writer", "command": ["sh", "-c", SHARED], "user": "1000", "essential": False, "mountPoints": [{"sourceVolume": "between", "containerPath": "/data"}]},
                                                {"name": "reader", "command": ["sh", "-c", READER], "volumesFrom": [{"sourceContainer": "writer"}],
                                                 "mountPoints": [{"sourceVolume": "between", "containerPath": "/seen", "readOnly": True}]}))
        lines, _ = said_by("shared")
        assert lines == ["1000", "750 1000", "read-only", "/data/done"], lines

        ecs.register_task_definition(**register("disk", [{"name": "disk", "configuredAtLaunch": True}],
                                                {"name": "app", "command": ["sh", "-c", EBS], "mountPoints": [{"sourceVolume": "disk", "containerPath": "/disk"}]}))
        ebs = lambda **more: [{"name": "disk", "managedEBSVolume": {"roleArn": infrastructure, "sizeInGiB": 3, **more}}]
        for _ in range(2):  # each task's is new
            lines, ended = said_by("disk", volumeConfigurations=ebs())
            assert 2.8 * 2**20 < int(lines[0]) < 3 * 2**20 and lines[1] == "kept" and lines[2] == "2", lines  # a and lost+found
        attached = next(one for one in ended["attachments"] if one["type"] == "AmazonElasticBlockStorage")
        details = {one["name"]: one["value"] for one in attached["details"]}
        assert attached["status"] == "DELETED" and details["volumeSize"] == "3" and details["volumeId"].startswith("vol-"), attached
        run = lambda **more: refused(ecs.run_task, cluster="c", taskDefinition="disk", launchType="FARGATE", networkConfiguration=aws.network(), **more)
        assert "must be specified for it" in run()
        assert "no volume 'other'" in run(volumeConfigurations=[{**ebs()[0], "name": "other"}])
        assert "iops must be specified" in run(volumeConfigurations=ebs(volumeType="io2"))
        assert "sizeInGiB between 1 and 16384" in run(volumeConfigurations=[{"name": "disk", "managedEBSVolume": {"roleArn": infrastructure}}])

        ecs.register_task_definition(**register("disk", [{"name": "disk", "configuredAtLaunch": True}],
                                                {"name": "app", "command": ["sh", "-c", EBS + "; exec httpd -f -p 8000 -h /www"], "mountPoints": [{"sourceVolume": "disk", "containerPath": "/disk"}]}))
        service = lambda: ecs.describe_services(cluster="c", services=["s"])["services"][0]
        ecs.create_service(cluster="c", serviceName="s", taskDefinition="disk", desiredCount=1, launchType="FARGATE", networkConfiguration=aws.network(), volumeConfigurations=ebs())
        wait_for(lambda: service()["deployments"][0]["rolloutState"] == "COMPLETED", what="the service", seconds=60)
        first = service()["deployments"][0]
        assert first["volumeConfigurations"] == ebs(), first
        ecs.update_service(cluster="c", service="s", volumeConfigurations=ebs(sizeInGiB=5))
        wait_for(lambda: [d["rolloutState"] for d in service()["deployments"]] == ["COMPLETED"] and service()["deployments"][0]["id"] != first["id"], what="the other size", seconds=60)
        running = task(ecs.list_tasks(cluster="c", serviceName="s")["taskArns"][0])
        assert any(d["value"] == "5" for one in running["attachments"] for d in one["details"] if d["name"] == "volumeSize"), running["attachments"]
        assert "must be specified for it" in refused(ecs.update_service, cluster="c", service="s", volumeConfigurations=[])
        ecs.delete_service(cluster="c", service="s", force=True)
        wait_for(lambda: not service()["runningCount"] and not ecs.list_tasks(cluster="c", serviceName="s")["taskArns"], what="the end of the service")

        efs = lambda root: [{"name": "kept", "efsVolumeConfiguration": {"fileSystemId": "fs-1", "rootDirectory": root}}]
        mount = [{"sourceVolume": "kept", "containerPath": "/kept"}]
        ecs.register_task_definition(**register("one", efs("/"), {"name": "app", "command": ["sh", "-c", "mkdir -p /kept/a; echo still here > /kept/a/x; ln -s / /kept/out"], "mountPoints": mount}))
        ecs.register_task_definition(**register("two", efs("/a"), {"name": "app", "command": ["cat", "/kept/x"], "mountPoints": mount}))
        ecs.register_task_definition(**register("three", efs("/out/etc"), {"name": "app", "command": ["ls", "/kept"], "mountPoints": mount}))
        said_by("one")
        assert said_by("two")[0] == ["still here"]
        _, ended = said_by("three")
        assert "invalid file system or root directory" in ended["stoppedReason"], ended

        wrong = lambda volumes, **container: refused(ecs.register_task_definition, **register("x", volumes, {"name": "app", **container}))
        assert wrong([], mountPoints=mount) == "Unknown volume 'kept'."
        assert wrong([{"name": "kept", "host": {"sourcePath": "/etc"}}]) == "host.sourcePath should not be set for volumes in Fargate."
        assert "Invalid volumesFrom" in wrong([], volumesFrom=[{"sourceContainer": "nobody"}])
        wait_for(lambda: aws.state not in open("/proc/self/mountinfo").read(), what="nothing mounted")
    print("volumes: shared, EBS of its size, EFS that stays; refusals as ECS's")


if __name__ == "__main__":
    sys.exit(main())
