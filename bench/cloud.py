#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""bench/cloud.py SLIPWAY: the local AWS. Start to first answer, idle memory, DescribeServices a second (one signed request, kept connections, by
wrk) beside moto where it is installed, RunTask to the first instruction beside `docker run` where dockerd runs. Medians."""
import json
import logging
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/aws"))
os.environ["SLIPWAY"] = os.path.abspath(sys.argv[1])
from botocore.auth import SigV4Auth  # noqa: E402
from botocore.awsrequest import AWSRequest  # noqa: E402
from botocore.credentials import Credentials  # noqa: E402
from local_aws import LocalAws  # noqa: E402


def start_times(rounds=5):
    found = []
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as state:
        for _ in range(rounds + 1):  # the first makes keys and certificates
            began = time.monotonic()
            process = subprocess.Popen([os.environ["SLIPWAY"], "--state", state, "cloud", "serve", "--listen", "127.0.0.1:0"], stderr=subprocess.PIPE, text=True)
            url = re.search(r"http://\S+", process.stderr.readline())[0]
            urllib.request.urlopen(url + "/_slipway/health").read()
            found.append((time.monotonic() - began) * 1000)
            process.terminate()
            process.wait()
    return found[0], statistics.median(found[1:])


def requests_a_second(url, key, secret, cluster, service):
    body = json.dumps({"cluster": cluster, "services": [service]})
    request = AWSRequest("POST", url + "/", data=body, headers={"X-Amz-Target": "AmazonEC2ContainerServiceV20141113.DescribeServices", "Content-Type": "application/x-amz-json-1.1"})
    SigV4Auth(Credentials(key, secret), "ecs", "us-east-1").add_auth(request)
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write('wrk.method = "POST"\nwrk.body = %s\n' % json.dumps(body))
        for name, value in request.headers.items():
            script.write("wrk.headers[%s] = %s\n" % (json.dumps(name), json.dumps(value)))
        script.flush()
        said = subprocess.run(["wrk", "-t1", "-c8", "-d5s", "-s", script.name, url + "/"], capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said:
        raise AssertionError(said)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])


def moto(rounds):
    try:
        import boto3
        from moto.server import ThreadedMotoServer
    except ImportError:
        return None
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}".replace("0.0.0.0", "127.0.0.1")
    ecs = boto3.client("ecs", endpoint_url=url, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    ecs.create_cluster(clusterName="c")
    ecs.register_task_definition(family="app", containerDefinitions=[{"name": "app", "image": "x", "memory": 16}])
    ecs.create_service(cluster="c", serviceName="s", taskDefinition="app", desiredCount=0)
    found = statistics.median(requests_a_second(url, "a", "b", "c", "s") for _ in range(rounds))
    server.stop()
    return found


def run_task(aws, rounds=10):
    """ms from the call to the time of the line that the container's first instruction wrote."""
    ecs, logs = aws.client("ecs"), aws.client("logs")
    role, image = aws.role("exec"), aws.image()
    logs.create_log_group(logGroupName="/bench")
    ecs.register_task_definition(family="now", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512", executionRoleArn=role, containerDefinitions=[
        {"name": "app", "image": image, "entryPoint": ["echo"], "command": ["now"],
         "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/bench", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "x"}}}])
    found = []
    for _ in range(rounds + 1):
        began = time.time_ns()
        arn = ecs.run_task(cluster="c", taskDefinition="now", launchType="FARGATE", networkConfiguration=aws.network())["tasks"][0]["taskArn"]
        stream = "x/app/" + arn.rsplit("/", 1)[1]
        lines = []
        while not lines:
            try:
                lines = logs.get_log_events(logGroupName="/bench", logStreamName=stream)["events"]
            except logs.exceptions.ResourceNotFoundException:
                pass
            time.sleep(0.01)
        found.append(lines[0]["timestamp"] - began / 1e6)
    return statistics.median(found[1:])


def main():
    first, again = start_times()
    print(f"start to first answer      {again:8.0f} ms (a new state: {first:.0f} ms)")
    with LocalAws() as aws:
        ecs = aws.client("ecs")
        ecs.create_cluster(clusterName="c")
        with open(os.path.join(aws.state, "cloud/cloud.pid")) as file:
            pid = file.read().split()[0]
        with open(f"/proc/{pid}/status") as file:
            resident = int(re.search(r"VmRSS:\s+(\d+)", file.read())[1])
        print(f"idle memory                {resident / 1024:8.1f} MB")
        print(f"RunTask to first instruction {run_task(aws):6.0f} ms")
        ecs.create_service(cluster="c", serviceName="s", taskDefinition="now", desiredCount=0, launchType="FARGATE", networkConfiguration=aws.network())
        ours = statistics.median(requests_a_second(aws.url, aws.env["AWS_ACCESS_KEY_ID"], aws.env["AWS_SECRET_ACCESS_KEY"], "c", "s") for _ in range(3))
        print(f"DescribeServices           {ours:8.0f} a second")
    other = moto(3)
    print(f"  of moto                  {other:8.0f} a second: {ours / other:.0f} times" if other else "  moto is not installed here")


if __name__ == "__main__":
    sys.exit(main())
