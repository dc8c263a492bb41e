# SPDX-License-Identifier: Apache-2.0
"""CloudWatch: metrics, statistics and alarms by boto3 (JSON), the query and RPC v2 CBOR protocols; a deployment that an alarm stops and takes back;
what the load balancer and the tasks really did."""
import datetime
import json
import os
import subprocess
import time
import urllib.error
import urllib.request

import botocore.auth
import botocore.awsrequest
import botocore.credentials
from botocore.exceptions import ClientError

from local_aws import LocalAws, wait_for
from walker import from_cbor

UTC = datetime.timezone.utc


def now():
    return datetime.datetime.now(UTC)


def alarm(name, **more):
    return {**dict(AlarmName=name, Namespace="Shop", MetricName="Errors", Statistic="Sum", Period=10, EvaluationPeriods=1, Threshold=5,
                   ComparisonOperator="GreaterThanThreshold", TreatMissingData="notBreaching"), **more}


def signed(aws, headers, body, path="/"):
    """A request of another protocol than botocore would choose, by its own signer."""
    request = botocore.awsrequest.AWSRequest("POST", aws.url + path, headers, body)
    keys = botocore.credentials.Credentials(aws.env["AWS_ACCESS_KEY_ID"], aws.env["AWS_SECRET_ACCESS_KEY"])
    botocore.auth.SigV4Auth(keys, "monitoring", "us-east-1").add_auth(request)
    with urllib.request.urlopen(urllib.request.Request(request.url, body if isinstance(body, bytes) else body.encode(), dict(request.headers), method="POST")) as answer:
        text = answer.read()
        return answer.headers["Content-Type"], text if isinstance(body, bytes) else text.decode()


