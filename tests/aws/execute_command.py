# SPDX-License-Identifier: Apache-2.0
"""ECS Exec: what is refused, and a terminal in a task by AWS's own session-manager-plugin (where it is installed) and by `slipway exec`."""
import fcntl
import json
import os
import pty
import select
import shutil
import signal
import struct
import subprocess
import termios
import time

from botocore.exceptions import ClientError

from local_aws import LocalAws, wait_for

CHANNEL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*", "Action": [
    "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel", "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel"]}]}


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, argv, env, rows=31, columns=97):
        self.master, slave = pty.openpty()
        self.resize(rows, columns)
        self.process = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, env=env, start_new_session=True)
        os.close(slave)
        self.seen = ""

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.master, text.encode())

    def expect(self, text, seconds=20):
        end = time.monotonic() + seconds
        while text not in self.seen:
            left = end - time.monotonic()
            if left <= 0 or not self.more(left):
                raise AssertionError(f"{text!r} is not in {self.seen[-500:]!r}")
        self.seen = self.seen[self.seen.index(text) + len(text):]

    def more(self, seconds):
        ready, _, _ = select.select([self.master], [], [], seconds)
        if not ready:
            return False
        try:
            read = os.read(self.master, 65536)
        except OSError:
            return False
        self.seen += read.decode(errors="replace")
        return bool(read)

    def end(self, seconds=20):
        """Reads to the end, returns the exit code."""
        end = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < end:
            self.more(0.05)
        while self.more(0.05):
            pass
        os.close(self.master)
        if self.process.poll() is None:
            self.process.kill()
            raise AssertionError(f"it did not end: {self.seen[-500:]!r}")
        return self.process.returncode


