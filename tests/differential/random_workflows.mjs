// SPDX-License-Identifier: Apache-2.0
// Workflow files, valid ones and damaged ones, the same for the same seed: whole workflows that use most of the language, changed at
// one to three places.
import { Expressions } from './random_expressions.mjs';

const kWhole = [
`name: ci
run-name: \${{ github.actor }} \${{ inputs.who }}
on:
  push:
    branches: [main, 'release/**']
    paths-ignore:
      - docs/**
    tags: v*
  pull_request:
    types: [opened, synchronize]
    branches-ignore: x
  schedule:
    - cron: '*/15 2 * * 1-5'
  workflow_dispatch:
    inputs:
      who:
        description: who
        type: choice
        options: [a, b]
        default: a
        required: true
      loud:
        type: boolean
        default: false
permissions:
  contents: read
  id-token: write
env:
  A: 1
  B: \${{ github.sha }}
defaults:
  run:
    shell: bash
    working-directory: src
concurrency:
  group: ci-\${{ github.ref }}
  cancel-in-progress: true
jobs:
  test:
    name: Test \${{ matrix.os }}
    runs-on: \${{ matrix.os }}
    timeout-minutes: 10
    continue-on-error: \${{ matrix.experimental }}
    strategy:
      fail-fast: false
      max-parallel: 2
      matrix:
        os: [ubuntu-latest, macos-latest]
        node: [18, 20]
        include:
          - os: ubuntu-latest
            experimental: true
        exclude:
          - node: 18
    env:
      C: \${{ secrets.TOKEN }}
    outputs:
      version: \${{ steps.v.outputs.version }}
    container:
      image: node:20
      env:
        X: y
      ports: [80]
      volumes: ['/a:/b']
      options: --cpus 1
      credentials:
        username: me
        password: \${{ secrets.P }}
    services:
      db:
        image: postgres:16
        ports:
          - 5432:5432
        env:
          POSTGRES_PASSWORD: x
    steps:
      - uses: actions/checkout@v4
        with:
          fetch-depth: 0
      - id: v
        name: version
        if: github.ref == 'refs/heads/main' && !cancelled()
        run: |
          echo version=1 >> $GITHUB_OUTPUT
        env:
          D: \${{ matrix.node }}
        shell: bash
        working-directory: .
        timeout-minutes: 5
        continue-on-error: true
      - run: echo "\${{ toJSON(needs) }}"
  deploy:
    needs: [test]
    if: success() && github.event_name == 'push'
    runs-on:
      group: org/big
      labels: [linux, x64]
    environment:
      name: production
      url: https://\${{ steps.d.outputs.host }}
    concurrency: deploy
    permissions: write-all
    steps:
      - id: d
        uses: ./.github/actions/deploy
        with:
          who: \${{ needs.test.outputs.version }}
`,
`on: [push, pull_request]
jobs:
  a:
    runs-on: [self-hosted, linux]
    environment: staging
    snapshot: image
    steps:
      - {run: echo a, background: true, id: one}
      - wait: one
      - parallel:
          - run: echo b
          - uses: docker://alpine:3
      - wait-all:
      - run: echo c
        if: always()
  b:
    needs: a
    uses: ./.github/workflows/b.yml
    with:
      x: \${{ needs.a.outputs.y }}
    secrets: inherit
  c:
    needs: [a, b]
    strategy:
      matrix:
        x: [1, 2]
    uses: owner/repo/.github/workflows/c.yml@v1
    secrets:
      token: \${{ secrets.T }}
    permissions:
      contents: read
`,
`on:
  workflow_call:
    inputs:
      x:
        type: string
        required: true
        default: y
      n: {type: number, default: 3}
    secrets:
      s:
        required: true
      t:
    outputs:
      o:
        description: o
        value: \${{ jobs.a.outputs.o }}
  release:
    types: [published]
  workflow_run:
    workflows: [ci]
    types: completed
    branches: [main]
  issues:
    types: [opened, labeled]
  repository_dispatch:
    types: [anything]
  merge_group:
jobs:
  a:
    runs-on: ubuntu-latest
    outputs: {o: '\${{ steps.s.outputs.o }}'}
    strategy:
      matrix: \${{ fromJSON(inputs.x) }}
    steps:
      - id: s
        run: exit 0
        env:
          \${{ insert }}: \${{ vars }}
          L: l
`,
`on: push
env: &env {A: b}
jobs:
  a:
    runs-on: ubuntu-latest
    env: *env
    defaults:
      run:
        shell: \${{ matrix.shell }}
    steps: &steps [{run: "a: \${{ github.sha }} }}"}, {run: 'it''s'}]
  b:
    runs-on: >-
      ubuntu-latest
    concurrency:
      group: g
      queue: max
    steps: *steps
`];

