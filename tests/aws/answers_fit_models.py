#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Calls every operation of the path from GitHub to ECS and holds every answer to botocore's models. Prints what does not fit."""
import datetime
import json
import sys

from botocore.exceptions import ClientError

from local_aws import LocalAws, TRUST, wait_for
from walker import Walker

walker = Walker()
unanswered = []


def call(client, operation, expect=None, **arguments):
    """The answer, or the error's code when one is expected. Anything else is reported."""
    try:
        answer = getattr(client, operation)(**arguments)
        if expect:
            unanswered.append(f"{client.meta.service_model.service_name}:{operation} answered; expected {expect}")
        return answer
    except ClientError as error:
        if expect != error.response["Error"]["Code"]:
            unanswered.append(f"{client.meta.service_model.service_name}:{operation}: {error}")
        return Absent()
    except Exception as error:  # a client that cannot read the answer is a finding like any other
        unanswered.append(f"{client.meta.service_model.service_name}:{operation}: {error!r}")
        return Absent()


class Absent(dict):
    """Stands for an answer that did not come: whatever is looked up in it is absent too."""

    def __missing__(self, key):
        return Absent()

    def __bool__(self):
        return False


def section(name, calls, *arguments):
    try:
        return calls(*arguments)
    except Exception as error:
        unanswered.append(f"{name} ends early: {error!r}")


def iam_calls(aws, iam):
    call(iam, "list_roles")
    role = call(iam, "create_role", RoleName="r1", AssumeRolePolicyDocument=json.dumps(TRUST), Description="d", MaxSessionDuration=3600,
                Tags=[{"Key": "a", "Value": "b"}])
    call(iam, "create_role", expect="EntityAlreadyExists", RoleName="r1", AssumeRolePolicyDocument=json.dumps(TRUST))
    call(iam, "create_role", expect="MalformedPolicyDocument", RoleName="r2", AssumeRolePolicyDocument="{}x")
    call(iam, "get_role", RoleName="r1")
    call(iam, "get_role", expect="NoSuchEntity", RoleName="none")
    call(iam, "update_role", RoleName="r1", Description="e")
    call(iam, "update_role_description", RoleName="r1", Description="e")
    call(iam, "update_assume_role_policy", RoleName="r1", PolicyDocument=json.dumps(TRUST))
    call(iam, "tag_role", RoleName="r1", Tags=[{"Key": "x", "Value": "y"}])
    call(iam, "list_role_tags", RoleName="r1")
    call(iam, "untag_role", RoleName="r1", TagKeys=["x"])
    document = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ecs:*", "Resource": "*"}]})
    call(iam, "put_role_policy", RoleName="r1", PolicyName="p", PolicyDocument=document)
    call(iam, "get_role_policy", RoleName="r1", PolicyName="p")
    call(iam, "list_role_policies", RoleName="r1")
    policy = call(iam, "create_policy", PolicyName="mine", PolicyDocument=document)["Policy"]["Arn"]
    call(iam, "get_policy", PolicyArn=policy)
    call(iam, "create_policy_version", PolicyArn=policy, PolicyDocument=document, SetAsDefault=False)
    call(iam, "get_policy_version", PolicyArn=policy, VersionId="v1")
    call(iam, "list_policy_versions", PolicyArn=policy)
    call(iam, "set_default_policy_version", PolicyArn=policy, VersionId="v2")
    call(iam, "delete_policy_version", PolicyArn=policy, VersionId="v1")
    call(iam, "list_policies", Scope="Local")
    call(iam, "list_policies", Scope="AWS")
    call(iam, "attach_role_policy", RoleName="r1", PolicyArn=policy)
    call(iam, "simulate_principal_policy", PolicySourceArn=role["Role"]["Arn"], ActionNames=["ecs:ListClusters", "s3:GetObject"])
    call(iam, "list_attached_role_policies", RoleName="r1")
    call(iam, "list_entities_for_policy", PolicyArn=policy)
    call(iam, "list_instance_profiles_for_role", RoleName="r1")
    call(iam, "delete_role", expect="DeleteConflict", RoleName="r1")
    call(iam, "put_role_permissions_boundary", RoleName="r1", PermissionsBoundary=policy)
    call(iam, "delete_role_permissions_boundary", RoleName="r1")
    call(iam, "detach_role_policy", RoleName="r1", PolicyArn=policy)
    call(iam, "delete_role_policy", RoleName="r1", PolicyName="p")
    call(iam, "create_user", UserName="u")
    call(iam, "get_user", UserName="u")
    call(iam, "get_user")
    call(iam, "list_users")
    key = call(iam, "create_access_key", UserName="u")["AccessKey"]
    call(iam, "list_access_keys", UserName="u")
    call(iam, "put_user_policy", UserName="u", PolicyName="p", PolicyDocument=document)
    call(iam, "get_user_policy", UserName="u", PolicyName="p")
    call(iam, "list_user_policies", UserName="u")
    call(iam, "delete_user_policy", UserName="u", PolicyName="p")
    call(iam, "attach_user_policy", UserName="u", PolicyArn=policy)
    call(iam, "list_attached_user_policies", UserName="u")
    call(iam, "detach_user_policy", UserName="u", PolicyArn=policy)
    call(iam, "delete_policy", PolicyArn=policy)
    call(iam, "delete_access_key", UserName="u", AccessKeyId=key["AccessKeyId"])
    call(iam, "delete_user", UserName="u")
    call(iam, "create_service_linked_role", AWSServiceName="ecs.amazonaws.com")
    provider = call(iam, "create_open_id_connect_provider", Url="https://token.actions.githubusercontent.com",
                    ClientIDList=["sts.amazonaws.com"], ThumbprintList=["a" * 40])["OpenIDConnectProviderArn"]
    call(iam, "get_open_id_connect_provider", OpenIDConnectProviderArn=provider)
    call(iam, "list_open_id_connect_providers")
    call(iam, "add_client_id_to_open_id_connect_provider", OpenIDConnectProviderArn=provider, ClientID="x")
    call(iam, "remove_client_id_from_open_id_connect_provider", OpenIDConnectProviderArn=provider, ClientID="x")
    call(iam, "update_open_id_connect_provider_thumbprint", OpenIDConnectProviderArn=provider, ThumbprintList=["b" * 40])
    call(iam, "tag_open_id_connect_provider", OpenIDConnectProviderArn=provider, Tags=[{"Key": "a", "Value": "b"}])
    call(iam, "list_open_id_connect_provider_tags", OpenIDConnectProviderArn=provider)
    call(iam, "untag_open_id_connect_provider", OpenIDConnectProviderArn=provider, TagKeys=["a"])
    call(iam, "delete_open_id_connect_provider", OpenIDConnectProviderArn=provider)
    call(iam, "delete_role", RoleName="r1")
    return role


