#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A blue/green release: all of the new revision stands beside the old one, the rule moves to its target group, the old one goes; no request
fails. A broken one never gets a request and is rolled back."""
import sys
import time
import urllib.request

from local_aws import DOCKERFILE, LocalAws, wait_for


def pauses(ecs, service, done, answer):
    """Hooks hold a deployment before its tasks and before its traffic, until they are answered."""
    hook = lambda **more: {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0, "lifecycleHooks": [{"lifecycleStages": ["PRE_SCALE_UP", "POST_TEST_TRAFFIC_SHIFT"], **more}]}
    try:
        ecs.update_service(cluster="c", service="s", deploymentConfiguration=hook(hookTargetArn="arn:aws:lambda:us-east-1:123456789012:function:f", roleArn="arn:aws:iam::123456789012:role/r"))
        raise AssertionError("a hook that calls a function was taken")
    except ecs.exceptions.InvalidParameterException as refusal:
        assert "no Lambda" in str(refusal), refusal
    ecs.update_service(cluster="c", service="s", taskDefinition="app:1", deploymentConfiguration=hook(targetType="PAUSE", timeoutConfiguration={"timeoutInMinutes": 60, "action": "ROLLBACK"}))

    def paused(stage):
        arn = service()["currentServiceDeployment"]
        shown = ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"][0]
        waiting = [one for one in shown.get("lifecycleHookDetails", []) if one["status"] == "AWAITING_ACTION"]
        return shown.get("lifecycleStage") == stage and waiting and {"serviceDeploymentArn": arn, "hookId": waiting[0]["hookId"]}

    first = wait_for(lambda: paused("PRE_SCALE_UP"), 30, "the first pause")
    assert service()["runningCount"] == 2, service()
    ecs.continue_service_deployment(**first)
    second = wait_for(lambda: paused("POST_TEST_TRAFFIC_SHIFT"), 60, "the second pause")
    assert service()["runningCount"] == 4 and answer() == "two", answer()
    try:
        ecs.continue_service_deployment(**first)
        raise AssertionError("a hook was answered twice")
    except ecs.exceptions.InvalidParameterException:
        pass
    ecs.continue_service_deployment(**second)
    wait_for(done, 60, "the deployment after its pauses")
    assert answer() == "one"
    ecs.update_service(cluster="c", service="s", taskDefinition="app:2")
    ecs.continue_service_deployment(action="ROLLBACK", **wait_for(lambda: paused("PRE_SCALE_UP"), 30, "a pause"))
    wait_for(lambda: done() and service()["taskDefinition"].endswith("app:1"), 60, "the way back")
    assert answer() == "one"


def main():
    with LocalAws() as aws:
        images = [aws.image(tag=tag, dockerfile=DOCKERFILE.replace("echo hello", f"echo {tag}")) for tag in ("one", "two")]
        role = aws.role("exec")
        ecs, elb, ec2 = aws.client("ecs"), aws.client("elbv2"), aws.client("ec2")
        ecs.create_cluster(clusterName="c")
        balancer = elb.create_load_balancer(Name="lb", Subnets=[s["SubnetId"] for s in ec2.describe_subnets()["Subnets"]][:2])["LoadBalancers"][0]
        groups = []
        for name in ("blue", "green"):
            groups.append(elb.create_target_group(Name=name, Protocol="HTTP", Port=8000, VpcId=balancer["VpcId"], TargetType="ip", HealthCheckIntervalSeconds=5)["TargetGroups"][0]["TargetGroupArn"])
        listener = elb.create_listener(LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=8080, DefaultActions=[{"Type": "forward", "TargetGroupArn": groups[0]}])["Listeners"][0]["ListenerArn"]
        rule = elb.describe_rules(ListenerArn=listener)["Rules"][0]["RuleArn"]
        tags = elb.describe_tags(ResourceArns=[balancer["LoadBalancerArn"]])["TagDescriptions"][0]["Tags"]
        url = [tag["Value"] for tag in tags if tag["Key"] == "slipway:local-url"][0] + "/index.html"
        answer = lambda: urllib.request.urlopen(url, timeout=5).read().decode().strip()

        def register(image, **more):
            container = {"name": "app", "image": image, "portMappings": [{"containerPort": 8000}], "stopTimeout": 2, **more}
            ecs.register_task_definition(family="app", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512", executionRoleArn=role, containerDefinitions=[container])

        for image in images:
            register(image)
        register(images[1], command=["sh", "-c", "exit 1"])
        ecs.create_service(cluster="c", serviceName="s", taskDefinition="app:1", desiredCount=2, launchType="FARGATE", networkConfiguration=aws.network(),
                           deploymentConfiguration={"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0, "deploymentCircuitBreaker": {"enable": True, "rollback": True}},
                           loadBalancers=[{"targetGroupArn": groups[0], "containerName": "app", "containerPort": 8000,
                                           "advancedConfiguration": {"alternateTargetGroupArn": groups[1], "productionListenerRule": rule, "roleArn": role}}])
        service = lambda: ecs.describe_services(cluster="c", services=["s"])["services"][0]
        done = lambda: len(service()["deployments"]) == 1 and service()["deployments"][0]["rolloutState"] == "COMPLETED"
        wait_for(done, 60, "the first release")
        assert answer() == "one"
        ecs.update_service(cluster="c", service="s", taskDefinition="app:2")
        seen, most = [], 0
        end = time.monotonic() + 60
        while not done() and time.monotonic() < end:
            said = answer()
            if not seen or seen[-1] != said:
                seen.append(said)
            most = max(most, service()["runningCount"])
        assert done() and seen in (["one", "two"], ["one"]) and answer() == "two", (seen, answer())
        assert most == 4, most
        weights = elb.describe_rules(RuleArns=[rule])["Rules"][0]["Actions"][0]["ForwardConfig"]["TargetGroups"]
        assert {each["TargetGroupArn"]: each["Weight"] for each in weights} == {groups[1]: 100, groups[0]: 0}, weights
        ecs.update_service(cluster="c", service="s", taskDefinition="app:3")
        wait_for(lambda: any(" rolling back to deployment " in event["message"] for event in service()["events"]), 60, "the rollback")
        wait_for(done, 60, "the end of the rollback")
        assert answer() == "two" and service()["taskDefinition"].endswith("app:2"), service()
        weights = elb.describe_rules(RuleArns=[rule])["Rules"][0]["Actions"][0]["ForwardConfig"]["TargetGroups"]
        assert {each["TargetGroupArn"]: each["Weight"] for each in weights}[groups[1]] == 100, weights
        pauses(ecs, service, done, answer)
    print("blue/green: the traffic moves with the rule, a broken revision never gets any, hooks pause it")


if __name__ == "__main__":
    sys.exit(main())
