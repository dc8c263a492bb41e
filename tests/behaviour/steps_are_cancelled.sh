#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Ctrl-C on a terminal: a step's own process gets one SIGINT, after 7.5 s SIGTERM, after 2.5 s it is killed with its children; what it
# started in the foreground is not asked. Output that others hold open is followed for 5 s. source: actions/runner ProcessInvoker.cs
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "skipped: jobs need root"; exit 77; }
for tool in crun nft python3; do command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }; done
work=$(mktemp -d); export SLIPWAY_STATE=$work/state
trap '"$SLIPWAY" down --purge >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
mkdir -p "$work/app/.github/workflows"; cd "$work/app"; git init -qb main
cat >.github/workflows/a.yml <<'YML'
on: push
jobs:
  polite: {runs-on: ubuntu-latest, steps: [{run: "trap 'echo int; exit 0' INT; echo ready; while :; do sleep 0.1; done"}]}
  slow: {runs-on: ubuntu-latest, steps: [{run: "trap 'echo int' INT; trap 'echo term; exit 0' TERM; echo ready; while :; do sleep 0.1; done"}]}
  deaf: {runs-on: ubuntu-latest, steps: [{run: "trap '' INT TERM; sleep 4321 & echo ready; while :; do sleep 0.1; done"}]}
  child: {runs-on: ubuntu-latest, steps: [{run: "echo ready; sleep 4322; echo unreached"}]}
YML
git add -A; git -c user.name=T -c user.email=t@example.com commit -qm first
python3 - <<'PY'
import json, os, pty, time
reader, writer = os.pipe()
pid, terminal = pty.fork()  # its Ctrl-C goes to the whole foreground group
if pid == 0:
    os.dup2(writer, 1)
    os.execv(os.environ["SLIPWAY"], ["slipway", "run", "--json", "--cloud", "none"])
os.close(writer)
said, ends, pressed = {}, {}, None
for line in os.fdopen(reader):
    event = json.loads(line)
    job = event.get("job")
    if event["type"] == "output": said.setdefault(job, []).extend(event["text"].split("\n"))
    if event["type"] == "step_finished" and pressed: ends.setdefault(job, time.monotonic() - pressed)
    if not pressed and sum("ready" in lines for lines in said.values()) == 4:
        os.write(terminal, b"\x03")
        pressed = time.monotonic()
heard = {job: [line for line in lines if line in ("int", "term", "unreached")] for job, lines in said.items()}
assert heard == {"polite": ["int"], "slow": ["int", "term"], "deaf": [], "child": []}, heard
for job, (least, most) in {"polite": (0, 3), "slow": (7.4, 9.9), "deaf": (9.9, 12.4), "child": (12.4, 16)}.items():
    assert least <= ends[job] <= most, (job, ends)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0
print("steps ended after", ends)
PY
! pgrep -f '^sleep 432[12]'
