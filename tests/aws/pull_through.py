#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ECR's pull-through cache: an image of another registry is pulled by a name of ours, by clients and tasks, and stays when the other has
gone; templates say how the repositories look that a pull or a push makes."""
import json
import os
import re
import subprocess
import sys
import tempfile

from local_aws import LocalAws, wait_for


class Upstream:
    """A plain registry on loopback."""

    def __init__(self, aws):
        self.root = tempfile.mkdtemp(dir=aws.directory)
        self.process = subprocess.Popen([aws.binary, "--state", os.path.join(self.root, "state"), "registry", "serve", "--root", self.root, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
        self.at = re.search(r"registry on ([^,]+),", self.process.stdout.readline())[1]

    def stop(self):
        self.process.terminate()
        self.process.wait()


def skopeo(*arguments):
    return subprocess.run(["skopeo", "--insecure-policy", *arguments], capture_output=True, text=True)


def refused(error, call, **arguments):
    try:
        call(**arguments)
    except Exception as caught:
        assert caught.response["Error"]["Code"] == error, caught
        return
    raise AssertionError(f"{arguments} was not refused with {error}")


def main():
    with LocalAws() as aws:
        upstream = Upstream(aws)
        try:
            check(aws, upstream)
        finally:
            upstream.stop()
    print("pull-through: clients and tasks, templates, permissions, without the other registry")
    return 0


def check(aws, upstream):
    ecr, registry = aws.client("ecr"), aws.url.removeprefix("http://")
    aws.image("seed")  # an image to begin with, in our own registry
    creds = f"AWS:{aws.password()}"
    assert skopeo("copy", "-q", "--src-tls-verify=false", "--src-creds", creds, "--dest-tls-verify=false", f"docker://{registry}/seed:1", f"docker://{upstream.at}/library/tool:1").returncode == 0
    pull = lambda name, by=creds: skopeo("inspect", "--raw", "--tls-verify=false", "--creds", by, f"docker://{registry}/{name}")

    refused("UnsupportedUpstreamRegistryException", ecr.create_pull_through_cache_rule, ecrRepositoryPrefix="xx", upstreamRegistryUrl="registry.example.org")
    refused("InvalidParameterException", ecr.create_pull_through_cache_rule, ecrRepositoryPrefix="xx", upstreamRegistryUrl="registry-1.docker.io")
    refused("PullThroughCacheRuleNotFoundException", ecr.describe_pull_through_cache_rules, ecrRepositoryPrefixes=["local"])
    assert "NAME_UNKNOWN" in pull("local/tool:1").stderr or pull("local/tool:1").returncode != 0
    rule = ecr.create_pull_through_cache_rule(ecrRepositoryPrefix="local", upstreamRegistryUrl=upstream.at, upstreamRepositoryPrefix="library")
    assert rule["upstreamRepositoryPrefix"] == "library", rule
    refused("PullThroughCacheRuleAlreadyExistsException", ecr.create_pull_through_cache_rule, ecrRepositoryPrefix="local", upstreamRegistryUrl=upstream.at)
    assert ecr.validate_pull_through_cache_rule(ecrRepositoryPrefix="local")["isValid"]
    ecr.create_repository_creation_template(prefix="local", appliedFor=["PULL_THROUGH_CACHE"], imageTagMutability="IMMUTABLE", resourceTags=[{"Key": "from", "Value": "upstream"}])
    refused("TemplateAlreadyExistsException", ecr.create_repository_creation_template, prefix="local", appliedFor=["PULL_THROUGH_CACHE"])

    role = aws.role("execution")
    ecs, logs = aws.client("ecs"), aws.client("logs")
    logs.create_log_group(logGroupName="l")
    ecs.create_cluster(clusterName="c")
    ecs.register_task_definition(family="tool", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512", executionRoleArn=role, containerDefinitions=[
        {"name": "app", "image": f"{aws.env_account()}.dkr.ecr.us-east-1.amazonaws.com/local/tool:1", "command": ["true"]}])

    def run():
        task = ecs.run_task(cluster="c", taskDefinition="tool", launchType="FARGATE", networkConfiguration=aws.network())["tasks"][0]["taskArn"]
        return wait_for(lambda: (lambda t: t["lastStatus"] == "STOPPED" and t)(ecs.describe_tasks(cluster="c", tasks=[task])["tasks"][0]), 60, "the task")

    stopped = run()
    assert stopped["stopCode"] == "TaskFailedToStart" and "ecr:BatchImportUpstreamImage" in stopped["stoppedReason"], stopped
    aws.client("iam").put_role_policy(RoleName="execution", PolicyName="import", PolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["ecr:BatchImportUpstreamImage", "ecr:CreateRepository"], "Resource": "*"}]}))
    stopped = run()
    assert stopped["stopCode"] == "EssentialContainerExited" and stopped["containers"][0]["exitCode"] == 0, stopped
    made = ecr.describe_repositories(repositoryNames=["local/tool"])["repositories"][0]
    assert made["imageTagMutability"] == "IMMUTABLE", made
    assert ecr.list_tags_for_resource(resourceArn=made["repositoryArn"])["tags"] == [{"Key": "from", "Value": "upstream"}]
    assert pull("local/tool:1").stdout == skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{upstream.at}/library/tool:1").stdout
    assert pull("local/nothing:1").returncode != 0
    upstream.stop()
    assert not ecr.validate_pull_through_cache_rule(ecrRepositoryPrefix="local")["isValid"]
    assert pull("local/tool:1").returncode == 0, pull("local/tool:1").stderr

    push = lambda name: skopeo("copy", "-q", "--src-tls-verify=false", "--src-creds", creds, "--dest-tls-verify=false", "--dest-creds", creds, f"docker://{registry}/seed:1", f"docker://{registry}/{name}")
    assert push("team/new:1").returncode != 0
    ecr.create_repository_creation_template(prefix="team", appliedFor=["CREATE_ON_PUSH"], imageTagMutability="IMMUTABLE", lifecyclePolicy=json.dumps(
        {"rules": [{"rulePriority": 1, "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 5}, "action": {"type": "expire"}}]}))
    assert push("team/new:1").returncode == 0, push("team/new:1").stderr
    assert push("other/new:1").returncode != 0
    assert ecr.describe_images(repositoryName="team/new")["imageDetails"][0]["imageTags"] == ["1"]
    assert "imageCountMoreThan" in ecr.get_lifecycle_policy(repositoryName="team/new")["lifecyclePolicyText"]
    ecr.update_repository_creation_template(prefix="team", imageTagMutability="MUTABLE")
    assert [t["prefix"] for t in ecr.describe_repository_creation_templates()["repositoryCreationTemplates"]] == ["local", "team"]
    ecr.delete_repository_creation_template(prefix="team")
    refused("TemplateNotFoundException", ecr.delete_repository_creation_template, prefix="team")
    ecr.delete_pull_through_cache_rule(ecrRepositoryPrefix="local")
    assert not ecr.describe_pull_through_cache_rules()["pullThroughCacheRules"]


if __name__ == "__main__":
    sys.exit(main())