def metrics_and_alarms(aws):
    cloudwatch = aws.client("cloudwatch")
    minute = now().replace(second=0, microsecond=0) - datetime.timedelta(minutes=3)
    cloudwatch.put_metric_data(Namespace="Shop", MetricData=[
        {"MetricName": "Latency", "Dimensions": [{"Name": "Page", "Value": "cart"}], "Timestamp": minute, "Value": v, "Unit": "Milliseconds"} for v in (10, 20, 60)]
        + [{"MetricName": "Latency", "Dimensions": [{"Name": "Page", "Value": "cart"}], "Timestamp": minute + datetime.timedelta(minutes=1),
            "StatisticValues": {"SampleCount": 4, "Sum": 8, "Minimum": 1, "Maximum": 3.5}}])
    page = [{"Name": "Page", "Value": "cart"}]
    assert cloudwatch.list_metrics(Namespace="Shop")["Metrics"] == [{"Namespace": "Shop", "MetricName": "Latency", "Dimensions": page}]
    points = cloudwatch.get_metric_statistics(Namespace="Shop", MetricName="Latency", Dimensions=page, StartTime=minute, EndTime=now(), Period=60,
                                              Statistics=["Average", "Maximum", "SampleCount"])["Datapoints"]
    points.sort(key=lambda p: p["Timestamp"])
    assert [(p["Average"], p["Maximum"], p["SampleCount"]) for p in points] == [(30, 60, 3), (2, 3.5, 4)], points
    assert points[0]["Timestamp"] == minute
    data = cloudwatch.get_metric_data(StartTime=minute, EndTime=now(), ScanBy="TimestampAscending", MetricDataQueries=[
        {"Id": "a", "MetricStat": {"Metric": {"Namespace": "Shop", "MetricName": "Latency", "Dimensions": page}, "Period": 60, "Stat": "Sum"}}])["MetricDataResults"][0]
    assert data["Values"] == [90, 8] and data["Timestamps"][0] == minute, data
    for code, call, arguments in (
            ("InvalidParameterValue", cloudwatch.put_metric_data, dict(Namespace="AWS/ECS", MetricData=[{"MetricName": "x", "Value": 1}])),
            ("ResourceNotFound", cloudwatch.set_alarm_state, dict(AlarmName="none", StateValue="OK", StateReason="x")),
            ("ResourceNotFound", cloudwatch.delete_alarms, dict(AlarmNames=["none"])),
            ("ValidationError", cloudwatch.put_metric_alarm, alarm("x", EvaluationPeriods=1, DatapointsToAlarm=2))):
        try:
            call(**arguments)
        except ClientError as error:
            assert error.response["Error"]["Code"] == code, error.response
        else:
            raise AssertionError(f"not refused: {arguments}")
    cloudwatch.put_metric_alarm(**alarm("errors", AlarmActions=["arn:aws:sns:us-east-1:123456789012:ops"]))
    one = cloudwatch.describe_alarms(AlarmNames=["errors"])["MetricAlarms"][0]
    assert one["StateValue"] in ("INSUFFICIENT_DATA", "OK") and one["AlarmArn"].endswith(":alarm:errors") and one["Threshold"] == 5.0, one
    wait_for(lambda: cloudwatch.describe_alarms(StateValue="OK")["MetricAlarms"], 30, "OK")
    begun = time.monotonic()
    cloudwatch.put_metric_data(Namespace="Shop", MetricData=[{"MetricName": "Errors", "Value": 6, "Unit": "Count"}])
    rung = wait_for(lambda: cloudwatch.describe_alarms(StateValue="ALARM")["MetricAlarms"], 30, "ALARM")[0]
    print(f"an alarm of 10 s rings after {time.monotonic() - begun:.1f} s: {rung['StateReason']}")
    assert "was greater than the threshold (5.0)" in rung["StateReason"]
    wait_for(lambda: cloudwatch.describe_alarms(StateValue="OK")["MetricAlarms"], 30, "OK again")
    history = cloudwatch.describe_alarm_history(AlarmName="errors")["AlarmHistoryItems"]
    assert [i["HistorySummary"] for i in history][:2] == ["Alarm updated from ALARM to OK", "Alarm updated from OK to ALARM"], history
    assert cloudwatch.describe_alarms_for_metric(Namespace="Shop", MetricName="Errors")["MetricAlarms"][0]["AlarmName"] == "errors"
    kind, text = signed(aws, {"Content-Type": "application/x-www-form-urlencoded"}, "Action=DescribeAlarms&Version=2010-08-01&AlarmNames.member.1=errors")
    assert kind.startswith("text/xml") and "<AlarmName>errors</AlarmName>" in text and "<StateUpdatedTimestamp>20" in text, text
    kind, text = signed(aws, {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "GraniteServiceVersion20100801.DescribeAlarms"}, "{}")
    assert json.loads(text)["MetricAlarms"][0]["AlarmName"] == "errors", text
    # {"AlarmNames": ["errors"]}, as newer SDKs send it.
    kind, text = signed(aws, {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}, b"\xa1\x6aAlarmNames\x81\x66errors",
                        "/service/GraniteServiceVersion20100801/operation/DescribeAlarms")
    one = from_cbor(text)["MetricAlarms"][0]
    assert kind == "application/cbor" and one["AlarmName"] == "errors" and one["StateUpdatedTimestamp"].year >= 2020 and one["Threshold"] == 5.0, one
    told = subprocess.run(["aws", "--endpoint-url", aws.url, "cloudwatch", "describe-alarms", "--query", "MetricAlarms[].AlarmName", "--output", "text"],
                          env={**os.environ, **aws.env, "AWS_PAGER": ""}, capture_output=True, text=True, check=True).stdout
    assert told.strip() == "errors", told


