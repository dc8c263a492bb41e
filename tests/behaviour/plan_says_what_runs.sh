#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# main goes to staging, a tag to production, other branches nowhere; a path filter sees the last commit's files.
set -euo pipefail
work=$(mktemp -d); export SLIPWAY_STATE=$work/state
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/app/.github/workflows"; cd "$work/app"; git init -q -b main
cat > .github/workflows/deploy.yml <<'END'
on: {push: {branches: ['**'], tags: ['v*']}}
jobs:
  test: {runs-on: ubuntu-latest, steps: [{run: make test}]}
  deploy:
    needs: test
    if: github.ref == 'refs/heads/main' || startsWith(github.ref, 'refs/tags/v')
    environment: ${{ github.ref == 'refs/heads/main' && 'staging' || 'production' }}
    runs-on: ubuntu-latest
    steps: [{run: ./deploy}]
END
echo 'on: {push: {paths: ["docs/**"]}}
jobs: {a: {runs-on: x, steps: [{run: x}]}}' > .github/workflows/docs.yml
commit() { git add -A; git -c user.name=a -c user.email=a@b commit -qm "$1"; }
commit first; git tag v1; git branch feature; mkdir docs; touch docs/a; commit docs
plan() { "$SLIPWAY" plan --json "$@"; }
deploy() { plan --ref "$1" | jq -r '.workflows[0].jobs[1] | .verdict + " " + .environment'; }
[ "$(deploy main)" = "runs staging" ]
[ "$(deploy v1)" = "runs production" ]
[ "$(deploy feature | cut -d' ' -f1)" = skipped ]
[ "$(plan | jq .workflows[1].starts)" = true ] && [ "$(plan --ref feature | jq .workflows[1].starts)" = false ]
