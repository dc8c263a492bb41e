#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A role with a deployer's policy: what it may works, what it may not is refused in AWS's words, wherever the policy draws the line."""
import json
import sys

from botocore.exceptions import ClientError

from local_aws import LocalAws

A = "arn:aws:ecs:us-east-1:123456789012"
STATEMENTS = [
    {"Effect": "Allow", "Action": ["ecs:RegisterTaskDefinition", "ecs:DescribeTaskDefinition", "ecr:GetAuthorizationToken"], "Resource": "*"},
    {"Effect": "Allow", "Action": ["ecs:UpdateService", "ecs:DescribeServices"], "Resource": f"{A}:service/c/api"},
    {"Effect": "Allow", "Action": "ecs:DescribeTasks", "Resource": f"{A}:task/c/*"},
    {"Effect": "Allow", "Action": "ecs:RunTask", "Resource": f"{A}:task-definition/app:*", "Condition": {"ArnEquals": {"ecs:cluster": f"{A}:cluster/c"}}},
    {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "arn:aws:iam::123456789012:role/exec",
     "Condition": {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}},
    {"Effect": "Allow", "Action": "ecr:*", "Resource": "arn:aws:ecr:us-east-1:123456789012:repository/app"},
    {"Effect": "Deny", "Action": "ecr:DeleteRepository", "Resource": "*"},
    {"Effect": "Allow", "NotAction": ["secretsmanager:DeleteSecret"], "Resource": "arn:aws:secretsmanager:*:*:secret:app/*"},
    {"Effect": "Allow", "Action": "logs:*", "Resource": "arn:aws:logs:us-east-1:123456789012:log-group:/app:*"},
    {"Effect": "Allow", "Action": "elasticloadbalancing:Describe*", "Resource": "*"},
]
found = []


def allowed(name, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        if error.response["Error"]["Code"].startswith(("AccessDenied", "Unauthorized")):
            found.append(f"{name} is refused: {error}")


def denied(who, action, resource, why, call, **arguments):
    wanted = f"User: {who} is not authorized to perform: {action} on resource: {resource} {why}"
    try:
        call(**arguments)
        found.append(f"{action} on {resource} is answered")
    except ClientError as error:
        said = error.response["Error"]
        if not said["Code"].startswith("AccessDenied") or said["Message"] != wanted:
            found.append(f"{said}\n  wanted {wanted}")


def main():
    with LocalAws() as aws:
        iam = aws.client("iam")
        trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "sts:AssumeRole"}]}
        deployer = aws.role("deployer", policies=(), trust=trust)
        iam.put_role_policy(RoleName="deployer", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": STATEMENTS}))
        role, other = aws.role("exec"), aws.role("other")
        root = aws.client("ecs")
        root.create_cluster(clusterName="c")
        aws.client("ecr").create_repository(repositoryName="app")
        aws.client("ecr").create_repository(repositoryName="other")
        secret = aws.client("secretsmanager").create_secret(Name="app/one", SecretString="s")["ARN"]
        aws.client("secretsmanager").create_secret(Name="other", SecretString="s")
        aws.client("logs").create_log_group(logGroupName="/app")
        keys = aws.client("sts").assume_role(RoleArn=deployer, RoleSessionName="ci")
        who = keys["AssumedRoleUser"]["Arn"]
        keys = keys["Credentials"]
        mine = lambda service: aws.client(service, keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
        no = lambda action: f"because no identity-based policy allows the {action} action"
        ecs, ecr, secrets, logs, elb = mine("ecs"), mine("ecr"), mine("secretsmanager"), mine("logs"), mine("elbv2")
        base = dict(networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512", containerDefinitions=[{"name": "a", "image": "i"}])
        allowed("RegisterTaskDefinition", ecs.register_task_definition, family="app", executionRoleArn=role, **base)
        denied(who, "iam:PassRole", other, no("iam:PassRole"), ecs.register_task_definition, family="app", executionRoleArn=other, **base)
        allowed("DescribeServices", ecs.describe_services, cluster="c", services=["api"])
        denied(who, "ecs:DescribeServices", f"{A}:service/c/web", no("ecs:DescribeServices"), ecs.describe_services, cluster="c", services=["web"])
        denied(who, "ecs:UpdateService", f"{A}:service/d/api", no("ecs:UpdateService"), ecs.update_service, cluster="d", service="api")
        allowed("UpdateService", ecs.update_service, cluster="c", service="api", desiredCount=1)
        allowed("DescribeTasks", ecs.describe_tasks, cluster="c", tasks=["0123456789abcdef0123456789abcdef"])
        denied(who, "ecs:CreateCluster", "*", no("ecs:CreateCluster"), ecs.create_cluster, clusterName="x")
        denied(who, "ecs:DeleteCluster", f"{A}:cluster/c", no("ecs:DeleteCluster"), ecs.delete_cluster, cluster="c")
        denied(who, "ecs:RunTask", f"{A}:task-definition/web:*", no("ecs:RunTask"), ecs.run_task, cluster="c", taskDefinition="web")
        allowed("RunTask", ecs.run_task, cluster="c", taskDefinition="app", launchType="FARGATE", networkConfiguration=aws.network())
        allowed("GetAuthorizationToken", ecr.get_authorization_token)
        allowed("DescribeImages", ecr.describe_images, repositoryName="app")
        denied(who, "ecr:DescribeImages", "arn:aws:ecr:us-east-1:123456789012:repository/other", no("ecr:DescribeImages"), ecr.describe_images, repositoryName="other")
        denied(who, "ecr:DeleteRepository", "arn:aws:ecr:us-east-1:123456789012:repository/app", "with an explicit deny in an identity-based policy",
               ecr.delete_repository, repositoryName="app")
        allowed("GetSecretValue", secrets.get_secret_value, SecretId="app/one")
        denied(who, "secretsmanager:DeleteSecret", secret, no("secretsmanager:DeleteSecret"), secrets.delete_secret, SecretId="app/one")
        allowed("FilterLogEvents", logs.filter_log_events, logGroupName="/app")
        allowed("DescribeLoadBalancers", elb.describe_load_balancers)
        denied(who, "elasticloadbalancing:CreateLoadBalancer", "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/lb/*",
               no("elasticloadbalancing:CreateLoadBalancer"), elb.create_load_balancer, Name="lb", Subnets=["subnet-1", "subnet-2"])
        denied(who, "iam:GetRole", role, no("iam:GetRole"), mine("iam").get_role, RoleName="exec")
        events = aws.client("cloudtrail").lookup_events(LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "CreateCluster"}])["Events"]
        if [json.loads(event["CloudTrailEvent"]).get("errorCode") for event in events] != ["AccessDeniedException", None]:
            found.append(f"CloudTrail tells {events}")
    print("\n".join(found) or "a deployer's policy is held to")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
