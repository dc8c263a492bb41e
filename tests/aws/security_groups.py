#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Security groups are in force: what no rule allows does not arrive, between tasks and from load balancers, and changed rules at once."""
import sys

from local_aws import LocalAws, wait_for
from service_names import Cluster, refused


def main():
    with LocalAws() as aws:
        c = Cluster(aws)
        ec2, elb = aws.client("ec2"), aws.client("elbv2")
        vpc, subnets = ec2.describe_vpcs()["Vpcs"][0]["VpcId"], [s["SubnetId"] for s in ec2.describe_subnets()["Subnets"]]
        group = {name: ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"] for name in ("lb", "app", "client")}
        net = lambda *names: {"awsvpcConfiguration": {"subnets": subnets[:1], "securityGroups": [group[n] for n in names]}}
        port = lambda source: dict(IpPermissions=[{"IpProtocol": "tcp", "FromPort": 8000, "ToPort": 8000, **source}])
        peer = lambda name: port({"UserIdGroupPairs": [{"GroupId": group[name]}]})

        c.definition("app")
        text = refused("InvalidParameterException", c.ecs.run_task, cluster="c", taskDefinition="app", launchType="FARGATE",
                       networkConfiguration={"awsvpcConfiguration": {"subnets": subnets[:1], "securityGroups": ["sg-0123"]}})
        assert "InvalidGroup.NotFound" in text, text
        run = lambda family, *names: c.ecs.run_task(cluster="c", taskDefinition=family, launchType="FARGATE", networkConfiguration=net(*names))["tasks"][0]["taskArn"]
        server = run("app", "app")
        address = wait_for(lambda: (lambda t: t["lastStatus"] == "RUNNING" and t["containers"][0]["networkInterfaces"][0]["privateIpv4Address"])(
            c.ecs.describe_tasks(cluster="c", tasks=[server])["tasks"][0]), 30, "the server")

        c.definition("ask", f"timeout 3 wget -qO- http://{address}:8000/ && echo || echo no way")

        def reaches(*names):
            task = run("ask", *names)
            c.ended(task)
            said = c.log("ask", task)
            assert said, task
            return "hello" in said

        assert not reaches("client"), "a group without rules lets in"
        ec2.authorize_security_group_ingress(GroupId=group["app"], **peer("client"))
        assert reaches("client") and not reaches("lb"), "a rule for a group is one for its members"
        ec2.revoke_security_group_ingress(GroupId=group["app"], **peer("client"))
        assert not reaches("client"), "a rule taken back is in force"
        cidr = ec2.describe_vpcs()["Vpcs"][0]["CidrBlock"]
        ec2.authorize_security_group_ingress(GroupId=group["app"], **port({"IpRanges": [{"CidrIp": cidr}]}))
        assert reaches("client") and reaches("lb"), "the VPC's range is its tasks"
        ec2.revoke_security_group_egress(GroupId=group["client"], IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])
        assert not reaches("client") and reaches("client", "lb"), "what may not go out does not, unless another group lets it"
        ec2.revoke_security_group_ingress(GroupId=group["app"], **port({"IpRanges": [{"CidrIp": cidr}]}))

        balancer = elb.create_load_balancer(Name="lb", Subnets=subnets[:2], SecurityGroups=[group["lb"]])["LoadBalancers"][0]["LoadBalancerArn"]
        target = elb.create_target_group(Name="tg", Protocol="HTTP", Port=8000, VpcId=vpc, TargetType="ip", HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2,
                                         UnhealthyThresholdCount=2)["TargetGroups"][0]["TargetGroupArn"]
        elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=8080, DefaultActions=[{"Type": "forward", "TargetGroupArn": target}])
        elb.register_targets(TargetGroupArn=target, Targets=[{"Id": address, "Port": 8000}])
        health = lambda: elb.describe_target_health(TargetGroupArn=target)["TargetHealthDescriptions"][0]["TargetHealth"]
        wait_for(lambda: health()["State"] == "unhealthy", 40, "the target's failure")
        assert health()["Reason"] == "Target.Timeout", health()
        ec2.authorize_security_group_ingress(GroupId=group["app"], **peer("lb"))
        wait_for(lambda: health()["State"] == "healthy", 60, "the target's health")
        print("security groups: between tasks by group and range, out of a task, and a balancer's health checks")
    return 0


if __name__ == "__main__":
    sys.exit(main())
