#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A step's docker needs no docker: builds with its own context and files, tags, tells, saves; what is not there is refused by name.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "needs root: jobs are containers"; exit 77; }
work=$(mktemp -d); export SLIPWAY_STATE=$work/state
trap '"$SLIPWAY" down --purge >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
mkdir -p "$work/app/.github/workflows" "$work/app/image"; cd "$work/app"; git init -q -b main
printf 'FROM scratch\nARG NAME\nLABEL name=$NAME\nCOPY hello /hello\n' >image/Dockerfile; echo hello >image/hello
mark=/tmp/slipway-mark-$$  # a link of the job's leads to the job's own file of this name, not to ours
cat >.github/workflows/ci.yml <<'END'
on: push
jobs:
  image:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: docker build -q --build-arg NAME=app --iidfile "$RUNNER_TEMP/id" -t app:1 image | grep -q ^sha256
      - run: docker tag app:1 example.com/team/app:2 && docker images | grep -q 'example.com/team/app .*2 '
      - run: test "$(docker inspect app:1 | jq -r '.[0].Config.Labels.name')" = app
      - run: test "$(docker inspect app:1 | jq -r '.[0].Id')" = "$(cat "$RUNNER_TEMP/id")"
      - run: cd image && docker save -o app.tar app:1 && tar tf app.tar | grep -q ^manifest.json
      - run: echo wrong | docker login -u someone --password-stdin 127.0.0.1:9 2>&1 | grep -q 'logging into'
      - run: ln -s $MARK mark && docker build -q --iidfile mark image && grep -q sha256 $MARK
      - run: docker run app:1 2>&1 | grep -q "docker. 'run' is not supported yet"
END
git add -A; git -c user.name=a -c user.email=a@b commit -qm first
"$SLIPWAY" run --cloud none --env MARK=$mark >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
[ ! -e $mark ]