def refused(code, words, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        assert words in error.response["Error"]["Message"], error
        return
    raise AssertionError(f"not refused: {arguments}")


def by_the_plugin(aws, env, task):
    """The AWS CLI with AWS's plugin, unmodified."""
    def cli(command):
        return Terminal(["aws", "--endpoint-url", aws.url, "ecs", "execute-command", "--cluster", "c", "--task", task, "--interactive",
                         "--command", command], env)
    begun = time.monotonic()
    shell = cli("/bin/sh")
    shell.expect("# ")
    print(f"plugin: a prompt after {time.monotonic() - begun:.2f} s")
    shell.type("stty size; echo $((6*7)) $GREETING $TERM\r")
    shell.expect("31 97")
    shell.expect("42 from the task xterm-256color")
    shell.resize(40, 120)
    time.sleep(0.8)  # the plugin looks twice a second
    shell.type("stty size\r")
    shell.expect("40 120")
    shell.type("sleep 100\r")
    time.sleep(0.3)
    os.killpg(shell.process.pid, signal.SIGINT)  # as Ctrl-C: the plugin passes it on, the CLI ignores it
    shell.expect("^C")
    shell.expect("# ")
    shell.type("seq 1 20000 | tail -n 1; seq 1 3000; echo d'o'ne\r")
    shell.expect("20000")
    shell.expect("\n2999\r\r\n3000\r\r\ndone")
    shell.type("exit\r")
    shell.expect("Exiting session with sessionId: ecs-execute-command-")
    assert shell.end() == 0
    one = cli("ls /www")
    one.expect("index.html")
    one.end()
    none = cli("/bin/none")
    none.expect("Unable to start command")
    none.end()


def by_slipway(aws, env, task):
    def argv(*words):
        return [aws.binary, "--state", aws.state, "exec", "test", "s", *words]

    def run(*words, **more):
        return subprocess.run(argv(*words), env=env, capture_output=True, text=True, timeout=60, **more)

    begun = time.monotonic()
    done = run("--", "sh", "-c", "echo 'a  b'; cat /www/index.html; exit 7", stdin=subprocess.DEVNULL)
    print(f"slipway exec: a command's end after {time.monotonic() - begun:.2f} s")
    assert (done.returncode, done.stdout) == (7, "a  b\nhello\n"), done
    assert run("--", "none", stdin=subprocess.DEVNULL).returncode == 127
    assert run("--", "wc", "-l", input="".join(f"line {i}\n" for i in range(3000))).stdout.strip() == "3000"
    assert run("--", "cat", input="no end of line").stdout == "no end of line"
    much = run("--", "seq", "1", "200000", stdin=subprocess.DEVNULL)
    assert much.stdout == "".join(f"{i}\n" for i in range(1, 200001)), much.stdout[-200:]
    told = subprocess.run([aws.binary, "--state", aws.state, "--json", "exec", "test", "s", "--", "hostname"], env=env, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, check=True)
    assert json.loads(told.stdout)["exitCode"] == 0 and json.loads(told.stdout)["task"].endswith(task), told
    plain = run("--plain", "--", "/bin/none", stdin=subprocess.DEVNULL)
    assert plain.returncode == 1 and "Unable to start command" in plain.stderr, plain

    shell = Terminal(argv(), env)
    shell.expect("# ")
    shell.type("stty size; echo $GREETING\r")
    shell.expect("31 97")
    shell.expect("from the task")
    shell.type("sleep 100\r")
    time.sleep(0.3)
    shell.type("\x03")
    shell.expect("^C")
    shell.expect("# ")
    shell.resize(50, 132)
    time.sleep(0.6)
    shell.type("stty size\r")
    shell.expect("50 132")
    shell.type("exit\r")
    assert shell.end() == 0
    gone = Terminal(argv(), env)  # the caller goes: what it ran goes too
    gone.expect("# ")
    gone.type("exec sleep 4321\r")
    wait_for(lambda: sleeps(), what="the command")
    gone.process.kill()
    wait_for(lambda: not sleeps(), what="the end of the command")
    gone.end()


def sleeps():
    return subprocess.run(["pgrep", "-f", "^sleep 4321"], capture_output=True).returncode == 0


with LocalAws() as aws:
    ecs, iam = aws.client("ecs"), aws.client("iam")
    role, mute = aws.role("task", policies=()), aws.role("mute", policies=())
    iam.put_role_policy(RoleName="task", PolicyName="exec", PolicyDocument=json.dumps(CHANNEL))
    image = aws.image()
    execution = aws.role("execution")
    ecs.create_cluster(clusterName="c")

    def register(family, **more):
        ecs.register_task_definition(family=family, networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512", executionRoleArn=execution,
                                     containerDefinitions=[{"name": "app", "image": image, "environment": [{"name": "GREETING", "value": "from the task"}]}], **more)

    def run(family, **more):
        arn = ecs.run_task(cluster="c", taskDefinition=family, networkConfiguration=aws.network(), **more)["tasks"][0]["taskArn"]
        wait_for(lambda: ecs.describe_tasks(cluster="c", tasks=[arn])["tasks"][0]["lastStatus"] == "RUNNING", what="the task")
        return arn.split("/")[-1]

    register("app", taskRoleArn=role)
    register("mute", taskRoleArn=mute)
    register("roleless")
    refused("InvalidParameterException", "valid taskRoleArn", ecs.run_task, cluster="c", taskDefinition="roleless", enableExecuteCommand=True,
            networkConfiguration=aws.network())
    refused("InvalidParameterException", "valid taskRoleArn", ecs.create_service, cluster="c", serviceName="x", taskDefinition="roleless", desiredCount=1,
            enableExecuteCommand=True, networkConfiguration=aws.network())
    call = dict(cluster="c", command="ls", interactive=True)
    refused("InvalidParameterException", "not enabled", ecs.execute_command, task=run("app"), **call)
    refused("TargetNotConnectedException", "internal error", ecs.execute_command, task=run("mute", enableExecuteCommand=True), **call)
    ecs.create_service(cluster="c", serviceName="s", taskDefinition="app", desiredCount=1, enableExecuteCommand=True, networkConfiguration=aws.network())
    ecs.get_waiter("services_stable").wait(cluster="c", services=["s"], WaiterConfig={"Delay": 1, "MaxAttempts": 40})
    task = ecs.list_tasks(cluster="c", serviceName="s")["taskArns"][0].split("/")[-1]
    agent = ecs.describe_tasks(cluster="c", tasks=[task])["tasks"][0]["containers"][0]["managedAgents"][0]
    assert agent["name"] == "ExecuteCommandAgent" and agent["lastStatus"] == "RUNNING", agent
    refused("InvalidParameterException", "only mode", ecs.execute_command, task=task, **{**call, "interactive": False})
    refused("InvalidParameterException", "does not exist", ecs.execute_command, task=task, container="other", **call)
    refused("InvalidParameterException", "not found", ecs.execute_command, task="0" * 32, **call)
    key = iam.create_access_key(UserName=iam.create_user(UserName="nobody")["User"]["UserName"])["AccessKey"]
    refused("AccessDeniedException", "ecs:ExecuteCommand", aws.client("ecs", key["AccessKeyId"], key["SecretAccessKey"]).execute_command, task=task, **call)
    session = ecs.execute_command(task=task, **call)["session"]
    assert session["sessionId"].startswith("ecs-execute-command-") and session["streamUrl"].startswith("ws://127.0.0.1:"), session

    env = {**os.environ, **aws.env, "AWS_PAGER": "", "TERM": "xterm"}
    plugin = os.environ.get("SESSION_MANAGER_PLUGIN") or shutil.which("session-manager-plugin")
    if plugin and shutil.which("aws"):
        env["PATH"] = os.path.dirname(plugin) + ":" + env["PATH"]
        by_the_plugin(aws, env, task)
    else:
        print("without AWS's plugin: it is not installed")
    repository = os.path.join(aws.directory, "repository")
    os.makedirs(repository)
    with open(os.path.join(repository, "slipway.yml"), "w") as out:
        out.write("environments:\n  test:\n    services:\n      s: {cluster: c, task_definition: app.json}\n")
    with open(os.path.join(repository, "app.json"), "w") as out:
        json.dump({"family": "app", "containerDefinitions": [{"name": "app", "image": image}]}, out)
    subprocess.run("git init -q && git add . && git -c user.name=a -c user.email=a@b commit -qm 1", shell=True, check=True, cwd=repository)
    os.chdir(repository)
    by_slipway(aws, env, task)
print("ok")
