# SPDX-License-Identifier: Apache-2.0
"""A small shop of one service that goes from commit to staging and production on a local AWS of its own: what the tests of the deploying
verbs share. Needs root, crun, haproxy, busybox-static and git; nothing is fetched."""
import http.server
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
import urllib.request

import boto3

WORKFLOW = """name: ship
on:
  push:
    branches: ['**']
    tags: ['v*']
permissions:
  contents: read
jobs:
  test:
    runs-on: ubuntu-latest
    timeout-minutes: 5
    steps:
      - uses: actions/checkout@v4
      - run: sh ./test.sh
  deploy:
    needs: test
    if: github.ref == 'refs/heads/main' || startsWith(github.ref, 'refs/tags/v')
    runs-on: ubuntu-latest
    timeout-minutes: 10
    environment: ${{ github.ref == 'refs/heads/main' && 'staging' || 'production' }}
    permissions:
      contents: read
      id-token: write
    env:
      ENVIRONMENT: ${{ github.ref == 'refs/heads/main' && 'staging' || 'production' }}
    steps:
      - uses: actions/checkout@v4
      - uses: aws-actions/configure-aws-credentials@v4
        with:
          role-to-assume: arn:aws:iam::123456789012:role/shop-deploy
          aws-region: us-east-1
      - id: ecr
        uses: aws-actions/amazon-ecr-login@v2
      - uses: docker/build-push-action@v6
        with:
          context: .
          push: true
          tags: ${{ steps.ecr.outputs.registry }}/shop/web:${{ github.sha }}
      - id: web
        uses: aws-actions/amazon-ecs-render-task-definition@v1
        with:
          task-definition: deploy/${{ env.ENVIRONMENT }}.json
          container-name: web
          image: ${{ steps.ecr.outputs.registry }}/shop/web:${{ github.sha }}
          environment-variables: RELEASE_SHA=${{ github.sha }}
      - uses: aws-actions/amazon-ecs-deploy-task-definition@v2
        with:
          task-definition: ${{ steps.web.outputs.task-definition }}
          cluster: shop-${{ env.ENVIRONMENT }}
          service: web
          wait-for-service-stability: true
"""

DOCKERFILE = """FROM scratch
COPY root/ /
ENV PATH=/bin
CMD ["sh", "/serve.sh"]
"""

SERVE = """mkdir -p /www
echo "$RELEASE_SHA" > /www/index.html
trap 'kill $pid; exit 0' TERM
httpd -f -p 8000 -h /www & pid=$!
wait $pid
"""


def definition(environment):
    role = f"arn:aws:iam::123456789012:role/shop-{environment}"
    container = {"name": "web", "image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/web:latest", "essential": True,
                 "portMappings": [{"containerPort": 8000, "protocol": "tcp"}], "environment": [{"name": "ENVIRONMENT", "value": environment}],
                 "healthCheck": {"command": ["CMD-SHELL", "wget -q -O /dev/null http://127.0.0.1:8000/index.html"], "interval": 5, "timeout": 3, "retries": 2},
                 "stopTimeout": 5, "logConfiguration": {"logDriver": "awslogs", "options": {
                     "awslogs-group": f"/ecs/shop-{environment}", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "ecs"}}}
    return {"family": f"shop-{environment}", "requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512",
            "executionRoleArn": role + "-execution", "taskRoleArn": role + "-task", "containerDefinitions": [container]}


