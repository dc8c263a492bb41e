#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""told.py SLIPWAY: what a deployment tells. Slack by webhook and by bot (one thread a commit), GitHub's deployments and statuses, a signed webhook
whose receiver fails first, spans of run, steps and releases for an OTLP collector; what the verb could not deliver in its time the local AWS's process
does; and on a terminal Ctrl-C asks what is to become of a deployment. See shop.py for what it needs."""
import hashlib
import hmac
import json
import os
import pty
import select
import sys
import time

from shop import Listener, Shop, definition, wait_for

SETTINGS = """version: 1
environments:
  staging: {notifications: [team, bot, hook, gh]}
notifications:
  team: {kind: slack, url: $TEAM_URL}
  bot: {kind: slack-bot, url: $BOT_URL, secret: $BOT_TOKEN, channel: "#ship"}
  gh: {kind: github, url: $GITHUB_URL, secret: $GITHUB_PAT, repository: acme/shop}
  hook: {kind: webhook, url: $HOOK_URL, secret: $HOOK_SECRET}
"""


TRACE, OUTER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
DEPLOYMENTS = "/github/repos/acme/shop/deployments"


class Receivers:
    """A Slack, a webhook's receiver and a GitHub that are broken for so many requests, an OTLP collector."""

    def __init__(self):
        self.hook_fails, self.status_fails = 2, 1
        self.deployments = 0
        self.listener = Listener(self.answer)
        base = self.listener.url
        self.env = {"TEAM_URL": base + "/team", "BOT_URL": base + "/bot", "BOT_TOKEN": "xoxb-1", "GITHUB_URL": base + "/github",
                    "GITHUB_PAT": "ghp_1", "HOOK_URL": base + "/hook", "HOOK_SECRET": "s3cret",
                    "OTEL_EXPORTER_OTLP_ENDPOINT": base}

    def answer(self, request):
        if request["path"] == "/hook" and self.hook_fails > 0:
            self.hook_fails -= 1
            return 503, b"later"
        if request["path"] == DEPLOYMENTS:
            self.deployments += 1
            return 201, json.dumps({"id": 41 + self.deployments}).encode()
        if request["path"].startswith(DEPLOYMENTS):
            if self.status_fails > 0:  # GitHub took the deployment, but not its status
                self.status_fails -= 1
                return 502, b"later"
            return 201, b'{"id":1}'
        return 200, b'{"ok":true,"ts":"1700000000.1"}'

    def bodies(self, path):
        return [json.loads(request["body"]) for request in self.listener.of(path)]


def webhook_is_retried(receivers):
    """The verb itself has tried until it was taken: three times the same."""
    tries = receivers.listener.of("/hook")
    assert len(tries) == 3 and len({each["body"] for each in tries}) == 1, tries
    assert len({each["headers"]["x-slipway-delivery"] for each in tries}) == 1
    for each in tries:
        expected = "sha256=" + hmac.new(b"s3cret", each["body"], hashlib.sha256).hexdigest()
        assert hmac.compare_digest(each["headers"]["x-slipway-signature-256"], expected)
    message = json.loads(tries[-1]["body"])
    assert message["environment"] == "staging" and message["ok"] and message["services"][0]["verdict"] == "succeeded", message


def cloud_delivers(shop, receivers, options):
    """Longer than the verb waits the receiver is broken; then it is told without another verb, once."""
    before = len(receivers.listener.of("/hook"))
    receivers.hook_fails = 4  # at 0, 1, 3 and 7 s
    began = time.monotonic()
    done = shop.run("deploy", "staging", *options, "sick.json", ok=False, env=receivers.env)
    assert done.returncode == 1 and done.stderr.count("'hook' was not delivered, it is tried again") == 4, done.stderr[-2000:]
    wait_for(lambda: len(receivers.listener.of("/hook")) > before + 4, 40, "the local AWS's process delivers")
    print(f"the outbox was emptied {time.monotonic() - began:.0f} s after the deployment began")
    shop.run("resume", "staging", env=receivers.env)
    assert len(receivers.listener.of("/hook")) == before + 5, "it was told twice"


def spans_of(receivers):
    return [span for body in receivers.bodies("/v1/traces") for r in body["resourceSpans"] for s in r["scopeSpans"] for span in s["spans"]]


def run_is_traced(shop, receivers):
    """The run, below it its jobs, below them their steps, below the one that deployed its release, all in the outer trace; the ledger names it."""
    spans = {span["spanId"]: span for span in spans_of(receivers)}
    assert {span["traceId"] for span in spans.values()} == {TRACE}, spans
    named = lambda name: next(span for span in spans.values() if span["name"] == name)
    run, release = named("run ship"), named("release web")
    assert run["parentSpanId"] == OUTER and run["status"]["code"] == 1, run
    path, span = [], release
    while span["spanId"] != run["spanId"]:
        path.append(span["name"])
        span = spans[span["parentSpanId"]]
        assert int(span["startTimeUnixNano"]) <= int(release["startTimeUnixNano"]) and int(span["endTimeUnixNano"]) >= int(release["endTimeUnixNano"]), span
    assert path == ["release web", "Run aws-actions/amazon-ecs-deploy-task-definition@v2", "job deploy"], path
    steps = [span["name"] for span in spans.values() if span["parentSpanId"] == named("job test")["spanId"]]
    assert "Run sh ./test.sh" in steps, steps
    assert last_release(shop)["traceParent"] == f"00-{TRACE}-{release['parentSpanId']}-01", last_release(shop)