def sts_calls(aws, sts):
    call(sts, "get_caller_identity")
    call(sts, "get_session_token")
    call(sts, "get_access_key_info", AccessKeyId=aws.env["AWS_ACCESS_KEY_ID"])
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": aws.env_account()}, "Action": "sts:AssumeRole"}]}
    arn = aws.role("assumed", policies=(), trust=trust)
    call(sts, "assume_role", RoleArn=arn, RoleSessionName="me", DurationSeconds=900)
    call(sts, "assume_role", expect="AccessDenied", RoleArn=arn + "x", RoleSessionName="me")
    call(sts, "assume_role_with_web_identity", expect="InvalidIdentityToken", RoleArn=arn, RoleSessionName="me", WebIdentityToken="a.b.c")


def secrets_calls(client):
    arn = call(client, "create_secret", Name="one", SecretString='{"a":"b"}', Tags=[{"Key": "k", "Value": "v"}])["ARN"]
    call(client, "create_secret", expect="ResourceExistsException", Name="one", SecretString="x")
    call(client, "describe_secret", SecretId="one")
    call(client, "get_secret_value", SecretId=arn)
    call(client, "get_secret_value", expect="ResourceNotFoundException", SecretId="none")
    call(client, "put_secret_value", SecretId="one", SecretString="2")
    call(client, "list_secret_version_ids", SecretId="one")
    call(client, "list_secrets")
    call(client, "batch_get_secret_value", SecretIdList=["one", "none"])
    call(client, "update_secret", SecretId="one", Description="d")
    versions = call(client, "list_secret_version_ids", SecretId="one", IncludeDeprecated=True)["Versions"]
    old = [v["VersionId"] for v in versions if "AWSCURRENT" not in v.get("VersionStages", [])][0]
    new = [v["VersionId"] for v in versions if "AWSCURRENT" in v.get("VersionStages", [])][0]
    call(client, "update_secret_version_stage", SecretId="one", VersionStage="AWSCURRENT", MoveToVersionId=old, RemoveFromVersionId=new)
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "secretsmanager:GetSecretValue", "Resource": "*"}]})
    call(client, "put_resource_policy", SecretId="one", ResourcePolicy=policy)
    call(client, "get_resource_policy", SecretId="one")
    call(client, "delete_resource_policy", SecretId="one")
    call(client, "get_random_password", PasswordLength=20)
    call(client, "tag_resource", SecretId="one", Tags=[{"Key": "a", "Value": "b"}])
    call(client, "untag_resource", SecretId="one", TagKeys=["a"])
    call(client, "delete_secret", SecretId="one", RecoveryWindowInDays=7)
    call(client, "get_secret_value", expect="InvalidRequestException", SecretId="one")
    call(client, "restore_secret", SecretId="one")
    call(client, "delete_secret", SecretId="one", ForceDeleteWithoutRecovery=True)


def ssm_calls(client):
    call(client, "put_parameter", Name="/a/b", Value="1", Type="String", Tags=[{"Key": "k", "Value": "v"}])
    call(client, "put_parameter", expect="ParameterAlreadyExists", Name="/a/b", Value="1", Type="String")
    call(client, "put_parameter", Name="/a/b", Value="2", Type="String", Overwrite=True)
    call(client, "put_parameter", Name="/a/s", Value="secret", Type="SecureString")
    call(client, "get_parameter", Name="/a/s", WithDecryption=True)
    call(client, "get_parameter", expect="ParameterNotFound", Name="/none")
    call(client, "get_parameters", Names=["/a/b", "/x"])
    call(client, "get_parameters_by_path", Path="/a", Recursive=True)
    call(client, "get_parameter_history", Name="/a/b")
    call(client, "describe_parameters")
    call(client, "label_parameter_version", Name="/a/b", ParameterVersion=1, Labels=["l"])
    call(client, "add_tags_to_resource", ResourceType="Parameter", ResourceId="/a/b", Tags=[{"Key": "a", "Value": "b"}])
    call(client, "list_tags_for_resource", ResourceType="Parameter", ResourceId="/a/b")
    call(client, "remove_tags_from_resource", ResourceType="Parameter", ResourceId="/a/b", TagKeys=["a"])
    call(client, "delete_parameter", Name="/a/b")
    call(client, "delete_parameters", Names=["/a/s", "/no"])


