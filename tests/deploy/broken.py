#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Deploys broken releases of all kinds to the local AWS and looks whether `slipway deploy` names each one's cause.

broken.py SLIPWAY [CASE...]   needs root, crun, skopeo, umoci, busybox-static, boto3; prints a line a case and a sum.
Exit 0 when at least 38 causes are named right and none wrong.
"""
import concurrent.futures
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import boto3

SLIPWAY = os.path.abspath(sys.argv[1])
ACCOUNT, REGION = "123456789012", "us-east-1"
REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
EXECUTION = f"arn:aws:iam::{ACCOUNT}:role/broken-execution"
HEALTHY = {"command": ["CMD-SHELL", "test -e /tmp/well"], "interval": 5, "timeout": 2, "retries": 1}


def container(name="web", image="app:1", script=None, **more):
    out = {"name": name, "image": f"{REGISTRY}/{image}" if "/" not in image else image, "essential": True}
    if script is not None:
        out["command"] = ["sh", "-c", script]
    out["logConfiguration"] = {"logDriver": "awslogs", "options": {
        "awslogs-group": "/broken", "awslogs-region": REGION, "awslogs-stream-prefix": "ecs"}}
    out.update(more)
    return {key: value for key, value in out.items() if value is not None}


def definition(case, *containers, **more):
    return {"family": f"broken-{case}", "requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512",
            "executionRoleArn": EXECUTION, "containerDefinitions": list(containers), **more}


GOOD = "touch /tmp/well; trap 'exit 0' TERM; while true; do sleep 1 & wait; done"


def secret(name, key=""):
    return [{"name": "TOKEN", "valueFrom": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}" + (f":{key}::" if key else "")}]


def web(script, **more):
    return [container(script=script, **more)]


LOOP = "while true; do sleep 1; done"


def dies_by(signal):  # the first process of a container is not ended by its own signal
    return f"sh -c 'kill -{signal} $$'; exit $?"


# name: (containers, kind, container or None, words of the reason, settings of the case)
CASES = {
    "exit1": (web("echo 'ModuleNotFoundError: No module named app' >&2; exit 1"), "exited", "web", r"code 1.*ModuleNotFoundError", {}),
    "exit3-silent": (web("exit 3"), "exited", "web", r"code 3", {}),
    "exit0": (web("echo done; exit 0"), "exited", "web", r"code 0.*done", {}),
    "exit127": (web("no-such-tool --serve"), "exited", "web", r"code 127.*not found", {}),
    "late-exit": (web("sleep 3; echo 'database went away'; exit 9"), "exited", "web", r"code 9.*database went away", {}),
    "trace": (web("echo 'Error: connect ECONNREFUSED'; echo '    at Socket.emit (node.js:1)'; echo; echo 'Node.js v20.1.0'; exit 1"), "exited", "web", r"ECONNREFUSED", {}),
    "segv": (web(dies_by("SEGV")), "exited", "web", r"SIGSEGV", {}),
    "abrt": (web(dies_by("ABRT")), "exited", "web", r"SIGABRT", {}),
    "kill": (web(dies_by("KILL")), "exited", "web", r"SIGKILL", {}),
    "term": (web(dies_by("TERM")), "exited", "web", r"SIGTERM", {}),
    "bus": (web(dies_by("BUS")), "exited", "web", r"SIGBUS", {}),
    "oom": (web("exec tail /dev/zero", memory=16), "out_of_memory", "web", r"memory", {}),
    "exec-format": ([container(command=["/bin/badformat"])], "cannot_start", "web", r"[Ee]xec format", {}),
    "no-program": ([container(command=["/bin/nothing-here"])], "cannot_start", "web", r"nothing-here|[Nn]o such file", {}),
    "not-executable": ([container(command=["/etc/passwd"])], "cannot_start", "web", r"[Pp]ermission denied", {}),
    "no-workdir-user": ([container(script=LOOP, user="nobody-here")], "cannot_start", "web", r"nobody-here|user", {}),
    "readonly": (web("echo x > /data || { echo 'cannot write /data: read-only'; exit 30; }", readonlyRootFilesystem=True), "exited", "web", r"(?i)code 30.*read-only", {}),
    "no-tag": (web(LOOP, image="app:nope"), "cannot_pull", "web", r"not found|nope", {}),
    "no-repository": (web(LOOP, image="nothing:1"), "cannot_pull", "web", r"nothing", {}),
    "no-digest": (web(LOOP, image="app@sha256:" + "0" * 64), "cannot_pull", "web", r"sha256:0000|not found", {}),
    "no-registry": (web(LOOP, image="registry.invalid/team/app:1"), "cannot_pull", "web", r"registry\.invalid", {}),
    "no-secret": (web(LOOP, secrets=secret("nowhere")), "resource", None, r"nowhere", {}),
    "no-key": (web(LOOP, secrets=secret("json", "absent")), "resource", None, r"absent", {}),
    "no-json": (web(LOOP, secrets=secret("plain", "key")), "resource", None, r"key|JSON|json|unmarshal|invalid", {}),
    "no-parameter": (web(LOOP, secrets=[{"name": "TOKEN", "valueFrom": "/no/parameter"}]), "resource", None, r"no/parameter|parameter", {}),
    "denied-secret": (web(LOOP, secrets=secret("json")), "resource", None, r"not authorized|AccessDenied|denied", {"role": "broken-weak"}),
    "no-role": (web(LOOP), "resource", None, r"absent-role", {"role": "absent-role"}),
    "untrusting-role": (web(LOOP), "resource", None, r"untrusting", {"role": "broken-untrusting"}),
    "no-log-group": ([container(script=LOOP, logConfiguration={"logDriver": "awslogs", "options": {
        "awslogs-group": "/not-there", "awslogs-region": REGION, "awslogs-stream-prefix": "ecs"}})], "resource", None, r"log group|log stream", {}),
    "unhealthy": (web("echo 'listening on 8080'; " + LOOP, healthCheck={"command": ["CMD-SHELL", "echo 'db: refused'; exit 1"], "interval": 5, "timeout": 2, "retries": 1}),
                  "unhealthy", "web", r"health check", {}),
    "health-hangs": (web(LOOP, healthCheck={"command": ["CMD-SHELL", "sleep 60"], "interval": 5, "timeout": 2, "retries": 1}), "unhealthy", "web", r"health check", {}),
    "sidecar-dies": ([container(script=GOOD, healthCheck=HEALTHY), container("proxy", script="echo 'proxy: bad config'; exit 78")], "exited", "proxy", r"proxy.*78.*bad config", {}),
    "sidecar-image": ([container(script=GOOD, healthCheck=HEALTHY), container("proxy", image="app:gone", script=LOOP)], "cannot_pull", "proxy", r"gone", {}),
    "init-fails": ([container(script=GOOD, dependsOn=[{"containerName": "init", "condition": "SUCCESS"}]),
                    container("init", script="echo 'migration 7 failed'; exit 4", essential=False)], "exited", "init", r"init.*4.*migration 7 failed", {}),
    "dependency-sick": ([container(script=GOOD, healthCheck=HEALTHY, dependsOn=[{"containerName": "db", "condition": "HEALTHY"}]),
                         container("db", script="echo 'db: recovery needs the file backup_label'; " + LOOP,
                                   healthCheck={"command": ["CMD-SHELL", "exit 1"], "interval": 5, "timeout": 2, "retries": 1})],
                        "unhealthy", "db", r"'db' failed its health check.*backup_label", {"timeout": "20s"}),
    "dependency-late": ([container(script=GOOD, healthCheck=HEALTHY, dependsOn=[{"containerName": "db", "condition": "HEALTHY"}]),
                         container("db", startTimeout=5, script="echo 'db: replaying the log'; " + LOOP,
                                   healthCheck={"command": ["CMD-SHELL", "exit 1"], "interval": 60, "timeout": 2, "retries": 10})],
                        "dependency", "db", r"'db'.*replaying the log", {}),
    "other-arch": (web(LOOP, image="arm:1"), "cannot_pull", "web", r"linux/amd64", {}),
    "lb-404": (web("mkdir -p /tmp/w; httpd -f -p 8080 -h /tmp/w", portMappings=[{"containerPort": 8080}]), "target_unhealthy", "web", r"load balancer", {"lb": True}),
    "lb-port": (web("mkdir -p /tmp/w; touch /tmp/w/ok; httpd -f -p 9999 -h /tmp/w", portMappings=[{"containerPort": 8080}]), "target_unhealthy", "web", r"load balancer", {"lb": True}),
    "lb-no-port": (web(GOOD), "refused", None, r"8080|container|port", {"lb": True}),
    "bad-size": (web(GOOD), "refused", None, r"cpu|memory", {"cpu": "256", "memory": "8192"}),
    "no-essential": (web(GOOD, essential=False), "refused", None, r"essential", {}),
    "bad-dependency": (web(GOOD, dependsOn=[{"containerName": "ghost", "condition": "START"}]), "refused", None, r"ghost", {}),
    "replaced": (web("sleep 600", healthCheck={"command": ["CMD-SHELL", "exit 1"], "interval": 30, "timeout": 2, "retries": 10, "startPeriod": 120}), "replaced", None, r"replaced", {"rival": True}),
    "stuck": (web("sleep 600", healthCheck={"command": ["CMD-SHELL", "exit 1"], "interval": 30, "timeout": 2, "retries": 10, "startPeriod": 120}), "stuck", None, r"not stable after", {"timeout": "12s"}),
    "no-breaker": (web("echo 'no breaker here'; exit 5"), "exited", "web", r"code 5.*no breaker here.*rolled back", {"breaker": None}),
    "breaker-stays": (web("echo 'breaker only'; exit 6"), "exited", "web", r"code 6.*breaker only.*rolled back", {"breaker": {"enable": True, "rollback": False}}),
}


class World:
    def __init__(self, work):
        self.work = work
        self.state = os.path.join(work, "state")
        self.run("cloud", "start", "--listen", "127.0.0.1:0")
        env = json.load(open(os.path.join(self.state, "cloud/env.json")))
        self.url = env["url"]
        keys = {"aws_access_key_id": env["access_key_id"], "aws_secret_access_key": env["secret_access_key"]}
        self.client = lambda name: boto3.client(name, region_name=REGION, endpoint_url=self.url, **keys)
        self.ecs, self.elb, self.iam = self.client("ecs"), self.client("elbv2"), self.client("iam")
        self.lock = threading.Lock()

    def run(self, *words, cwd=None, check=True):
        done = subprocess.run([SLIPWAY, "--state", self.state, *words], cwd=cwd, text=True, capture_output=True)
        if check and done.returncode:
            raise SystemExit(f"slipway {' '.join(words)}: {done.stderr}")
        return done

    def images(self):
        root = os.path.join(self.work, "image")
        oci = os.path.join(self.work, "oci")
        busybox = shutil.which("busybox")
        ecr = self.client("ecr")
        password = self.client("ecr").get_authorization_token()["authorizationData"][0]["authorizationToken"]
        for name, arch in (("app", "amd64"), ("arm", "arm64")):
            ecr.create_repository(repositoryName=name)
            os.makedirs(f"{root}/bin")
            os.makedirs(f"{root}/etc")
            os.makedirs(f"{root}/tmp")
            shutil.copy(busybox, f"{root}/bin/busybox")
            for tool in ("sh", "sleep", "echo", "tail", "touch", "test", "mkdir", "httpd", "cat", "kill"):
                os.symlink("busybox", f"{root}/bin/{tool}")
            open(f"{root}/etc/passwd", "w").write("root:x:0:0:root:/:/bin/sh\n")
            open(f"{root}/bin/badformat", "wb").write(b"\x7fELF\x02\x01\x01\x00 this is no program")
            os.chmod(f"{root}/bin/badformat", 0o755)
            subprocess.run(["umoci", "init", "--layout", oci], check=True)
            subprocess.run(["umoci", "new", "--image", f"{oci}:{name}"], check=True)
            subprocess.run(["umoci", "insert", "--image", f"{oci}:{name}", root, "/"], check=True)
            subprocess.run(["umoci", "config", "--image", f"{oci}:{name}", "--architecture", arch, "--config.env", "PATH=/bin"], check=True)
            if arch != "amd64":  # as buildx pushes it: an index of one platform
                self.only_for(oci, name, arch)
            decoded = __import__("base64").b64decode(password).decode().split(":", 1)[1]
            subprocess.run(["skopeo", "copy", "-q", "--all", "--dest-tls-verify=false", "--dest-creds", f"AWS:{decoded}", f"oci:{oci}:{name}",
                            f"docker://{self.url.split('//')[1]}/{name}:1"], check=True)
            shutil.rmtree(root)
            shutil.rmtree(oci)

    @staticmethod
    def only_for(oci, name, arch):
        """Puts an index before the image `name` of a layout that says it is for `arch`."""
        top = json.load(open(f"{oci}/index.json"))
        manifest = next(m for m in top["manifests"] if m["annotations"]["org.opencontainers.image.ref.name"] == name)
        inner = {key: manifest[key] for key in ("mediaType", "digest", "size")}
        media = "application/vnd.oci.image.index.v1+json"
        index = json.dumps({"schemaVersion": 2, "mediaType": media, "manifests": [{**inner, "platform": {"os": "linux", "architecture": arch}}]}).encode()
        digest = hashlib.sha256(index).hexdigest()
        open(f"{oci}/blobs/sha256/{digest}", "wb").write(index)
        manifest.update(mediaType=media, digest="sha256:" + digest, size=len(index))
        json.dump(top, open(f"{oci}/index.json", "w"))

    def roles(self):
        trust = lambda who: json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": who}, "Action": "sts:AssumeRole"}]})
        for name, who in (("broken-execution", "ecs-tasks.amazonaws.com"), ("broken-weak", "ecs-tasks.amazonaws.com"), ("broken-untrusting", "ec2.amazonaws.com")):
            self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(who))
            self.iam.attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy")
        allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["secretsmanager:GetSecretValue", "ssm:GetParameters"], "Resource": "*"}]}
        self.iam.put_role_policy(RoleName="broken-execution", PolicyName="secrets", PolicyDocument=json.dumps(allow))

    def prepare(self):
        self.images()
        self.roles()
        self.ecs.create_cluster(clusterName="broken")
        self.client("logs").create_log_group(logGroupName="/broken")
        secrets = self.client("secretsmanager")
        secrets.create_secret(Name="json", SecretString='{"present":"1"}')
        secrets.create_secret(Name="plain", SecretString="just text")
        ec2 = self.client("ec2")
        subnets = ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
        self.vpc = subnets[0]["VpcId"]
        self.network = {"awsvpcConfiguration": {"subnets": [s["SubnetId"] for s in subnets], "assignPublicIp": "ENABLED"}}
        self.subnets = [s["SubnetId"] for s in subnets]

    def target_group(self, case):
        group = self.elb.create_target_group(Name=f"b-{case}"[:32], Protocol="HTTP", Port=8080, VpcId=self.vpc, TargetType="ip", HealthCheckPath="/ok",
                                             HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2, HealthyThresholdCount=2, UnhealthyThresholdCount=2)["TargetGroups"][0]["TargetGroupArn"]
        balancer = self.elb.create_load_balancer(Name=f"b-{case}"[:32], Subnets=self.subnets)["LoadBalancers"][0]["LoadBalancerArn"]
        self.elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=[{"Type": "forward", "TargetGroupArn": group}])
        return group

    def service(self, case, options):
        script, more = GOOD, {"healthCheck": HEALTHY}
        if options.get("lb"):
            script, more = "mkdir -p /tmp/w; touch /tmp/w/ok; exec httpd -f -p 8080 -h /tmp/w", {"portMappings": [{"containerPort": 8080}]}
        good = self.ecs.register_task_definition(**definition(case, container(script=script, **more)))["taskDefinition"]["taskDefinitionArn"]
        breaker = options.get("breaker", {"enable": True, "rollback": True})
        settings = {"minimumHealthyPercent": 100, "maximumPercent": 200, **({"deploymentCircuitBreaker": breaker} if breaker else {})}
        balancers = [{"targetGroupArn": self.target_group(case), "containerName": "web", "containerPort": 8080}] if options.get("lb") else []
        self.ecs.create_service(cluster="broken", serviceName=case, taskDefinition=good, desiredCount=1, launchType="FARGATE",
                                networkConfiguration=self.network, deploymentConfiguration=settings, loadBalancers=balancers)
        for _ in range(200):
            service = self.ecs.describe_services(cluster="broken", services=[case])["services"][0]
            if len(service["deployments"]) == 1 and service["deployments"][0]["rolloutState"] == "COMPLETED":
                return good
            time.sleep(0.2)
        tasks = self.ecs.list_tasks(cluster="broken", serviceName=case, desiredStatus="STOPPED")["taskArns"]
        why = [t.get("stoppedReason") for t in self.ecs.describe_tasks(cluster="broken", tasks=tasks)["tasks"]] if tasks else []
        raise RuntimeError(f"{case}: the good release did not become stable: {why[:1]}")

    def deploy_past(self, case, good):
        """Another deployer: as soon as slipway's deployment runs, back to what was there."""
        for _ in range(600):
            if self.ecs.describe_services(cluster="broken", services=[case])["services"][0]["taskDefinition"] != good:
                break
            time.sleep(0.2)
        time.sleep(1)
        self.ecs.update_service(cluster="broken", service=case, taskDefinition=good)

    def deploy(self, case):
        containers, kind, culprit, words, options = CASES[case]
        good = self.service(case, options)
        try:
            more = {key: options[key] for key in ("cpu", "memory") if key in options}
            bad = definition(case, *containers, **more)
            if "role" in options:
                bad["executionRoleArn"] = f"arn:aws:iam::{ACCOUNT}:role/{options['role']}"
            repository = os.path.join(self.work, "repo-" + case)
            os.makedirs(repository)
            json.dump(bad, open(f"{repository}/td.json", "w"))
            open(f"{repository}/slipway.yml", "w").write(
                f"version: 1\nenvironments:\n  {case}:\n    services:\n      {case}: {{cluster: broken, task_definition: td.json}}\n")
            git = ["git", "-c", "user.name=t", "-c", "user.email=t@t", "-C", repository]
            subprocess.run([*git, "init", "-q"], check=True)
            subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
            if options.get("rival"):
                threading.Thread(target=self.deploy_past, args=(case, good), daemon=True).start()
            done = self.run("--json", "deploy", case, "--yes", "--timeout", options.get("timeout", "240s"), cwd=repository, check=False)
            try:
                return json.loads(done.stdout)[0]["verdict"], done.returncode
            except (ValueError, KeyError, IndexError):
                return {"verdict": "none", "reason": done.stderr.strip()[-500:], "causes": [{"kind": "none"}]}, done.returncode
        finally:
            self.ecs.delete_service(cluster="broken", service=case, force=True)