def github_is_told(shop, receivers):
    """One deployment of this commit, whose status came with the second try."""
    made = receivers.listener.of(DEPLOYMENTS)
    assert len(made) == 1 and made[0]["headers"]["authorization"] == "Bearer ghp_1", made
    assert made[0]["headers"]["accept"] == "application/vnd.github+json"
    body = json.loads(made[0]["body"])
    assert body["ref"] == shop.git("rev-parse", "HEAD") and body["environment"] == "staging" and body["required_contexts"] == [], body
    assert [s["state"] for s in receivers.bodies(DEPLOYMENTS + "/42/statuses")] == ["in_progress", "success"], receivers.listener.got


def breaks(shop):
    """A release that never becomes healthy; returns the options that deploy it."""
    image = f"web=123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/web:{shop.git('rev-parse', 'HEAD')}"
    sick = definition("staging")
    sick["containerDefinitions"][0].update(command=["sh", "-c", "echo 'no such table: orders'; exit 3"])
    shop.write("sick.json", json.dumps(sick))
    slow = definition("staging")
    slow["containerDefinitions"][0]["healthCheck"] = {"command": ["CMD-SHELL", "exit 1"], "interval": 60, "timeout": 2, "retries": 10}
    shop.write("slow.json", json.dumps(slow))
    return ["--service", "web", "--image", image, "--yes", "--task-definition"]


def on_a_terminal(shop, answer, options, env=None):
    """Deploys on a terminal, presses Ctrl-C once the cloud has taken it, answers; returns the exit code and what was shown."""
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(shop.app)
        os.execvpe(shop.slipway, [shop.slipway, "deploy", "staging", *options, "slow.json"], {**shop.env, **(env or {})})
    shown, pressed, answered = "", False, False
    while True:
        ready, _, _ = select.select([fd], [], [], 60)
        assert ready, "nothing was shown for 60 s: " + shown
        try:
            part = os.read(fd, 4096)
        except OSError:  # its end
            break
        if not part:
            break
        shown += part.decode(errors="replace")
        if not pressed and "pending" in shown:
            os.write(fd, b"\x03")
            pressed = True
        if not answered and "[leave/roll]" in shown:
            os.write(fd, answer)
            answered = True
    os.close(fd)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown


def last_release(shop):
    return json.loads(shop.run("--json", "history", "staging").stdout)[0]


def main():
    receivers = Receivers()
    with Shop(sys.argv[1], SETTINGS) as shop:
        done = shop.run("up", "--json", env={**receivers.env, "TRACEPARENT": f"00-{TRACE}-{OUTER}-01"})
        assert "notification 'hook' was not delivered, it is tried again: HTTP 503" in done.stderr, done.stderr[-2000:]
        team, bot = receivers.bodies("/team"), receivers.bodies("/bot")
        assert len(team) == len(bot) == 1 and team[0]["blocks"][0]["type"] == "header", (team, bot)
        assert bot[0]["channel"] == "#ship" and "thread_ts" not in bot[0]
        assert receivers.listener.of("/bot")[0]["headers"]["authorization"] == "Bearer xoxb-1"
        webhook_is_retried(receivers)
        run_is_traced(shop, receivers)
        github_is_told(shop, receivers)

        options = breaks(shop)
        assert shop.run("deploy", "staging", *options, "sick.json", ok=False, env=receivers.env).returncode == 1
        bot = receivers.bodies("/bot")[-1]
        assert bot["thread_ts"] == "1700000000.1" and bot["reply_broadcast"], bot
        assert "exited with code 3" in json.dumps(bot) and "no such table: orders" in json.dumps(bot) and "web.command" in json.dumps(bot), bot
        hook = receivers.bodies("/hook")[-1]
        began, failed = receivers.bodies(DEPLOYMENTS + "/43/statuses")
        assert began["state"] == "in_progress" and began["description"] == "by ada", began
        assert failed["state"] == "failure" and "exited with code 3" in failed["description"] and len(failed["description"]) <= 140, failed
        assert not hook["ok"] and hook["services"][0]["causes"][0]["exitCode"] == 3, hook
        verb = [span for span in spans_of(receivers) if span["traceId"] != TRACE]
        root = next(span for span in verb if span["name"] == "deploy staging")
        assert "parentSpanId" not in root and root["status"]["code"] == 2 and len(verb) == 2, verb
        assert last_release(shop)["traceParent"] == f"00-{root['traceId']}-{root['spanId']}-01"
        cloud_delivers(shop, receivers, options)

        before, deployments = len(receivers.bodies("/team")), len(receivers.listener.of(DEPLOYMENTS))
        code, shown = on_a_terminal(shop, b"roll\n", options, receivers.env)
        assert code == 130 and last_release(shop)["verdict"] == "rolled back", (code, shown, last_release(shop))
        told = receivers.bodies("/team")[before:]
        assert len(told) == 1 and "it was cancelled" in json.dumps(told), told
        assert len(receivers.listener.of(DEPLOYMENTS)) == deployments + 1
        states = [s["state"] for s in receivers.bodies(f"{DEPLOYMENTS}/{41 + receivers.deployments}/statuses")]
        assert states == ["in_progress", "failure"], states
        wait_for(lambda: shop.run("status", "staging", ok=None).returncode == 0, 60, "the former release runs alone")
        code, shown = on_a_terminal(shop, b"leave\n", options)
        assert code == 130 and last_release(shop)["verdict"] == "unknown", (code, shown, last_release(shop))
        assert "changing" in shop.run("status", "staging", ok=None).stdout
        assert shop.run("audit", "verify").returncode == 0
    receivers.listener.close()
    print("Slack, GitHub, a signed webhook and a collector are told; Ctrl-C asks")


if __name__ == "__main__":
    main()
