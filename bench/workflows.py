#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What reading, checking and planning workflows costs, by the difference between one file and many in one process.

    bench/workflows.py SLIPWAY

Figures: a 256-leg matrix planned (wanted: 20 ms at most), a workflow of 1,000 lines read and held against every rule (5 ms at most),
expressions evaluated a second.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

slipway = os.path.abspath(sys.argv[1])

MATRIX = """name: matrix {n}
on: push
jobs:
  test:
    runs-on: ${{{{ matrix.os }}}}
    strategy:
      matrix:
        os: [a, b, c, d]
        v: [1, 2, 3, 4, 5, 6, 7, 8]
        w: [1, 2, 3, 4, 5, 6, 7, 8]
        include: [{{os: a, extra: x}}]
        exclude: [{{os: b, v: 99}}]
    steps: [{{run: x}}]
"""
JOB = """  job{n}:
    name: Job ${{{{ matrix.os }}}}
    runs-on: ubuntu-latest
    needs: [{needs}]
    if: github.ref == 'refs/heads/main' && !cancelled()
    strategy:
      matrix:
        os: [linux, macos]
    env:
      A: ${{{{ secrets.TOKEN }}}}
    outputs:
      version: ${{{{ steps.build.outputs.version }}}}
    steps:
      - uses: actions/checkout@v4
        with:
          fetch-depth: 0
      - id: build
        run: |
          echo "version=${{{{ matrix.os }}}}" >> "$GITHUB_OUTPUT"
          make all
      - name: Test ${{{{ matrix.os }}}}
        if: contains(github.event.head_commit.message, 'test')
        run: npm test
        env:
          B: ${{{{ format('{{0}}-{{1}}', github.sha, matrix.os) }}}}
"""


def long_workflow():
    text, n = "name: long\non: push\njobs:\n", 0
    while text.count("\n") < 1000:
        text += JOB.format(n=n, needs=f"job{n - 1}" if n else "")
        n += 1
    return text


def seconds(*command, cwd, stdin=None):
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        result = subprocess.run([slipway, *command], cwd=cwd, input=stdin, capture_output=True)
        best = min(best, time.perf_counter() - start)
        if result.returncode not in (0, 1):
            sys.exit(result.stderr.decode())
    return best, result.stdout


def repository(root, files):
    workflows = pathlib.Path(root, ".github/workflows")
    workflows.mkdir(parents=True)
    for i, text in enumerate(files):
        (workflows / f"w{i:03}.yml").write_text(text)
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a"]):
        subprocess.run(["git", *command], cwd=root, check=True)
    return root


def per_file(command, text_of, many):
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as lot:
        first, _ = seconds(*command, cwd=repository(one, [text_of(0)]))
        all_of_them, output = seconds(*command, cwd=repository(lot, [text_of(i) for i in range(many)]))
        return first, (all_of_them - first) / (many - 1), output


first, each, output = per_file(["plan", "--json"], lambda n: MATRIX.format(n=n), 21)
legs = {len(job["legs"]) for workflow in json.loads(output)["workflows"] for job in workflow["jobs"]}
assert legs == {256}, legs
print(f"a 256-leg matrix: {each * 1000:.2f} ms to plan and print, {first * 1000:.1f} ms with the program's start and git")
long = long_workflow()
first, each, _ = per_file(["lint", "--no-shellcheck", "--format", "json"], lambda n: long, 41)
print(f"a workflow of {long.count(chr(10))} lines: {each * 1000:.2f} ms to read and check, {first * 1000:.1f} ms with the program's start and git")
line = json.dumps({"expr": "contains(github.ref, 'main') && format('{0}-{1}', github.sha, 3) || 'x'", "contexts": {"github": {"ref": "refs/heads/main", "sha": "a" * 40}}})
took, _ = seconds("expr", "--batch", "-", cwd="/", stdin=((line + "\n") * 100000).encode())
print(f"expressions: {100000 / took:,.0f} a second, each with its contexts as JSON")