def logs_calls(client):
    call(client, "create_log_group", logGroupName="/g", tags={"a": "b"})
    call(client, "create_log_group", expect="ResourceAlreadyExistsException", logGroupName="/g")
    call(client, "create_log_stream", logGroupName="/g", logStreamName="s")
    call(client, "put_log_events", logGroupName="/g", logStreamName="s",
         logEvents=[{"timestamp": 1790000000000 + i, "message": f"line {i}"} for i in range(5)])
    call(client, "get_log_events", logGroupName="/g", logStreamName="s", startFromHead=True)
    call(client, "filter_log_events", logGroupName="/g", filterPattern="line")
    call(client, "describe_log_groups", logGroupNamePrefix="/g")
    call(client, "describe_log_streams", logGroupName="/g")
    call(client, "put_retention_policy", logGroupName="/g", retentionInDays=7)
    call(client, "delete_retention_policy", logGroupName="/g")
    arn = call(client, "describe_log_groups")["logGroups"][0]["logGroupArn"]
    call(client, "tag_resource", resourceArn=arn, tags={"x": "y"})
    call(client, "list_tags_for_resource", resourceArn=arn)
    call(client, "untag_resource", resourceArn=arn, tagKeys=["x"])
    call(client, "tag_log_group", logGroupName="/g", tags={"x": "y"})
    call(client, "list_tags_log_group", logGroupName="/g")
    call(client, "untag_log_group", logGroupName="/g", tags=["x"])
    call(client, "get_log_events", expect="ResourceNotFoundException", logGroupName="/none", logStreamName="s")
    call(client, "delete_log_stream", logGroupName="/g", logStreamName="s")
    call(client, "delete_log_group", logGroupName="/g")


def cloudwatch_calls(client):
    now = datetime.datetime.now(datetime.timezone.utc)
    span = dict(StartTime=now - datetime.timedelta(hours=1), EndTime=now + datetime.timedelta(minutes=1))
    metric = dict(Namespace="n", MetricName="m", Dimensions=[{"Name": "a", "Value": "b"}])
    call(client, "put_metric_data", Namespace="n", MetricData=[{"MetricName": "m", "Dimensions": metric["Dimensions"], "Value": 1.5, "Unit": "Count"}])
    call(client, "put_metric_data", expect="InvalidParameterValue", Namespace="AWS/ECS", MetricData=[{"MetricName": "m", "Value": 1}])
    call(client, "list_metrics", Namespace="n")
    call(client, "get_metric_statistics", **metric, **span, Period=60, Statistics=["Average", "Sum"])
    call(client, "get_metric_data", **span, MetricDataQueries=[{"Id": "a", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}])
    call(client, "put_metric_alarm", AlarmName="x", **metric, Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold")
    call(client, "set_alarm_state", AlarmName="x", StateValue="ALARM", StateReason="by hand")
    call(client, "set_alarm_state", expect="ResourceNotFound", AlarmName="y", StateValue="ALARM", StateReason="by hand")
    call(client, "describe_alarms")
    call(client, "describe_alarms_for_metric", **metric)
    call(client, "describe_alarm_history", AlarmName="x")
    call(client, "disable_alarm_actions", AlarmNames=["x"])
    call(client, "enable_alarm_actions", AlarmNames=["x"])
    call(client, "delete_alarms", AlarmNames=["x"])


def autoscaling_calls(client):
    target = dict(ServiceNamespace="ecs", ResourceId="service/c/s", ScalableDimension="ecs:service:DesiredCount")
    call(client, "register_scalable_target", expect="ValidationException", **target)
    call(client, "register_scalable_target", MinCapacity=1, MaxCapacity=4, **target)
    call(client, "describe_scalable_targets", ServiceNamespace="ecs", ResourceIds=["service/c/s"])
    tracking = {"TargetValue": 50.0, "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}}
    call(client, "put_scaling_policy", PolicyName="cpu", PolicyType="TargetTrackingScaling", TargetTrackingScalingPolicyConfiguration=tracking, **target)
    call(client, "describe_scaling_policies", ServiceNamespace="ecs")
    call(client, "describe_scaling_activities", ServiceNamespace="ecs")
    call(client, "describe_scheduled_actions", ServiceNamespace="ecs")
    call(client, "delete_scaling_policy", PolicyName="cpu", **target)
    call(client, "delete_scaling_policy", expect="ObjectNotFoundException", PolicyName="cpu", **target)
    call(client, "deregister_scalable_target", **target)


def trail_calls(client):
    call(client, "lookup_events", MaxResults=5)
    call(client, "lookup_events", LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "CreateRole"}])