class Shop:
    """The repository and its local AWS; a context that leaves nothing behind."""

    def __init__(self, slipway, settings=""):
        self.slipway = os.path.abspath(slipway)
        self.work = tempfile.mkdtemp(prefix="slipway-shop-")
        self.state, self.app = os.path.join(self.work, "state"), os.path.join(self.work, "app")
        self.env = {**os.environ, "SLIPWAY_STATE": self.state, "USER": "ada"}
        self.env.pop("SUDO_USER", None)
        self.env.pop("GITHUB_ACTIONS", None)
        self.make(settings)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run([self.slipway, "down", "--purge"], env=self.env, capture_output=True)
        shutil.rmtree(self.work, ignore_errors=True)

    def write(self, name, text):
        path = os.path.join(self.app, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        open(path, "w").write(text)

    def make(self, settings):
        self.write(".github/workflows/ship.yml", WORKFLOW)
        self.write("Dockerfile", DOCKERFILE)
        self.write("root/serve.sh", SERVE)
        self.write("test.sh", "exit 0\n")
        for environment in ("staging", "production"):
            self.write(f"deploy/{environment}.json", json.dumps(definition(environment), indent=2))
        if settings:
            self.write("slipway.yml", settings)
        os.makedirs(f"{self.app}/root/bin")
        os.makedirs(f"{self.app}/root/tmp")
        self.write("root/tmp/.keep", "")
        shutil.copy(shutil.which("busybox"), f"{self.app}/root/bin/busybox")
        for tool in ("sh", "mkdir", "echo", "httpd", "wget", "kill", "sleep", "cat", "ls"):
            os.symlink("busybox", f"{self.app}/root/bin/{tool}")
        self.git("init", "-qb", "main")
        self.git("remote", "add", "origin", "https://github.com/acme/shop.git")
        self.commit("first")

    def git(self, *words):
        return subprocess.run(["git", "-C", self.app, "-c", "user.name=Ada", "-c", "user.email=ada@example.com", *words], check=True, text=True, capture_output=True).stdout.strip()

    def commit(self, message):
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def run(self, *words, ok=True, env=None):
        """Runs slipway in the repository; `ok` is whether it must succeed, None: either."""
        done = subprocess.run([self.slipway, *words], cwd=self.app, env={**self.env, **(env or {})}, text=True, capture_output=True, stdin=subprocess.DEVNULL)
        if ok is not None and (done.returncode == 0) != ok:
            raise AssertionError(f"slipway {' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def up(self, *words, ok=True):
        done = self.run("up", "--json", *words, ok=ok)
        return json.loads(done.stdout.splitlines()[-1])["services"] if ok else done

    def url(self, environment):
        """Where the environment's service is reached, by the tag of its load balancer."""
        cloud = self.cloud_env()
        elb = boto3.client("elbv2", region_name="us-east-1", endpoint_url=cloud["url"], aws_access_key_id=cloud["access_key_id"], aws_secret_access_key=cloud["secret_access_key"])
        arn = next(b["LoadBalancerArn"] for b in elb.describe_load_balancers()["LoadBalancers"] if b["LoadBalancerName"].startswith(f"shop-{environment}"))
        return next(t["Value"] for t in elb.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"] if t["Key"] == "slipway:local-url")

    def entries(self, kind):
        lines = self.run("--json", "audit", "show").stdout.splitlines()
        return [json.loads(e["body"]) if isinstance(e["body"], str) else e["body"] for e in map(json.loads, lines) if e["kind"] == kind]

    def cloud_env(self):
        return json.load(open(os.path.join(self.state, "cloud/env.json")))


def get(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read().decode().strip()


def wait_for(what, seconds, name):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = what()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {name}")


class Load:
    """Asks a URL from two connections at a time until it is left; `failed` lists what went wrong."""

    def __init__(self, url):
        self.url, self.count, self.failed, self.seen = url, 0, [], []
        self.stop, self.lock = threading.Event(), threading.Lock()
        self.threads = [threading.Thread(target=self.ask) for _ in range(2)]

    def ask(self):
        while not self.stop.wait(0.01):
            try:
                said, trouble = get(self.url), None
            except OSError as error:
                said, trouble = None, str(error)
            with self.lock:
                self.count += 1
                if trouble:
                    self.failed.append(trouble)
                elif said not in self.seen:
                    self.seen.append(said)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()


class Listener:
    """An HTTP server on loopback that keeps what it is sent; `answer(request)` gives status and body."""

    def __init__(self, answer):
        self.got, self.lock = [], threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                request = {"method": self.command, "path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}, "body": body}
                with outer.lock:
                    outer.got.append(request)
                    status, text = answer(request)
                self.send_response(status)
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_PATCH = do_POST

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, path):
        with self.lock:
            return [request for request in self.got if request["path"] == path]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