def judge(case, verdict, code):
    _, kind, culprit, words, options = CASES[case]
    cause = (verdict.get("causes") or [{"kind": "unknown"}])[0]
    is_right = code == 1 and re.fullmatch(kind, cause["kind"]) and (culprit is None or cause.get("container") == culprit) and re.search(words, verdict["reason"], re.S)
    return "right" if is_right else "unknown" if cause["kind"] in ("unknown", "none") else "wrong"


def main():
    cases = sys.argv[2:] or list(CASES)
    work = tempfile.mkdtemp(prefix="slipway-broken-")
    world = World(work)
    sums = {"right": 0, "wrong": 0, "unknown": 0}
    try:
        world.prepare()
        with concurrent.futures.ThreadPoolExecutor(5) as pool:
            futures = {pool.submit(world.deploy, case): case for case in cases}
            for future in concurrent.futures.as_completed(futures):
                case = futures[future]
                try:
                    verdict, code = future.result()
                except Exception as error:  # the case itself is broken
                    verdict, code = {"reason": f"script: {error!r}", "causes": [{"kind": "none"}]}, -1
                result = judge(case, verdict, code)
                sums[result] += 1
                cause = (verdict.get("causes") or [{"kind": "unknown"}])[0]
                print(f"{result:<8} {case:<16} {cause['kind']:<16} {verdict.get('verdict', '')}: {verdict['reason']}", flush=True)
    finally:
        world.run("down", check=False)
        shutil.rmtree(work, ignore_errors=True)
    print(f"{len(cases)} broken deployments: {sums['right']} causes named right, {sums['wrong']} wrong, {sums['unknown']} unknown")
    sys.exit(0 if sums["wrong"] == 0 and sums["right"] >= min(38, len(cases)) else 1)


if __name__ == "__main__":
    main()
