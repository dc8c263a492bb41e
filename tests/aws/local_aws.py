# SPDX-License-Identifier: Apache-2.0
"""A local AWS of its own for a test: started, filled with what a deployment needs, and ended again."""
import json
import os
import shutil
import subprocess
import tempfile
import time

import boto3
from botocore.config import Config

from walker import Walker

DOCKERFILE = """FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
RUN mkdir -p /www /tmp /etc && echo hello > /www/index.html
CMD ["httpd", "-f", "-p", "8000", "-h", "/www"]
"""
TRUST = {"Version": "2012-10-17",
         "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
EXECUTION = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"


class LocalAws:
    """`with LocalAws() as aws:` - aws.client("ecs"), aws.slipway("cloud", "status")."""

    def __init__(self, keep=None):
        self.binary = os.environ.get("SLIPWAY", os.path.join(os.path.dirname(__file__), "../../build/dev/bin/slipway"))
        self.directory = keep or tempfile.mkdtemp(prefix="slipway-aws-")
        self.state = os.path.join(self.directory, "state")
        self.walker = Walker()  # every answer of every test is held to the models

    def slipway(self, *arguments, **more):
        return subprocess.run([self.binary, "--state", self.state, *arguments], check=True, capture_output=True, text=True, **more).stdout

    def __enter__(self):
        self.slipway("cloud", "start", "--listen", "127.0.0.1:0")
        self.env = json.loads(self.slipway("cloud", "env", "--json"))
        return self

    def __exit__(self, *arguments):
        log = os.path.join(self.state, "cloud/cloud.log")
        try:
            ended = '"running":true' not in subprocess.run([self.binary, "--state", self.state, "--json", "cloud", "status"], capture_output=True, text=True).stdout
            if ended:  # it crashed: what it left behind is found and ended by another
                with open(log) as file:
                    said = file.read()[-4000:]
                self.slipway("cloud", "start", "--listen", "127.0.0.1:0")
            self.slipway("down")
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)
        if ended:
            raise AssertionError("the local AWS ended by itself:\n" + said)
        if self.walker.findings and not any(arguments):
            raise AssertionError("answers that do not fit the models:\n" + "\n".join(sorted(set(self.walker.findings))))

    @property
    def url(self):
        return self.env["AWS_ENDPOINT_URL"]

    def client(self, service, key=None, secret=None, token=None, region=None, **config):
        return self.walker.watch(boto3.client(service, endpoint_url=self.url, region_name=region or self.env["AWS_REGION"],
                            aws_access_key_id=key or self.env["AWS_ACCESS_KEY_ID"],
                            aws_secret_access_key=secret or self.env["AWS_SECRET_ACCESS_KEY"], aws_session_token=token,
                            config=Config(retries={"total_max_attempts": 1}, **config)))

    def image(self, name="app", tag="1", dockerfile=DOCKERFILE, files=None):
        """Builds a busybox image, pushes it to the local ECR, returns its name for task definitions."""
        ecr = self.client("ecr")
        try:
            ecr.create_repository(repositoryName=name)
        except ecr.exceptions.RepositoryAlreadyExistsException:
            pass
        context = tempfile.mkdtemp(dir=self.directory)
        shutil.copy(shutil.which("busybox"), os.path.join(context, "busybox"))
        for path, text in (files or {}).items():
            with open(os.path.join(context, path), "w") as out:
                out.write(text)
        with open(os.path.join(context, "Dockerfile"), "w") as out:
            out.write(dockerfile)
        layout = os.path.join(context, "image")
        self.slipway("build", context, "-o", f"type=oci,dest={layout},tar=false")
        password = self.password()
        registry = self.url.removeprefix("http://")
        subprocess.run(["skopeo", "--insecure-policy", "copy", "-q", "--dest-tls-verify=false", "--dest-creds", f"AWS:{password}",
                        f"oci:{layout}", f"docker://{registry}/{name}:{tag}"], check=True)
        return f"{self.env_account()}.dkr.ecr.{self.env['AWS_REGION']}.amazonaws.com/{name}:{tag}"

    def password(self):
        import base64
        token = self.client("ecr").get_authorization_token()["authorizationData"][0]["authorizationToken"]
        return base64.b64decode(token).decode().removeprefix("AWS:")

    def env_account(self):
        return self.client("sts").get_caller_identity()["Account"]

    def role(self, name, policies=(EXECUTION,), trust=None):
        iam = self.client("iam")
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust or TRUST))["Role"]["Arn"]
        for policy in policies:
            iam.attach_role_policy(RoleName=name, PolicyArn=policy)
        return arn

    def network(self):
        """A networkConfiguration in the default VPC."""
        subnet = self.client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
        return {"awsvpcConfiguration": {"subnets": [subnet], "assignPublicIp": "ENABLED"}}


def wait_for(look, seconds=30, what="it"):
    """Polls `look` until it gives something true, and returns that."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what} did not happen within {seconds} s")
