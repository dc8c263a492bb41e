#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A task asks 169.254.170.2 what it is and for its role's keys, and the keys are the role's: they may what its policy allows and no more."""
import json
import sys

from botocore.exceptions import ClientError

from local_aws import LocalAws, wait_for

SCRIPT = """wget -q -O - $ECS_CONTAINER_METADATA_URI_V4; echo
wget -q -O - $ECS_CONTAINER_METADATA_URI_V4/task; echo
wget -q -O - http://169.254.170.2$AWS_CONTAINER_CREDENTIALS_RELATIVE_URI; echo"""


def main():
    with LocalAws() as aws:
        image = aws.image()
        role = aws.role("exec")
        task_role = aws.role("task", policies=())
        may = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ssm:GetParameter", "Resource": "arn:aws:ssm:*:*:parameter/mine/*"}]}
        aws.client("iam").put_role_policy(RoleName="task", PolicyName="p", PolicyDocument=json.dumps(may))
        for name in ("/mine/a", "/other"):
            aws.client("ssm").put_parameter(Name=name, Value="v", Type="String")
        aws.client("logs").create_log_group(logGroupName="/t")
        ecs = aws.client("ecs")
        ecs.create_cluster(clusterName="c")
        logs = {"logDriver": "awslogs", "options": {"awslogs-group": "/t", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "x"}}
        ecs.register_task_definition(family="t", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512", executionRoleArn=role,
                                     taskRoleArn=task_role, containerDefinitions=[{"name": "app", "image": image, "command": ["sh", "-c", SCRIPT], "logConfiguration": logs}])
        arn = ecs.run_task(cluster="c", taskDefinition="t", launchType="FARGATE", networkConfiguration=aws.network())["tasks"][0]["taskArn"]
        task = lambda: ecs.describe_tasks(cluster="c", tasks=[arn])["tasks"][0]
        wait_for(lambda: task()["lastStatus"] == "STOPPED", what="the end of the task")
        lines = [event["message"] for event in aws.client("logs").filter_log_events(logGroupName="/t")["events"]]
        container, whole, keys = [json.loads(line) for line in lines if line]
        assert container["Name"] == "app" and container["Image"] == image and container["LogDriver"] == "awslogs", container
        assert container["Networks"][0]["NetworkMode"] == "awsvpc" and container["Networks"][0]["IPv4Addresses"], container
        assert whole["TaskARN"] == arn and whole["Family"] == "t" and whole["Limits"] == {"CPU": 0.25, "Memory": 512}, whole
        assert whole["Containers"][0]["ContainerARN"] == task()["containers"][0]["containerArn"], whole
        assert keys["RoleArn"] == task_role, keys
        mine = lambda service: aws.client(service, keys["AccessKeyId"], keys["SecretAccessKey"], keys["Token"])
        who = mine("sts").get_caller_identity()["Arn"]
        assert who == f"arn:aws:sts::123456789012:assumed-role/task/{arn.rsplit('/', 1)[1]}", who
        assert mine("ssm").get_parameter(Name="/mine/a")["Parameter"]["Value"] == "v"
        try:
            mine("ssm").get_parameter(Name="/other")
            raise AssertionError("the task's keys may what its role may not")
        except ClientError as error:
            said = error.response["Error"]
            assert said["Code"] == "AccessDeniedException", said
            assert said["Message"] == (f"User: {who} is not authorized to perform: ssm:GetParameter on resource: arn:aws:ssm:us-east-1:123456789012:parameter/other "
                                       "because no identity-based policy allows the ssm:GetParameter action"), said
    print("a task knows itself and has its role's keys")


if __name__ == "__main__":
    sys.exit(main())
