#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tasks find each other by name: service discovery through Cloud Map's DNS, and Service Connect's client aliases."""
import sys

from local_aws import DOCKERFILE, LocalAws, wait_for

# Says its own address, so that a client sees whom it reached.
SERVER = DOCKERFILE.replace("CMD [", "RUN mkdir -p /www/cgi-bin && printf '#!/bin/sh\\necho; hostname -i\\n' > /www/cgi-bin/who && chmod 755 /www/cgi-bin/who\nCMD [")
# As the kernel leads it, without a resolver between.
ALIAS = "a=$(grep ' backend$' /etc/hosts); a=${a%% *}"


class Cluster:
    def __init__(self, aws):
        self.aws, self.ecs, self.map, self.logs = aws, aws.client("ecs"), aws.client("servicediscovery", inject_host_prefix=False), aws.client("logs")
        self.image, self.role = aws.image(dockerfile=SERVER), aws.role("exec")
        self.logs.create_log_group(logGroupName="l")
        self.ecs.create_cluster(clusterName="c")
        self.number = 0

    def definition(self, family, command=None, **container):
        one = {"name": "app", "image": self.image, "stopTimeout": 2, "portMappings": [{"containerPort": 8000, "name": "http"}],
               "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "l", "awslogs-region": "us-east-1", "awslogs-stream-prefix": family}}, **container}
        if command:
            one["command"] = ["sh", "-c", command]
        self.ecs.register_task_definition(family=family, networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512",
                                          executionRoleArn=self.role, containerDefinitions=[one])

    def service(self, name, family, count=1, **more):
        return self.ecs.create_service(cluster="c", serviceName=name, taskDefinition=family, desiredCount=count, launchType="FARGATE",
                                       networkConfiguration=self.aws.network(), **more)["service"]

    def settled(self, name):
        return wait_for(lambda: (lambda s: s["runningCount"] == s["desiredCount"] and s["deployments"][0]["rolloutState"] == "COMPLETED" and s)(
            self.ecs.describe_services(cluster="c", services=[name])["services"][0]), 60, name)

    def said(self, command):
        """What a task of its own prints."""
        self.number += 1
        family = f"ask{self.number}"
        self.definition(family, command)
        task = self.ecs.run_task(cluster="c", taskDefinition=family, launchType="FARGATE", networkConfiguration=self.aws.network())["tasks"][0]["taskArn"]
        self.ended(task)
        return self.log(family, task)

    def ended(self, task):
        """Waits for a task's end, which must be that of its command."""
        stopped = wait_for(lambda: (lambda t: t["lastStatus"] == "STOPPED" and t)(self.ecs.describe_tasks(cluster="c", tasks=[task])["tasks"][0]), 60, "the end of " + task)
        assert stopped["stopCode"] == "EssentialContainerExited", stopped

    def log(self, family, task):
        events = self.logs.get_log_events(logGroupName="l", logStreamName=f"{family}/app/{task.split('/')[-1]}", startFromHead=True)["events"]
        return [event["message"] for event in events]

    def addresses(self, service):
        tasks = self.ecs.list_tasks(cluster="c", serviceName=service)["taskArns"]
        return sorted(c["networkInterfaces"][0]["privateIpv4Address"] for t in self.ecs.describe_tasks(cluster="c", tasks=tasks)["tasks"] for c in t["containers"])


def refused(error, call, **arguments):
    try:
        call(**arguments)
    except Exception as caught:
        code = caught.response["Error"]["Code"]
        assert code == error, (code, error, str(caught))
        return str(caught)
    raise AssertionError(f"{arguments} was not refused with {error}")


def cloud_map(c):
    vpc = c.aws.client("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
    operation = c.map.create_private_dns_namespace(Name="shop.local", Vpc=vpc)["OperationId"]
    done = c.map.get_operation(OperationId=operation)["Operation"]
    assert done["Status"] == "SUCCESS", done
    space = done["Targets"]["NAMESPACE"]
    refused("NamespaceAlreadyExists", c.map.create_private_dns_namespace, Name="shop.local", Vpc=vpc)
    refused("InvalidInput", c.map.create_private_dns_namespace, Name="other.local", Vpc="vpc-0")
    api = c.map.create_service(Name="api", NamespaceId=space, DnsConfig={"DnsRecords": [{"Type": "A", "TTL": 10}]}, HealthCheckCustomConfig={"FailureThreshold": 1})["Service"]
    ports = c.map.create_service(Name="ports", NamespaceId=space, DnsConfig={"DnsRecords": [{"Type": "SRV", "TTL": 10}]})["Service"]
    refused("ServiceAlreadyExists", c.map.create_service, Name="api", NamespaceId=space, DnsConfig={"DnsRecords": [{"Type": "A", "TTL": 10}]})
    refused("ResourceInUse", c.map.delete_namespace, Id=space)
    c.definition("api")
    refused("InvalidParameterException", c.service, name="bad", family="api", serviceRegistries=[{"registryArn": ports["Arn"]}])
    c.service("api", "api", 2, serviceRegistries=[{"registryArn": api["Arn"]}])
    c.settled("api")
    found = c.map.discover_instances(NamespaceName="shop.local", ServiceName="api")["Instances"]
    assert sorted(i["Attributes"]["AWS_INSTANCE_IPV4"] for i in found) == c.addresses("api") and all(i["HealthStatus"] == "HEALTHY" for i in found), found
    assert all(i["Attributes"]["ECS_SERVICE_NAME"] == "api" for i in found), found
    assert len(c.map.list_instances(ServiceId=api["Id"])["Instances"]) == 2
    said = c.said("nslookup -type=a api.shop.local; wget -qO- http://api.shop.local:8000/; nslookup -type=a nothing.shop.local || true")
    assert all(any(address in line for line in said) for address in c.addresses("api")), said
    assert "hello" in said and any("NXDOMAIN" in line for line in said), said
    c.map.register_instance(ServiceId=ports["Id"], InstanceId="i1", Attributes={"AWS_INSTANCE_IPV4": "10.9.8.7", "AWS_INSTANCE_PORT": "8443"})
    refused("InvalidInput", c.map.register_instance, ServiceId=ports["Id"], InstanceId="i2", Attributes={"AWS_INSTANCE_IPV4": "10.9.8.7"})
    said = c.said("nslookup -type=srv ports.shop.local; nslookup -type=a i1.ports.shop.local")
    assert any("8443 i1.ports.shop.local" in line for line in said) and any("10.9.8.7" in line for line in said), said
    gone = c.addresses("api")[0]
    task = [t for t in c.ecs.list_tasks(cluster="c", serviceName="api")["taskArns"]
            if gone in str(c.ecs.describe_tasks(cluster="c", tasks=[t])["tasks"])][0]
    c.ecs.stop_task(cluster="c", task=task)
    wait_for(lambda: not [i for i in c.map.discover_instances(NamespaceName="shop.local", ServiceName="api")["Instances"] if i["InstanceId"] == task.split("/")[-1]], 30, "the stopped task's end in Cloud Map")
    c.ecs.delete_service(cluster="c", service="api", force=True)
    wait_for(lambda: not c.map.list_instances(ServiceId=api["Id"])["Instances"], 30, "the end of the service's instances")
    c.map.deregister_instance(ServiceId=ports["Id"], InstanceId="i1")
    for service in (api, ports):
        c.map.delete_service(Id=service["Id"])
    c.map.delete_namespace(Id=space)
    print("service discovery: addresses, ports, health, NXDOMAIN, and the end of each")


def service_connect(c):
    refused("NamespaceNotFoundException", c.service, name="x", family="api", serviceConnectConfiguration={"enabled": True, "namespace": "mesh"})
    refused("InvalidParameterException", c.service, name="x", family="api", serviceConnectConfiguration={"enabled": True})
    space = c.ecs.update_cluster(cluster="c", serviceConnectDefaults={"namespace": "mesh"})["cluster"]["serviceConnectDefaults"]["namespace"]
    assert [n for n in c.map.list_namespaces()["Namespaces"] if n["Arn"] == space][0]["Type"] == "HTTP"
    connect = lambda port, alias=None: {"enabled": True, "services": [{"portName": port, "discoveryName": "backend", "clientAliases": [{"port": 80, **({"dnsName": alias} if alias else {})}]}]}
    text = refused("InvalidParameterException", c.service, name="x", family="api", serviceConnectConfiguration=connect("nope"))
    assert "Port name (nope) does not refer to any named PortMapping in the task definition." in text, text
    made = c.service("backend", "api", 3, serviceConnectConfiguration=connect("http", "backend"))["deployments"][0]
    assert made["serviceConnectResources"][0]["discoveryName"] == "backend" and made["serviceConnectConfiguration"]["services"][0]["portName"] == "http", made
    c.settled("backend")
    refused("InvalidParameterException", c.service, name="second", family="api", serviceConnectConfiguration=connect("http", "backend"))
    assert len(c.map.discover_instances(NamespaceName="mesh", ServiceName="backend")["Instances"]) == 3
    c.definition("client", ALIAS + "; i=0; while [ $i -lt 40 ]; do timeout 3 wget -qO- http://$a/cgi-bin/who || echo failed; i=$((i+1)); done; echo done; sleep 600")
    c.service("client", "client", serviceConnectConfiguration={"enabled": True})
    task = wait_for(lambda: c.ecs.list_tasks(cluster="c", serviceName="client")["taskArns"], 30, "the client")[0]
    stream = f"client/app/{task.split('/')[-1]}"
    lines = wait_for(lambda: (lambda said: "done" in said and said)([e["message"] for s in c.logs.describe_log_streams(logGroupName="l", logStreamNamePrefix=stream)["logStreams"]
                                                                   for e in c.logs.get_log_events(logGroupName="l", logStreamName=stream, startFromHead=True)["events"]]), 60, "forty requests")
    reached = {line.strip() for line in lines} - {"done"}
    assert reached == set(c.addresses("backend")), (reached, c.addresses("backend"))
    # Tasks that come later are reached from clients that were there before.
    c.ecs.update_service(cluster="c", service="backend", forceNewDeployment=True)
    c.settled("backend")
    wait_for(lambda: len(c.addresses("backend")) == 3, 30, "three new tasks")
    c.definition("again", ALIAS + "; timeout 3 wget -qO- http://$a/cgi-bin/who; timeout 3 wget -qO- http://$a:81/ || echo refused; sleep 600")
    c.service("again", "again", serviceConnectConfiguration={"enabled": True})
    again = wait_for(lambda: c.ecs.list_tasks(cluster="c", serviceName="again")["taskArns"], 30, "the client")[0]
    said = wait_for(lambda: (lambda s: len(s) >= 2 and s)([e["message"] for e in c.logs.filter_log_events(logGroupName="l", logStreamNamePrefix=f"again/app/{again.split('/')[-1]}")["events"]]), 30, "its requests")
    assert said[0].strip() in c.addresses("backend") and any("refused" in line for line in said), said
    print(f"service connect: an alias reaches {len(reached)} tasks, and those that replaced them")


def main():
    with LocalAws() as aws:
        c = Cluster(aws)
        cloud_map(c)
        service_connect(c)
    return 0


if __name__ == "__main__":
    sys.exit(main())