def deployments(aws):
    ecs, elb, cloudwatch = aws.client("ecs"), aws.client("elbv2"), aws.client("cloudwatch")
    image, role = aws.image(), aws.role("execution")
    ecs.create_cluster(clusterName="c")
    ec2 = aws.client("ec2")
    subnets = [s["SubnetId"] for s in ec2.describe_subnets()["Subnets"]]
    balancer = elb.create_load_balancer(Name="shop", Subnets=subnets[:2])["LoadBalancers"][0]
    group = elb.create_target_group(Name="web", Protocol="HTTP", Port=8000, VpcId=ec2.describe_vpcs()["Vpcs"][0]["VpcId"], TargetType="ip", HealthCheckPath="/",
                                    HealthCheckIntervalSeconds=5, HealthyThresholdCount=2)["TargetGroups"][0]
    elb.modify_target_group_attributes(TargetGroupArn=group["TargetGroupArn"], Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "1"}])
    elb.create_listener(LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80,
                        DefaultActions=[{"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}])
    for _ in range(3):
        ecs.register_task_definition(family="web", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512", executionRoleArn=role,
                                     containerDefinitions=[{"name": "web", "image": image, "portMappings": [{"containerPort": 8000}], "stopTimeout": 2}])
    alarms = {"alarmNames": ["releases"], "enable": True, "rollback": True}
    cloudwatch.put_metric_alarm(**alarm("releases", MetricName="Broken"))
    ecs.create_service(cluster="c", serviceName="s", taskDefinition="web:1", desiredCount=1, networkConfiguration=aws.network(),
                       loadBalancers=[{"targetGroupArn": group["TargetGroupArn"], "containerName": "web", "containerPort": 8000}],
                       deploymentConfiguration={"alarms": alarms})

    def service():
        return ecs.describe_services(cluster="c", services=["s"])["services"][0]

    def primary():
        return service()["deployments"][0]

    begun = time.monotonic()
    wait_for(lambda: primary()["rolloutState"] == "COMPLETED", 60, "the first deployment")
    print(f"the first deployment baked until {time.monotonic() - begun:.1f} s (the alarm looks back over 10 s)")
    assert service()["deploymentConfiguration"]["alarms"] == alarms
    ecs.update_service(cluster="c", service="s", taskDefinition="web:2")
    wait_for(lambda: primary()["runningCount"] == 1, 60, "the second revision's task")
    assert primary()["rolloutState"] == "IN_PROGRESS"
    begun = time.monotonic()
    cloudwatch.set_alarm_state(AlarmName="releases", StateValue="ALARM", StateReason="by hand")
    back = wait_for(lambda: primary() if primary()["taskDefinition"].endswith("web:1") else None, 20, "the way back")
    print(f"taken back {time.monotonic() - begun:.2f} s after the alarm: {back['rolloutStateReason']}")
    events = [e["message"] for e in service()["events"]]
    assert any("deployment failed: alarm detected." in e for e in events) and any("rolling back to deployment" in e for e in events), events
    wait_for(lambda: primary()["rolloutState"] == "COMPLETED", 60, "the end of the way back")
    # An alarm that rings already is none of the next deployment's fault.
    cloudwatch.put_metric_alarm(**alarm("releases", MetricName="Broken", TreatMissingData="breaching"))
    wait_for(lambda: cloudwatch.describe_alarms(AlarmNames=["releases"])["MetricAlarms"][0]["StateValue"] == "ALARM", 40, "the alarm")
    ecs.update_service(cluster="c", service="s", taskDefinition="web:3")
    wait_for(lambda: primary()["rolloutState"] == "COMPLETED" and primary()["taskDefinition"].endswith("web:3"), 90, "the third deployment")
    return group["TargetGroupArn"], balancer["LoadBalancerArn"]


def measured(aws, group, balancer):
    elb, cloudwatch = aws.client("elbv2"), aws.client("cloudwatch")
    tags = elb.describe_tags(ResourceArns=[balancer])["TagDescriptions"][0]["Tags"]
    url = next(tag["Value"] for tag in tags if tag["Key"] == "slipway:local-url")
    for path in ["/index.html"] * 20 + ["/none"] * 3:
        try:
            urllib.request.urlopen(url + path).read()
        except urllib.error.HTTPError as error:
            assert error.code == 404, error
    dimensions = [{"Name": "LoadBalancer", "Value": balancer.split("loadbalancer/")[1]}, {"Name": "TargetGroup", "Value": group.split(":")[-1]}]

    def total(namespace, name, of, statistic):
        points = cloudwatch.get_metric_statistics(Namespace=namespace, MetricName=name, Dimensions=of, StartTime=now() - datetime.timedelta(minutes=30),
                                                  EndTime=now() + datetime.timedelta(minutes=1), Period=60, Statistics=[statistic])["Datapoints"]
        return [p[statistic] for p in points]
    wait_for(lambda: total("AWS/ApplicationELB", "HealthyHostCount", dimensions, "Maximum"), 30, "HealthyHostCount")
    assert max(total("AWS/ApplicationELB", "HealthyHostCount", dimensions, "Maximum")) >= 1
    wait_for(lambda: sum(total("AWS/ApplicationELB", "RequestCount", dimensions, "Sum")) == 23, 30, "RequestCount")
    assert sum(total("AWS/ApplicationELB", "HTTPCode_Target_4XX_Count", dimensions, "Sum")) == 3
    service = [{"Name": "ClusterName", "Value": "c"}, {"Name": "ServiceName", "Value": "s"}]
    memory = wait_for(lambda: total("AWS/ECS", "MemoryUtilization", service, "Average"), 60, "MemoryUtilization")
    cpu = wait_for(lambda: total("AWS/ECS", "CPUUtilization", service, "Average"), 60, "CPUUtilization")
    assert 0 <= memory[-1] < 100 and 0 <= cpu[-1] < 100, (memory, cpu)
    print(f"measured: memory {memory[-1]:.2f} %, cpu {cpu[-1]:.2f} % of the reservation")


with LocalAws() as local:
    metrics_and_alarms(local)
    measured(local, *deployments(local))
print("ok")
