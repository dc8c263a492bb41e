#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# GitHub's own clients from npm (@actions/core, cache and artifact, unmodified) work against the services of a run.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "needs root: jobs are containers"; exit 77; }
command -v npm >/dev/null || { echo "skipped: no npm"; exit 77; }
packages=${SLIPWAY_TOOLKIT:-${XDG_CACHE_HOME:-$HOME/.cache}/slipway/toolkit}; mkdir -p "$packages"
[ -d "$packages/node_modules/@actions/artifact" ] || timeout 120 npm install --silent --no-audit --no-fund --prefix "$packages" @actions/core@3.0.1 @actions/cache@6.3.0 @actions/artifact@6.2.1 >&2 || { echo "skipped: npm cannot install the clients"; exit 77; }
work=$(mktemp -d); export SLIPWAY_STATE=$work/state
trap '"$SLIPWAY" down --purge >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
action=$work/actions/me/client@v1; mkdir -p "$work/app/.github/workflows" "$action"; cp -r "$packages/node_modules" "$action"
printf 'inputs: {flag: {default: "true"}}\nruns: {using: node20, main: main.mjs, post: post.mjs}\n' >"$action/action.yml"
echo "import * as core from '@actions/core'; core.info('post saw ' + core.getState('k'))" >"$action/post.mjs"
cat >"$action/main.mjs" <<'JS'
import * as core from '@actions/core'; import * as cache from '@actions/cache'; import { DefaultArtifactClient } from '@actions/artifact';
import fs from 'node:fs'; import { equal, ok } from 'node:assert';
const key = 'k-' + process.env.GITHUB_RUN_ID, files = new DefaultArtifactClient();
equal(core.getBooleanInput('flag'), true); core.setOutput('out', { a: 'b\nc' }); core.exportVariable('EX', 'x\ny'); core.setSecret('not-for-logs'); core.saveState('k', 'v1');
await core.summary.addHeading('Hello').addTable([[{ data: 'h', header: true }], ['v']]).write(); core.info('say not-for-logs');
ok(JSON.parse(Buffer.from((await core.getIDToken('sts.amazonaws.com')).split('.')[1], 'base64url')).sub.includes(':ref:refs/heads/main'));
fs.mkdirSync('data'); fs.writeFileSync('data/a', 'hello'); fs.writeFileSync('data/b', Buffer.alloc(9e6, 7));
equal(await cache.restoreCache(['data'], key), undefined); ok(await cache.saveCache(['data'], key) > 0); fs.rmSync('data', { recursive: true });
equal(await cache.restoreCache(['data'], 'other', ['k-']), key); equal(fs.readFileSync('data/b').length, 9e6);
const { id } = await files.uploadArtifact('mine', ['data/a', 'data/b'], '.'); equal((await files.getArtifact('mine')).artifact.id, id);
equal((await files.downloadArtifact(id, { path: 'down' })).digestMismatch, false); equal(fs.readFileSync('down/data/a', 'utf8'), 'hello');
await files.deleteArtifact('mine'); equal((await files.listArtifacts()).artifacts.length, 0);
JS
printf 'on: push\npermissions: {id-token: write}\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - {id: c, uses: me/client@v1}\n      - run: test "${{ fromJSON(steps.c.outputs.out).a }}" = "$(printf "b\\nc")" && test "$EX" = "$(printf "x\\ny")"\n' >"$work/app/.github/workflows/ci.yml"
cd "$work/app"; git init -qb main; git add -A; git -c user.name=a -c user.email=a@b commit -qm first
"$SLIPWAY" run --cloud none --actions ../actions >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
grep -q 'post saw v1' "$work/log" && grep -q '<h1>Hello</h1>' "$work/log" && ! grep -q 'not-for-logs' "$work/log" || { cat "$work/log"; exit 1; }
