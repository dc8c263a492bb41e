#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# On a terminal a reviewer is asked; elsewhere the run says what to do, and an answer from there counts.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "needs root: jobs are containers"; exit 77; }
work=$(mktemp -d); export SLIPWAY_STATE=$work/state SLIPWAY_USER=ann
trap '"$SLIPWAY" down --purge >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
mkdir -p "$work/app/.github/workflows" "$work/state"; cd "$work/app"; git init -q -b main
echo '{"environments": {"production": {"reviewers": ["ann"]}}}' >"$work/state/settings.json"
printf 'on: push\njobs: {deploy: {runs-on: ubuntu-latest, environment: production, steps: [{run: echo out}]}}\n' >.github/workflows/d.yml
git add -A; git -c user.name=a -c user.email=a@b commit -qm first
cat >"$work/answer.py" <<'END'
import os, pty, sys
answer, argv, seen = sys.argv[1], sys.argv[2:], b""
pid, terminal = pty.fork()
if pid == 0: os.execv(argv[0], argv)
while True:
    try: more = os.read(terminal, 65536)
    except OSError: break
    if not more: break
    seen += more
    if answer and b"[y/n] " in seen: os.write(terminal, (answer + "\n").encode()); answer = ""
sys.stdout.buffer.write(seen); sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
TERM=xterm python3 "$work/answer.py" y "$SLIPWAY" run --cloud none >"$work/log" || { cat "$work/log"; exit 1; }
grep -q "Approve the deployment of 'deploy' to 'production' as ann?" "$work/log"
TERM=xterm python3 "$work/answer.py" n "$SLIPWAY" run --cloud none >"$work/log" && exit 1; grep -q 'ann rejected the deployment to production' "$work/log"
"$SLIPWAY" run --cloud none >"$work/log" 2>&1 & run=$!
for _ in $(seq 200); do grep -q "waiting for an approval .*: slipway approve 3 'deploy'" "$work/log" && break; sleep 0.1; done
"$SLIPWAY" approve 3 >/dev/null && wait $run && grep -q '|   out' "$work/log"
