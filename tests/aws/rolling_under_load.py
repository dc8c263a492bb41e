#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ten tasks are replaced, and the replacement is taken back, while requests come as fast as they are answered: none may fail."""
import json
import re
import subprocess
import sys
import time

from local_aws import DOCKERFILE, LocalAws, wait_for

TASKS = 10


def main():
    with LocalAws() as aws:
        images = [aws.image(tag=tag, dockerfile=DOCKERFILE.replace("echo hello", f"echo {tag}")) for tag in ("one", "two")]
        role = aws.role("exec")
        ecs, elb, ec2 = aws.client("ecs"), aws.client("elbv2"), aws.client("ec2")
        ecs.create_cluster(clusterName="c")
        balancer = elb.create_load_balancer(Name="lb", Subnets=[s["SubnetId"] for s in ec2.describe_subnets()["Subnets"]][:2])["LoadBalancers"][0]
        group = elb.create_target_group(Name="tg", Protocol="HTTP", Port=8000, VpcId=balancer["VpcId"], TargetType="ip", HealthCheckIntervalSeconds=5)["TargetGroups"][0]["TargetGroupArn"]
        elb.create_listener(LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=8080, DefaultActions=[{"Type": "forward", "TargetGroupArn": group}])
        tags = elb.describe_tags(ResourceArns=[balancer["LoadBalancerArn"]])["TagDescriptions"][0]["Tags"]
        url = [tag["Value"] for tag in tags if tag["Key"] == "slipway:local-url"][0]
        for image in images:
            ecs.register_task_definition(family="app", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512", executionRoleArn=role,
                                         containerDefinitions=[{"name": "app", "image": image, "portMappings": [{"containerPort": 8000}], "stopTimeout": 2}])
        ecs.create_service(cluster="c", serviceName="s", taskDefinition="app:1", desiredCount=TASKS, launchType="FARGATE", networkConfiguration=aws.network(),
                           loadBalancers=[{"targetGroupArn": group, "containerName": "app", "containerPort": 8000}])
        done = lambda: (lambda s: len(s["deployments"]) == 1 and s["deployments"][0]["rolloutState"] == "COMPLETED")(ecs.describe_services(cluster="c", services=["s"])["services"][0])
        wait_for(done, 120, "the first release")
        load = subprocess.Popen(["wrk", "-t1", "-c8", "-d60s", url + "/index.html"], stdout=subprocess.PIPE, text=True)
        time.sleep(1)
        took = []
        for revision in (2, 1):
            start = time.monotonic()
            ecs.update_service(cluster="c", service="s", taskDefinition=f"app:{revision}")
            wait_for(done, 120, f"revision {revision}")
            took.append(time.monotonic() - start)
        said = load.communicate()[0]
        failed = re.findall(r"Non-2xx.*|Socket errors.*", said)
        rate = re.search(r"Requests/sec:\s+([\d.]+)", said)[1]
        print(f"{TASKS} tasks replaced in {took[0]:.1f} s and back in {took[1]:.1f} s under {rate} requests/s: {failed or 'none failed'}")
        return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
