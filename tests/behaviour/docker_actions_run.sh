#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Docker actions: from a Dockerfile and an image, with entrypoints, args, env and files as on GitHub, on a view and in a job's container.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "needs root: jobs are containers"; exit 77; }
base=${SLIPWAY_BASE_IMAGES:-$HOME/.cache/slipway/base-images}/debian-bookworm-slim
[ -d "$base" ] || { echo "needs $base"; exit 77; }
work=$(mktemp -d); export SLIPWAY_STATE=$work/state
trap '"$SLIPWAY" down --purge >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
"$SLIPWAY" image import "$base" >/dev/null
mkdir -p "$work/app/.github/workflows" "$work/app/greet" "$work/actions/me/pre@v1"; cd "$work/app"; git init -q -b main
printf 'FROM debian:bookworm-slim\nCOPY *.sh /\nRUN chmod +x /*.sh\nENTRYPOINT ["/never.sh"]\n' >greet/Dockerfile
printf '#!/bin/sh -e\ntest "$#:$1:$2:$FROM:$INPUT_LAST_NAME" = "2:$WANT:two words:$WANT:"\ntest "$PWD:$HOME" = /github/workspace:/github/home\ntest -f "$GITHUB_EVENT_PATH"\ntest -n "$ACTIONS_RUNTIME_TOKEN"\necho time=12 >>"$GITHUB_OUTPUT"\necho GREETED=$1 >>"$GITHUB_ENV"\necho k=v >>"$GITHUB_STATE"\necho made >made\ntest "$1" != bad || exit 7\n' >greet/entry.sh
printf '#!/bin/sh\necho "post: $STATE_k $INPUT_WHO"\n' >greet/post.sh; chmod +x greet/*.sh
printf 'inputs: {who: {default: you}, last name: {default: ""}}\nruns: {using: docker, image: Dockerfile, entrypoint: /entry.sh, post-entrypoint: /post.sh, args: ["${{ inputs.who }}", two words], env: {FROM: "${{ inputs.who }}"}}\n' >greet/action.yml
printf 'runs: {using: docker, image: "docker://debian:bookworm-slim", pre-entrypoint: /bin/echo, entrypoint: /bin/echo, args: [main or pre]}\n' >"$work/actions/me/pre@v1/action.yml"
steps() { cat <<'END'
      - uses: actions/checkout@v4
      - { id: g, uses: ./greet, with: { who: Mona }, env: { WANT: Mona } }
      - run: test "${{ steps.g.outputs.time }}:$GREETED:$(cat made)" = 12:Mona:made
      - { id: f, uses: ./greet, with: { who: bad }, env: { WANT: bad }, continue-on-error: true }
      - run: test "${{ steps.f.outcome }}:${{ steps.f.outputs.time }}" = failure:12
      - { uses: 'docker://debian:bookworm-slim', with: { entrypoint: /bin/sh, args: '-c "test $(cat made) = made"' } }
      - uses: me/pre@v1
END
}
{ printf 'on: push\njobs:\n  view:\n    runs-on: ubuntu-latest\n    steps:\n'; steps; printf '  container:\n    runs-on: ubuntu-latest\n    container: debian:bookworm-slim\n    steps:\n'; steps; } >.github/workflows/ci.yml
git add -A; git -c user.name=a -c user.email=a@b commit -qm first
"$SLIPWAY" run --cloud none --actions ../actions >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
[ "$(grep -c 'post: v Mona' "$work/log"):$(grep -c 'post: v bad' "$work/log"):$(grep -c '| *main or pre' "$work/log")" = 2:2:4 ] || { cat "$work/log"; exit 1; }