const kKeys = ['name', 'on', 'run', 'uses', 'with', 'env', 'if', 'id', 'steps', 'runs-on', 'needs', 'jobs', 'strategy', 'matrix', 'include', 'exclude', 'outputs', 'permissions',
  'contents', 'types', 'branches', 'tags', 'paths', 'inputs', 'type', 'default', 'required', 'secrets', 'value', 'container', 'services', 'image', 'ports', 'options', 'shell',
  'timeout-minutes', 'continue-on-error', 'concurrency', 'group', 'environment', 'url', 'defaults', 'Name', 'RUN', 'runs_on', 'step', 'foo', '1', 'true', '<<', '? a', '""', 'background', 'wait',
  'push', 'pull_request', 'workflow_dispatch', 'workflow_call', 'issues', 'cron', 'timezone', 'labels', 'entrypoint', 'credentials', 'cancel-in-progress', 'fail-fast', 'max-parallel', 'models', 'working-directory', 'description'];
const kValues = ['', 'null', '~', 'true', 'True', 'yes', 'on', '1', '1.50', '0x1F', '-1', '.inf', 'NaN', 'text', "''", '""', "'true'", '"1"', '[]', '{}', '[a]', '[1, true, null]', '[[a]]', '{a: b}', '{a: {b: c}}', '[{a: b}]',
  '!!str 1', '!!int x', '!!bool "true"', '!x y', '*env', '*nope', '&new z', '|', '>', '@a', '`a`', '%a', 'a: b', 'a #b', '"\\x41"', '"\\q"', "'unclosed", '[unclosed', '- a', '${{', '${{ }}', '${{ github.sha }', '${{ github.sha }}',
  '${{ secrets.A }}', '${{ matrix.a }}', '${{ steps.a.outputs.b }}', '${{ needs.a.result }}', '${{ env.A }}', '${{ inputs.a }}', '${{ vars.A }}', '${{ runner.os }}', '${{ job.status }}', '${{ strategy.job-index }}',
  '${{ nope.a }}', "${{ 'literal' }}", '${{ 5 }}', '${{ true }}', '${{ insert }}', 'a ${{ insert }}', 'a${{ github.sha }}b{0}', '${{ success() }}', '${{ always() }}', "${{ hashFiles('x') }}", '${{ github. }}', '${{ fromJSON(1, 2) }}',
  "${{ contains(github.ref, '}}') }}", '${{ github.sha }} ${{ nope }}', 'jobs.a', 'write', 'read', 'none', 'write-all', 'inherit', 'actions/checkout', 'actions/checkout@', 'a/b/c@d', './x', 'docker://', 'org/', 'a/b/c', 'x'.repeat(401), '2024-01-01', '0o17', '017', '1_000', '.', '-', '- -', '?', ':'];

export class Workflows {
  constructor(seed) {
    this.source = new Expressions(seed);
  }
  pick(list) { return this.source.pick(list); }

  value() {
    if (!this.source.chance(0.1)) return this.pick(kValues);
    const expression = this.source.expression(2).replaceAll('\n', ' ').replaceAll('\r', ' ').replaceAll('\t', ' ').replaceAll('\u0000', '');
    return `"\${{ ${expression.replaceAll('\\', '\\\\').replaceAll('"', '\\"')} }}"`;
  }

  changed(lines) {
    const at = this.source.below(lines.length);
    const line = lines[at];
    const indent = line.match(/^[ -]*/)[0];
    const key = line.match(/^([ -]*)([^:#'"{[]+):(.*)$/);
    switch (this.source.below(9)) {
      case 0: return lines.splice(at, 1);
      case 1: return lines.splice(at, 0, line);
      case 2: return lines.splice(at, 1, this.source.chance(0.5) ? ' ' + line : line.replace(/^ /, ''));
      case 3: return lines.splice(at, 0, `${indent.replaceAll('-', ' ')}${this.pick(kKeys)}: ${this.value()}`);
      case 4: if (key) lines[at] = `${key[1]}${this.pick(kKeys)}:${key[3]}`; return undefined;
      case 5: return lines.splice(at, 0, this.pick(['# comment', '', '---', '...', indent + '- ' + this.value(), '  ' + line]));
      default: if (key) lines[at] = `${key[1]}${key[2]}: ${this.value()}`; return undefined;
    }
  }

  next() {
    const lines = this.pick(kWhole).split('\n').slice(0, -1);
    for (let changes = this.source.below(4); changes > 0; --changes) this.changed(lines);
    return lines.join('\n') + '\n';
  }
}