def ec2_calls(client):
    vpc = call(client, "describe_vpcs")["Vpcs"][0]["VpcId"]
    for operation in ("describe_subnets", "describe_security_groups", "describe_availability_zones", "describe_route_tables",
                      "describe_internet_gateways", "describe_network_interfaces", "describe_regions", "describe_account_attributes",
                      "describe_security_group_rules", "describe_tags", "describe_nat_gateways", "describe_network_acls",
                      "describe_instances", "describe_vpc_endpoints"):
        call(client, operation)
    call(client, "describe_vpc_attribute", VpcId=vpc, Attribute="enableDnsSupport")
    call(client, "describe_vpcs", expect="InvalidVpcID.NotFound", VpcIds=["vpc-0123456789abcdef0"])
    call(client, "describe_subnets", expect="InvalidSubnetID.NotFound", SubnetIds=["subnet-0123456789abcdef0"])
    call(client, "describe_security_groups", expect="InvalidGroup.NotFound", GroupIds=["sg-0123456789abcdef0"])
    group = call(client, "create_security_group", GroupName="web", Description="d", VpcId=vpc)["GroupId"]
    rule = [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    call(client, "authorize_security_group_ingress", GroupId=group, IpPermissions=rule)
    call(client, "revoke_security_group_ingress", GroupId=group, IpPermissions=rule)
    call(client, "authorize_security_group_egress", GroupId=group, IpPermissions=rule)
    call(client, "create_tags", Resources=[group], Tags=[{"Key": "a", "Value": "b"}])
    call(client, "delete_tags", Resources=[group], Tags=[{"Key": "a"}])
    other = call(client, "create_vpc", CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
    call(client, "modify_vpc_attribute", VpcId=other, EnableDnsHostnames={"Value": True})
    subnet = call(client, "create_subnet", VpcId=other, CidrBlock="10.77.1.0/24")["Subnet"]["SubnetId"]
    call(client, "modify_subnet_attribute", SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    call(client, "delete_subnet", SubnetId=subnet)
    call(client, "delete_vpc", VpcId=other)
    call(client, "delete_security_group", GroupId=group)


def discovery_calls(client, vpc):
    call(client, "create_http_namespace", Name="calls", Description="d", Tags=[{"Key": "a", "Value": "b"}])
    call(client, "create_http_namespace", expect="NamespaceAlreadyExists", Name="calls")
    calls = call(client, "list_namespaces", Filters=[{"Name": "TYPE", "Values": ["HTTP"]}])["Namespaces"][0]["Id"]
    call(client, "update_http_namespace", Id=calls, Namespace={"Description": "e"})
    call(client, "create_private_dns_namespace", expect="InvalidInput", Name="not a name", Vpc=vpc)
    call(client, "create_public_dns_namespace", expect="InvalidInput", Name="example.org")
    operation = call(client, "create_private_dns_namespace", Name="shop.local", Vpc=vpc)["OperationId"]
    space = call(client, "get_operation", OperationId=operation)["Operation"]["Targets"]["NAMESPACE"]
    call(client, "get_operation", expect="OperationNotFound", OperationId="nothing")
    call(client, "list_operations", Filters=[{"Name": "NAMESPACE_ID", "Values": [space]}])
    found = call(client, "list_namespaces", Filters=[{"Name": "TYPE", "Values": ["DNS_PRIVATE"]}])["Namespaces"]
    assert [n["Name"] for n in found] == ["shop.local"], found
    call(client, "update_private_dns_namespace", Id=space, Namespace={"Description": "the shop", "Properties": {"DnsProperties": {"SOA": {"TTL": 20}}}})
    assert call(client, "get_namespace", Id=space)["Namespace"]["Properties"]["DnsProperties"]["SOA"]["TTL"] == 20
    call(client, "get_namespace", expect="NamespaceNotFound", Id="ns-0000000000000000")
    dns = {"DnsRecords": [{"Type": "A", "TTL": 60}, {"Type": "SRV", "TTL": 60}]}
    service = call(client, "create_service", Name="api", DnsConfig={"NamespaceId": space, **dns}, HealthCheckCustomConfig={})["Service"]
    call(client, "create_service", expect="InvalidInput", Name="v6", NamespaceId=space, DnsConfig={"DnsRecords": [{"Type": "AAAA", "TTL": 60}]})
    call(client, "create_service", expect="NamespaceNotFound", Name="x", NamespaceId="ns-0000000000000000", DnsConfig=dns)
    call(client, "create_service", expect="ServiceAlreadyExists", Name="api", NamespaceId=space, DnsConfig=dns)
    call(client, "update_service", Id=service["Id"], Service={"Description": "it", "DnsConfig": {"DnsRecords": [{"Type": "A", "TTL": 5}]}})
    call(client, "list_services", Filters=[{"Name": "NAMESPACE_ID", "Values": [space]}])
    call(client, "get_service", expect="ServiceNotFound", Id="srv-0000000000000000")
    for number in range(3):
        call(client, "register_instance", ServiceId=service["Id"], InstanceId=f"i{number}", Attributes={"AWS_INSTANCE_IPV4": f"10.0.0.{number}", "stage": str(number % 2)})
    call(client, "register_instance", expect="InvalidInput", ServiceId=service["Id"], InstanceId="x", Attributes={"stage": "1"})
    call(client, "get_instance", ServiceId=service["Id"], InstanceId="i0")
    call(client, "get_instance", expect="InstanceNotFound", ServiceId=service["Id"], InstanceId="x")
    first = call(client, "list_instances", ServiceId=service["Id"], MaxResults=2)
    assert len(first["Instances"]) == 2 and len(call(client, "list_instances", ServiceId=service["Id"], NextToken=first["NextToken"])["Instances"]) == 1
    call(client, "update_instance_custom_health_status", ServiceId=service["Id"], InstanceId="i0", Status="UNHEALTHY")
    assert call(client, "get_instances_health_status", ServiceId=service["Id"])["Status"] == {"i0": "UNHEALTHY", "i1": "HEALTHY", "i2": "HEALTHY"}
    discover = lambda **more: [i["InstanceId"] for i in call(client, "discover_instances", NamespaceName="shop.local", ServiceName="api", **more)["Instances"]]
    assert discover() == ["i1", "i2"] and discover(HealthStatus="UNHEALTHY") == ["i0"] and discover(HealthStatus="ALL") == ["i0", "i1", "i2"]
    assert discover(QueryParameters={"stage": "1"}) == ["i1"] and discover(OptionalParameters={"stage": "7"}) == ["i1", "i2"]
    call(client, "discover_instances", expect="ServiceNotFound", NamespaceName="shop.local", ServiceName="x")
    call(client, "discover_instances_revision", NamespaceName="shop.local", ServiceName="api")
    call(client, "tag_resource", ResourceARN=service["Arn"], Tags=[{"Key": "a", "Value": "b"}])
    assert call(client, "list_tags_for_resource", ResourceARN=service["Arn"])["Tags"] == [{"Key": "a", "Value": "b"}]
    call(client, "untag_resource", ResourceARN=service["Arn"], TagKeys=["a"])
    call(client, "delete_service", expect="ResourceInUse", Id=service["Id"])
    for number in range(3):
        call(client, "deregister_instance", ServiceId=service["Id"], InstanceId=f"i{number}")
    call(client, "deregister_instance", expect="InstanceNotFound", ServiceId=service["Id"], InstanceId="i0")
    call(client, "delete_namespace", expect="ResourceInUse", Id=space)
    call(client, "delete_service", Id=service["Id"])
    call(client, "delete_namespace", Id=space)


def ecr_calls(aws, client, image):
    call(client, "describe_registry")
    secret = aws.client("secretsmanager").create_secret(Name="ecr-pullthroughcache/quay", SecretString='{"username":"u","accessToken":"t"}')["ARN"]
    call(client, "create_pull_through_cache_rule", ecrRepositoryPrefix="quay", upstreamRegistryUrl="quay.io")
    call(client, "update_pull_through_cache_rule", ecrRepositoryPrefix="quay", credentialArn=secret)
    call(client, "describe_pull_through_cache_rules")
    call(client, "delete_pull_through_cache_rule", ecrRepositoryPrefix="quay")
    call(client, "create_repository_creation_template", prefix="t", appliedFor=["PULL_THROUGH_CACHE"])
    call(client, "update_repository_creation_template", prefix="t", description="d")
    call(client, "describe_repository_creation_templates")
    call(client, "delete_repository_creation_template", prefix="t")
    call(client, "get_authorization_token")
    call(client, "create_repository", repositoryName="two", imageTagMutability="IMMUTABLE", imageScanningConfiguration={"scanOnPush": False},
         tags=[{"Key": "a", "Value": "b"}])
    call(client, "create_repository", expect="RepositoryAlreadyExistsException", repositoryName="two")
    call(client, "create_repository", expect="InvalidParameterException", repositoryName="Two")
    arn = call(client, "describe_repositories", repositoryNames=["two"])["repositories"][0]["repositoryArn"]
    call(client, "describe_repositories", expect="RepositoryNotFoundException", repositoryNames=["none"])
    call(client, "list_images", repositoryName="app")
    details = call(client, "describe_images", repositoryName="app")["imageDetails"]
    call(client, "describe_images", expect="ImageNotFoundException", repositoryName="app", imageIds=[{"imageTag": "none"}])
    got = call(client, "batch_get_image", repositoryName="app", imageIds=[{"imageTag": "1"}, {"imageTag": "none"}])["images"][0]
    manifest = json.loads(got["imageManifest"])
    call(client, "put_image", repositoryName="app", imageManifest=got["imageManifest"], imageTag="again")
    call(client, "put_image", expect="ImageAlreadyExistsException", repositoryName="app", imageManifest=got["imageManifest"], imageTag="again")
    layer = manifest["layers"][0]["digest"]
    call(client, "batch_check_layer_availability", repositoryName="app", layerDigests=[layer, "sha256:" + "0" * 64])
    call(client, "get_download_url_for_layer", repositoryName="app", layerDigest=layer)
    upload = call(client, "initiate_layer_upload", repositoryName="app").get("uploadId")
    if upload:
        import hashlib
        blob = b"some bytes"
        call(client, "upload_layer_part", repositoryName="app", uploadId=upload, partFirstByte=0, partLastByte=len(blob) - 1, layerPartBlob=blob)
        call(client, "complete_layer_upload", repositoryName="app", uploadId=upload, layerDigests=["sha256:" + hashlib.sha256(blob).hexdigest()])
    call(client, "batch_delete_image", repositoryName="app", imageIds=[{"imageTag": "again"}])
    call(client, "put_image_tag_mutability", repositoryName="two", imageTagMutability="MUTABLE")
    call(client, "put_image_scanning_configuration", repositoryName="two", imageScanningConfiguration={"scanOnPush": True})
    call(client, "start_image_scan", expect="ValidationException", repositoryName="app", imageId={"imageTag": "1"})
    call(client, "describe_image_scan_findings", expect="ScanNotFoundException", repositoryName="app", imageId={"imageTag": "1"})
    policy = json.dumps({"rules": [{"rulePriority": 1, "selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 3},
                                    "action": {"type": "expire"}}]})
    call(client, "get_lifecycle_policy", expect="LifecyclePolicyNotFoundException", repositoryName="two")
    call(client, "put_lifecycle_policy", repositoryName="two", lifecyclePolicyText=policy)
    call(client, "get_lifecycle_policy", repositoryName="two")
    call(client, "start_lifecycle_policy_preview", repositoryName="two")
    call(client, "get_lifecycle_policy_preview", repositoryName="two")
    call(client, "delete_lifecycle_policy", repositoryName="two")
    text = json.dumps({"Version": "2012-10-17", "Statement": [{"Sid": "x", "Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}]})
    call(client, "get_repository_policy", expect="RepositoryPolicyNotFoundException", repositoryName="two")
    call(client, "set_repository_policy", repositoryName="two", policyText=text)
    call(client, "get_repository_policy", repositoryName="two")
    call(client, "delete_repository_policy", repositoryName="two")
    call(client, "tag_resource", resourceArn=arn, tags=[{"Key": "x", "Value": "y"}])
    call(client, "list_tags_for_resource", resourceArn=arn)
    call(client, "untag_resource", resourceArn=arn, tagKeys=["x"])
    call(client, "delete_repository", repositoryName="two")
    call(client, "delete_repository", expect="RepositoryNotEmptyException", repositoryName="app")
    return details


def elb_calls(client, subnets, vpc):
    lb = call(client, "create_load_balancer", Name="lb", Subnets=subnets, Tags=[{"Key": "a", "Value": "b"}])["LoadBalancers"][0]
    arn = lb["LoadBalancerArn"]
    group = call(client, "create_target_group", Name="tg", Protocol="HTTP", Port=8000, VpcId=vpc, TargetType="ip",
                 HealthCheckIntervalSeconds=5)["TargetGroups"][0]["TargetGroupArn"]
    other = call(client, "create_target_group", Name="tg2", Protocol="HTTP", Port=8000, VpcId=vpc, TargetType="ip")["TargetGroups"][0]["TargetGroupArn"]
    listener = call(client, "create_listener", LoadBalancerArn=arn, Protocol="HTTP", Port=80,
                    DefaultActions=[{"Type": "forward", "TargetGroupArn": group}])["Listeners"][0]["ListenerArn"]
    call(client, "create_listener", expect="DuplicateListener", LoadBalancerArn=arn, Protocol="HTTP", Port=80,
         DefaultActions=[{"Type": "forward", "TargetGroupArn": other}])
    rule = call(client, "create_rule", ListenerArn=listener, Priority=10, Conditions=[{"Field": "path-pattern", "Values": ["/api/*"]}],
                Actions=[{"Type": "forward", "TargetGroupArn": other}])["Rules"][0]["RuleArn"]
    call(client, "create_rule", expect="PriorityInUse", ListenerArn=listener, Priority=10, Conditions=[{"Field": "path-pattern", "Values": ["/b"]}],
         Actions=[{"Type": "forward", "TargetGroupArn": other}])
    call(client, "modify_rule", RuleArn=rule, Conditions=[{"Field": "host-header", "Values": ["api.example.com"]}])
    call(client, "set_rule_priorities", RulePriorities=[{"RuleArn": rule, "Priority": 20}])
    call(client, "describe_rules", ListenerArn=listener)
    call(client, "delete_rule", RuleArn=rule)
    call(client, "describe_load_balancers")
    call(client, "describe_load_balancers", expect="LoadBalancerNotFound", Names=["none"])
    call(client, "describe_listeners", LoadBalancerArn=arn)
    call(client, "modify_listener", ListenerArn=listener, DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}])
    call(client, "modify_listener", ListenerArn=listener, DefaultActions=[{"Type": "forward", "TargetGroupArn": group}])
    call(client, "describe_listener_attributes", ListenerArn=listener)
    call(client, "modify_listener_attributes", ListenerArn=listener, Attributes=[{"Key": "routing.http.response.server.enabled", "Value": "false"}])
    call(client, "describe_listener_certificates", ListenerArn=listener)
    call(client, "describe_load_balancer_attributes", LoadBalancerArn=arn)
    call(client, "modify_load_balancer_attributes", LoadBalancerArn=arn, Attributes=[{"Key": "idle_timeout.timeout_seconds", "Value": "30"}])
    call(client, "describe_target_groups")
    call(client, "describe_target_groups", expect="TargetGroupNotFound", Names=["none"])
    call(client, "modify_target_group", TargetGroupArn=group, HealthCheckPath="/x")
    call(client, "describe_target_group_attributes", TargetGroupArn=group)
    call(client, "modify_target_group_attributes", TargetGroupArn=group, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "0"}])
    call(client, "register_targets", TargetGroupArn=group, Targets=[{"Id": "10.1.2.3", "Port": 80}])
    call(client, "describe_target_health", TargetGroupArn=group)
    call(client, "deregister_targets", TargetGroupArn=group, Targets=[{"Id": "10.1.2.3", "Port": 80}])
    call(client, "add_tags", ResourceArns=[arn], Tags=[{"Key": "x", "Value": "y"}])
    call(client, "describe_tags", ResourceArns=[arn, group])
    call(client, "remove_tags", ResourceArns=[arn], TagKeys=["x"])
    call(client, "describe_account_limits")
    call(client, "describe_capacity_reservation", LoadBalancerArn=arn)
    call(client, "set_subnets", LoadBalancerArn=arn, Subnets=subnets)
    call(client, "set_security_groups", LoadBalancerArn=arn, SecurityGroups=["sg-0123456789abcdef0"], expect="InvalidSecurityGroup")
    call(client, "set_ip_address_type", LoadBalancerArn=arn, IpAddressType="ipv4")
    call(client, "delete_target_group", expect="ResourceInUse", TargetGroupArn=group)
    call(client, "delete_target_group", TargetGroupArn=other)
    gone = call(client, "create_load_balancer", Name="gone", Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
    call(client, "delete_load_balancer", LoadBalancerArn=gone)
    return group, listener


def ecs_calls(aws, client, image, role, group):
    call(client, "create_cluster", clusterName="c", tags=[{"key": "a", "value": "b"}], settings=[{"name": "containerInsights", "value": "disabled"}])
    call(client, "describe_clusters", clusters=["c", "none"], include=["TAGS", "SETTINGS", "CONFIGURATIONS", "STATISTICS", "ATTACHMENTS"])
    call(client, "list_clusters")
    call(client, "update_cluster", cluster="c", settings=[{"name": "containerInsights", "value": "disabled"}])
    call(client, "update_cluster_settings", cluster="c", settings=[{"name": "containerInsights", "value": "disabled"}])
    call(client, "put_cluster_capacity_providers", cluster="c", capacityProviders=["FARGATE", "FARGATE_SPOT"],
         defaultCapacityProviderStrategy=[{"capacityProvider": "FARGATE", "weight": 1}])
    call(client, "describe_capacity_providers")
    call(client, "list_account_settings", effectiveSettings=True)
    call(client, "put_account_setting", name="containerInsights", value="enabled")
    call(client, "put_account_setting_default", name="taskLongArnFormat", value="enabled")
    call(client, "delete_account_setting", name="containerInsights")
    definition = dict(family="app", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512", executionRoleArn=role, taskRoleArn=role,
                      containerDefinitions=[{"name": "app", "image": image, "portMappings": [{"containerPort": 8000}], "stopTimeout": 2,
                                             "environment": [{"name": "A", "value": "b"}],
                                             "logConfiguration": {"logDriver": "awslogs",
                                                                  "options": {"awslogs-group": "/ecs", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "x"}}}])
    aws.client("logs").create_log_group(logGroupName="/ecs")
    call(client, "register_task_definition", tags=[{"key": "a", "value": "b"}], **definition)
    call(client, "register_task_definition", **definition)
    call(client, "describe_task_definition", taskDefinition="app", include=["TAGS"])
    call(client, "describe_task_definition", expect="ClientException", taskDefinition="none")
    call(client, "list_task_definitions")
    call(client, "list_task_definition_families")
    call(client, "create_service", cluster="c", serviceName="s", taskDefinition="app:1", desiredCount=1, launchType="FARGATE",
         networkConfiguration=aws.network(), enableExecuteCommand=True, tags=[{"key": "a", "value": "b"}],
         loadBalancers=[{"targetGroupArn": group, "containerName": "app", "containerPort": 8000}],
         deploymentConfiguration={"deploymentCircuitBreaker": {"enable": True, "rollback": True}})
    call(client, "create_service", expect="InvalidParameterException", cluster="c", serviceName="s", taskDefinition="app:1", desiredCount=1,
         launchType="FARGATE", networkConfiguration=aws.network())
    client.get_waiter("services_stable").wait(cluster="c", services=["s"], WaiterConfig={"Delay": 1, "MaxAttempts": 40})
    call(client, "describe_services", cluster="c", services=["s", "none"], include=["TAGS"])
    call(client, "update_service", cluster="c", service="s", taskDefinition="app:2", desiredCount=2)
    call(client, "describe_services", cluster="c", services=["s"])
    client.get_waiter("services_stable").wait(cluster="c", services=["s"], WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    call(client, "list_services", cluster="c")
    deployments = call(client, "list_service_deployments", cluster="c", service="s")["serviceDeployments"]
    described = call(client, "describe_service_deployments", serviceDeploymentArns=[d["serviceDeploymentArn"] for d in deployments])["serviceDeployments"]
    call(client, "describe_service_revisions", serviceRevisionArns=[described[0]["targetServiceRevision"]["arn"]])
    call(client, "stop_service_deployment", expect="ServiceDeploymentNotFoundException",
         serviceDeploymentArn="arn:aws:ecs:us-east-1:123456789012:service-deployment/c/s/abcdefghijklmnopqrstu")
    tasks = call(client, "list_tasks", cluster="c", serviceName="s")["taskArns"]
    call(client, "describe_tasks", cluster="c", tasks=tasks, include=["TAGS"])
    call(client, "update_task_protection", cluster="c", tasks=tasks[:1], protectionEnabled=True, expiresInMinutes=5)
    call(client, "get_task_protection", cluster="c", tasks=tasks)
    call(client, "update_task_protection", cluster="c", tasks=tasks[:1], protectionEnabled=False)
    call(client, "execute_command", expect="TargetNotConnectedException", cluster="c", task=tasks[0], container="app", interactive=True, command="/bin/sh")
    run = call(client, "run_task", cluster="c", taskDefinition="app", launchType="FARGATE", networkConfiguration=aws.network(), startedBy="me",
               tags=[{"key": "a", "value": "b"}], overrides={"containerOverrides": [{"name": "app", "command": ["true"]}]})["tasks"][0]["taskArn"]
    wait_for(lambda: client.describe_tasks(cluster="c", tasks=[run])["tasks"][0]["lastStatus"] == "STOPPED", what="the end of a task")
    call(client, "describe_tasks", cluster="c", tasks=[run])
    call(client, "stop_task", cluster="c", task=tasks[0], reason="because")
    service = call(client, "describe_services", cluster="c", services=["s"])["services"][0]
    call(client, "tag_resource", resourceArn=service["serviceArn"], tags=[{"key": "x", "value": "y"}])
    call(client, "list_tags_for_resource", resourceArn=service["serviceArn"])
    call(client, "untag_resource", resourceArn=service["serviceArn"], tagKeys=["x"])
    call(client, "describe_task_sets", expect="InvalidParameterException", cluster="c", service="s")
    one = {"cluster": "c", "service": "s"}
    call(client, "create_task_set", expect="InvalidParameterException", taskDefinition="app", **one)
    call(client, "update_task_set", expect="InvalidParameterException", taskSet="x", scale={"value": 50, "unit": "PERCENT"}, **one)
    call(client, "delete_task_set", expect="InvalidParameterException", taskSet="x", **one)
    call(client, "list_container_instances", cluster="c")
    call(client, "describe_container_instances", cluster="c", containerInstances=["x"])
    call(client, "list_attributes", cluster="c", targetType="container-instance")
    call(client, "start_task", cluster="c", taskDefinition="app", containerInstances=["x"])
    call(client, "delete_service", cluster="c", service="s", force=True)
    call(client, "describe_services", cluster="c", services=["s"])
    wait_for(lambda: not client.list_tasks(cluster="c")["taskArns"], what="the end of the tasks")
    call(client, "deregister_task_definition", taskDefinition="app:1")
    call(client, "delete_task_definitions", taskDefinitions=["app:1"])
    wait_for(lambda: client.describe_services(cluster="c", services=["s"])["services"][0]["status"] == "INACTIVE", what="the end of the service")
    call(client, "delete_cluster", cluster="c")


def codedeploy_calls(aws, client):
    call(client, "create_application", applicationName="a", computePlatform="ECS")
    call(client, "get_application", applicationName="a")
    call(client, "get_application", expect="ApplicationDoesNotExistException", applicationName="none")
    call(client, "list_applications")
    content = json.dumps({"version": 1, "Resources": [{"TargetService": {"Type": "AWS::ECS::Service", "Properties": {
        "TaskDefinition": "t", "LoadBalancerInfo": {"ContainerName": "app", "ContainerPort": 8000}}}}]})
    call(client, "register_application_revision", applicationName="a", revision={"revisionType": "AppSpecContent", "appSpecContent": {"content": content}})
    call(client, "list_deployment_configs")
    call(client, "get_deployment_config", deploymentConfigName="CodeDeployDefault.ECSCanary10Percent5Minutes")
    call(client, "create_deployment_config", deploymentConfigName="mine", computePlatform="ECS", trafficRoutingConfig={
        "type": "TimeBasedCanary", "timeBasedCanary": {"canaryPercentage": 5, "canaryInterval": 1}})
    call(client, "get_deployment_config", deploymentConfigName="mine")
    call(client, "delete_deployment_config", deploymentConfigName="mine")
    call(client, "list_deployment_groups", applicationName="a")
    call(client, "get_deployment_group", expect="DeploymentGroupDoesNotExistException", applicationName="a", deploymentGroupName="none")
    call(client, "delete_deployment_group", applicationName="a", deploymentGroupName="none")
    call(client, "list_deployments")
    call(client, "delete_application", applicationName="a")


def rds_calls(client, subnets):
    call(client, "describe_db_engine_versions", Engine="postgres")
    call(client, "create_db_subnet_group", DBSubnetGroupName="g", DBSubnetGroupDescription="d", SubnetIds=subnets)
    call(client, "describe_db_subnet_groups")
    call(client, "create_db_instance", DBInstanceIdentifier="db", DBInstanceClass="db.t3.micro", Engine="postgres", DBName="shop", MasterUsername="shop",
         MasterUserPassword="secret-enough", AllocatedStorage=20, DBSubnetGroupName="g")
    call(client, "describe_db_instances", expect="DBInstanceNotFound", DBInstanceIdentifier="none")
    status = lambda: client.describe_db_instances(DBInstanceIdentifier="db")["DBInstances"][0]["DBInstanceStatus"]
    wait_for(lambda: status() == "available", 60, "the database")
    call(client, "modify_db_instance", DBInstanceIdentifier="db", BackupRetentionPeriod=1)
    wait_for(lambda: status() == "available", 60, "the changed database")
    call(client, "reboot_db_instance", DBInstanceIdentifier="db")
    wait_for(lambda: status() == "available", 60, "the rebooted database")
    call(client, "stop_db_instance", DBInstanceIdentifier="db")
    wait_for(lambda: status() == "stopped", 60, "the stopped database")
    call(client, "start_db_instance", DBInstanceIdentifier="db")
    wait_for(lambda: status() == "available", 60, "the started database")
    call(client, "delete_db_instance", DBInstanceIdentifier="db", SkipFinalSnapshot=True)
    wait_for(lambda: not client.describe_db_instances()["DBInstances"], 60, "the end of the database")
    call(client, "delete_db_subnet_group", DBSubnetGroupName="g")


def main():
    with LocalAws() as aws:
        make = lambda name: walker.watch(aws.client(name))
        wanted = set(sys.argv[1:])
        on = lambda name: not wanted or name in wanted
        if on("iam"): section("iam", iam_calls, aws, make("iam"))
        if on("sts"): section("sts", sts_calls, aws, make("sts"))
        if on("secretsmanager"): section("secretsmanager", secrets_calls, make("secretsmanager"))
        if on("ssm"): section("ssm", ssm_calls, make("ssm"))
        if on("logs"): section("logs", logs_calls, make("logs"))
        if on("cloudwatch"): section("cloudwatch", cloudwatch_calls, make("cloudwatch"))
        if on("ec2"): section("ec2", ec2_calls, make("ec2"))
        if on("servicediscovery"):
            vpc = aws.client("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
            section("servicediscovery", discovery_calls, walker.watch(aws.client("servicediscovery", inject_host_prefix=False)), vpc)
        if on("application-autoscaling"): section("application-autoscaling", autoscaling_calls, make("application-autoscaling"))
        if on("cloudtrail"): section("cloudtrail", trail_calls, make("cloudtrail"))
        if on("codedeploy"): section("codedeploy", codedeploy_calls, aws, make("codedeploy"))
        if on("rds"): section("rds", rds_calls, make("rds"), [s["SubnetId"] for s in aws.client("ec2").describe_subnets()["Subnets"]][:2])
        image = aws.image() if on("ecr") or on("ecs") else ""
        if on("ecr"): section("ecr", ecr_calls, aws, make("ecr"), image)
        if on("elbv2") or on("ecs"):
            ec2 = aws.client("ec2")
            subnets = [s["SubnetId"] for s in ec2.describe_subnets()["Subnets"]]
            group, _ = section("elbv2", elb_calls, make("elbv2"), subnets[:2], ec2.describe_vpcs()["Vpcs"][0]["VpcId"])
        if on("ecs"): section("ecs", ecs_calls, aws, make("ecs"), image, aws.role("exec"), group)
    for line in unanswered + sorted(set(walker.findings)):
        print(line)
    print(f"{sum(walker.seen.values())} answers of {len(walker.seen)} operations, {len(walker.findings)} findings, {len(unanswered)} calls that failed")
    return 1 if unanswered or walker.findings else 0


if __name__ == "__main__":
    sys.exit(main())
