#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""CodeDeploy's blue/green for ECS by `aws ecs deploy` and boto3: the traffic moves to the new task set, a broken one is taken back, a stopped one
too, a held one waits for ContinueDeployment; what only CodeDeploy may change is refused by ECS."""
import json
import os
import subprocess
import sys
import urllib.request

from local_aws import DOCKERFILE, LocalAws, wait_for

TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "codedeploy.amazonaws.com"}, "Action": "sts:AssumeRole"}]}


WORKFLOW = """on: push
jobs:
  deploy:
    runs-on: ubuntu-latest
    environment: staging
    steps:
      - uses: actions/checkout@v4
      - uses: aws-actions/configure-aws-credentials@v4
        with: {aws-region: us-east-1, aws-access-key-id: "${{ secrets.KEY }}", aws-secret-access-key: "${{ secrets.SECRET }}"}
      - uses: aws-actions/amazon-ecs-deploy-task-definition@v2
        id: deploy
        with: {task-definition: task.json, cluster: c, service: s, wait-for-service-stability: true}
      - run: test -n "${{ steps.deploy.outputs.codedeploy-deployment-id }}"
"""


def spec(definition):
    return {"version": 1, "Resources": [{"TargetService": {"Type": "AWS::ECS::Service", "Properties": {
        "TaskDefinition": definition, "LoadBalancerInfo": {"ContainerName": "app", "ContainerPort": 8000}}}}]}


def refusal(call, **arguments):
    try:
        call(**arguments)
    except Exception as error:  # noqa: BLE001: a botocore ClientError of any service
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    return "accepted", ""


def main():
    with LocalAws() as aws:
        images = {tag: aws.image(tag=tag, dockerfile=DOCKERFILE.replace("echo hello", f"echo {tag}")) for tag in ("one", "two", "three")}
        role = aws.role("exec")
        deployer = aws.role("deployer", policies=("arn:aws:iam::aws:policy/AWSCodeDeployRoleForECS",), trust=TRUST)
        ecs, elb, ec2, deploy = aws.client("ecs"), aws.client("elbv2"), aws.client("ec2"), aws.client("codedeploy")
        ecs.create_cluster(clusterName="c")
        balancer = elb.create_load_balancer(Name="lb", Subnets=[s["SubnetId"] for s in ec2.describe_subnets()["Subnets"]][:2])["LoadBalancers"][0]
        groups = [elb.create_target_group(Name=name, Protocol="HTTP", Port=8000, VpcId=balancer["VpcId"], TargetType="ip", HealthCheckIntervalSeconds=5)["TargetGroups"][0]["TargetGroupArn"] for name in ("blue", "green")]
        listener = elb.create_listener(LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=8080, DefaultActions=[{"Type": "forward", "TargetGroupArn": groups[0]}])["Listeners"][0]["ListenerArn"]
        tags = elb.describe_tags(ResourceArns=[balancer["LoadBalancerArn"]])["TagDescriptions"][0]["Tags"]
        url = [tag["Value"] for tag in tags if tag["Key"] == "slipway:local-url"][0] + "/index.html"
        answer = lambda: urllib.request.urlopen(url, timeout=5).read().decode().strip()

        def definition(image, **more):
            container = {"name": "app", "image": image, "portMappings": [{"containerPort": 8000}], "stopTimeout": 2, **more}
            return dict(family="app", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512", executionRoleArn=role, containerDefinitions=[container])

        ecs.register_task_definition(**definition(images["one"]))
        service = lambda: ecs.describe_services(cluster="c", services=["s"])["services"][0]
        ecs.create_service(cluster="c", serviceName="s", taskDefinition="app:1", desiredCount=1, launchType="FARGATE", networkConfiguration=aws.network(), deploymentController={"type": "CODE_DEPLOY"},
                           loadBalancers=[{"targetGroupArn": groups[0], "containerName": "app", "containerPort": 8000}])
        assert service()["deploymentController"] == {"type": "CODE_DEPLOY"} and service()["deployments"] == []
        wait_for(lambda: service()["taskSets"][0]["stabilityStatus"] == "STEADY_STATE", 60, "the first task set")
        wait_for(lambda: elb.describe_target_health(TargetGroupArn=groups[0])["TargetHealthDescriptions"][0]["TargetHealth"]["State"] == "healthy", 30, "health")
        assert answer() == "one"
        code, text = refusal(ecs.update_service, cluster="c", service="s", taskDefinition="app:1")
        assert code == "InvalidParameterException" and "CODE_DEPLOY deployment controller. Use AWS CodeDeploy" in text, (code, text)

        deploy.create_application(applicationName="AppECS-c-s", computePlatform="ECS")
        group = dict(applicationName="AppECS-c-s", deploymentGroupName="DgpECS-c-s", serviceRoleArn=deployer, ecsServices=[{"serviceName": "s", "clusterName": "c"}],
                     deploymentStyle={"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
                     autoRollbackConfiguration={"enabled": True, "events": ["DEPLOYMENT_FAILURE"]},
                     blueGreenDeploymentConfiguration={"terminateBlueInstancesOnDeploymentSuccess": {"action": "TERMINATE", "terminationWaitTimeInMinutes": 0}, "deploymentReadyOption": {"actionOnTimeout": "CONTINUE_DEPLOYMENT"}},
                     loadBalancerInfo={"targetGroupPairInfoList": [{"targetGroups": [{"name": "blue"}, {"name": "green"}], "prodTrafficRoute": {"listenerArns": [listener]}}]})
        assert refusal(deploy.create_deployment_group, **{**group, "serviceRoleArn": role})[0] == "InvalidRoleException"
        deploy.create_deployment_group(**group)

        def start(revision, **more):
            content = json.dumps(spec(revision))
            return deploy.create_deployment(applicationName="AppECS-c-s", deploymentGroupName="DgpECS-c-s", revision={"revisionType": "AppSpecContent", "appSpecContent": {"content": content}}, **more)["deploymentId"]

        # The AWS CLI: registers, deploys, waits.
        folder = aws.directory
        with open(os.path.join(folder, "task.json"), "w") as out:
            json.dump(definition(images["two"]), out)
        with open(os.path.join(folder, "appspec.json"), "w") as out:
            json.dump(spec("replaced by the CLI"), out)
        env = {**os.environ, "AWS_ENDPOINT_URL": aws.url, "AWS_ACCESS_KEY_ID": aws.env["AWS_ACCESS_KEY_ID"], "AWS_SECRET_ACCESS_KEY": aws.env["AWS_SECRET_ACCESS_KEY"], "AWS_DEFAULT_REGION": aws.env["AWS_REGION"]}
        said = subprocess.run(["aws", "ecs", "deploy", "--cluster", "c", "--service", "s", "--task-definition", f"{folder}/task.json", "--codedeploy-appspec", f"{folder}/appspec.json"],
                              env=env, capture_output=True, text=True, timeout=120)
        if "Could not connect to the endpoint URL" in said.stderr:  # before 2.13 the CLI does not read AWS_ENDPOINT_URL
            print("this AWS CLI cannot be led to a local CodeDeploy: boto3 does what it would")
            ecs.register_task_definition(**definition(images["two"]))
            deploy.get_waiter("deployment_successful").wait(deploymentId=start("app:2"), WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        else:
            assert said.returncode == 0 and "Successfully deployed" in said.stdout, said
        assert answer() == "two" and len(service()["taskSets"]) == 1 and service()["taskSets"][0]["taskDefinition"].endswith("app:2"), service()
        first = deploy.list_deployments(applicationName="AppECS-c-s", deploymentGroupName="DgpECS-c-s")["deployments"][0]
        info = deploy.get_deployment(deploymentId=first)["deploymentInfo"]
        assert info["status"] == "Succeeded" and info["deploymentOverview"]["Succeeded"] == 1, info
        target = deploy.get_deployment_target(deploymentId=first, targetId="c:s")["deploymentTarget"]["ecsTarget"]
        assert [event["status"] for event in target["lifecycleEvents"]] == ["Succeeded"] * 8, target

        status = lambda each: deploy.get_deployment(deploymentId=each)["deploymentInfo"]["status"]
        # A broken one never gets a request.
        ecs.register_task_definition(**definition(images["two"], command=["sh", "-c", "exit 1"]))
        broken = start("app:3")
        assert refusal(start, revision="app:2")[0] == "DeploymentLimitExceededException"
        wait_for(lambda: status(broken) == "Failed", 90, "the failure")
        info = deploy.get_deployment(deploymentId=broken)["deploymentInfo"]
        assert info["errorInformation"]["code"] == "HEALTH_CONSTRAINTS" and "rollbackInfo" in info and answer() == "two", info
        # A held one waits.
        ecs.register_task_definition(**definition(images["three"]))
        held = {**group["blueGreenDeploymentConfiguration"], "deploymentReadyOption": {"actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": 5}}
        deploy.update_deployment_group(applicationName="AppECS-c-s", currentDeploymentGroupName="DgpECS-c-s", blueGreenDeploymentConfiguration=held)
        wait_for(lambda: len(service()["taskSets"]) == 1, 60, "the end of the broken task set")
        waiting = start("app:4")
        wait_for(lambda: status(waiting) == "Ready", 60, "Ready")
        assert answer() == "two"
        deploy.continue_deployment(deploymentId=waiting, deploymentWaitType="READY_WAIT")
        deploy.get_waiter("deployment_successful").wait(deploymentId=waiting, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        assert answer() == "three"
        # A stopped one is taken back.
        stopped = start("app:2")
        wait_for(lambda: status(stopped) == "Ready", 60, "Ready")
        deploy.stop_deployment(deploymentId=stopped, autoRollbackEnabled=True)
        assert status(stopped) == "Stopped"
        wait_for(lambda: len(service()["taskSets"]) == 1, 60, "the end of the stopped task set")
        assert answer() == "three"
        # The built-in action deploys to it from a workflow.
        deploy.update_deployment_group(applicationName="AppECS-c-s", currentDeploymentGroupName="DgpECS-c-s", blueGreenDeploymentConfiguration=group["blueGreenDeploymentConfiguration"])
        repository = os.path.join(folder, "app")
        os.makedirs(os.path.join(repository, ".github/workflows"))
        with open(os.path.join(repository, "task.json"), "w") as out:
            json.dump(definition(images["one"]), out)
        with open(os.path.join(repository, "appspec.yaml"), "w") as out:
            json.dump(spec("<put in by the action>"), out)
        with open(os.path.join(repository, ".github/workflows/deploy.yml"), "w") as out:
            out.write(WORKFLOW)
        for words in (["init", "-qb", "main"], ["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "one"]):
            subprocess.run(["git", "-C", repository, *words], check=True)
        said = subprocess.run([aws.binary, "--state", aws.state, "run", "--secret", "KEY=" + aws.env["AWS_ACCESS_KEY_ID"], "--secret", "SECRET=" + aws.env["AWS_SECRET_ACCESS_KEY"]], cwd=repository, capture_output=True, text=True, timeout=120)
        assert said.returncode == 0 and "Succeeded" in said.stdout + said.stderr, said
        assert answer() == "one"
        # slipway's own verbs, which know no AppSpec: another image, back again, and back from the midst of a deployment.
        settle = lambda: wait_for(lambda: len(service()["taskSets"]) == 1, 60, "one task set")
        states = {**os.environ, "SLIPWAY_STATE": aws.state, "AWS_ENDPOINT_URL": aws.url, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": aws.env["AWS_ACCESS_KEY_ID"], "AWS_SECRET_ACCESS_KEY": aws.env["AWS_SECRET_ACCESS_KEY"]}
        verb = lambda *words: subprocess.run([aws.binary, *words, "--yes"], cwd=repository, env=states, capture_output=True, text=True, timeout=120)

        def change(image):
            with open(os.path.join(repository, "task.json"), "w") as out:
                json.dump(definition(image), out)
            subprocess.run(["git", "-C", repository, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qam", image], check=True)

        settle()
        change(images["three"])
        done = verb("deploy", "staging")
        assert done.returncode == 0 and answer() == "three", done
        last = deploy.get_deployment_group(applicationName="AppECS-c-s", deploymentGroupName="DgpECS-c-s")["deploymentGroupInfo"]["lastSuccessfulDeployment"]["deploymentId"]
        assert deploy.get_deployment(deploymentId=last)["deploymentInfo"]["description"] == "slipway deploy"
        settle()
        done = verb("deploy", "staging")
        assert done.returncode == 0 and "runs it already" in done.stdout, done
        done = verb("rollback", "staging", "--no-pause")
        assert done.returncode == 0 and answer() == "one", done
        settle()
        deploy.update_deployment_group(applicationName="AppECS-c-s", currentDeploymentGroupName="DgpECS-c-s", blueGreenDeploymentConfiguration=held)
        change(images["two"])
        waiting = subprocess.Popen([aws.binary, "deploy", "staging", "--yes"], cwd=repository, env=states, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        held_ones = lambda: deploy.list_deployments(applicationName="AppECS-c-s", deploymentGroupName="DgpECS-c-s", includeOnlyStatuses=["Ready"])["deployments"]
        one = wait_for(held_ones, 60, "a deployment that is held")[0]
        deploy.update_deployment_group(applicationName="AppECS-c-s", currentDeploymentGroupName="DgpECS-c-s", blueGreenDeploymentConfiguration=group["blueGreenDeploymentConfiguration"])
        done = verb("rollback", "staging", "--no-pause")
        said = waiting.communicate(timeout=60)
        assert done.returncode == 0 and status(one) == "Stopped" and waiting.returncode == 1 and answer() == "one", (done, said)
        settle()
        assert refusal(start, revision="app:99")[0] == "InvalidRevisionException"
        assert refusal(deploy.get_deployment, deploymentId="d-XXXXXXXXX")[0] == "DeploymentDoesNotExistException"
    print("CodeDeploy: the CLI deploys, broken and stopped deployments are taken back, a held one waits; slipway's verbs go through it")


if __name__ == "__main__":
    sys.exit(main())
