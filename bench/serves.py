#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""serves.py URL SHA: returns once URL/api/release answers with the backend of commit SHA. One process that looks ten times a
second: a loop of curls would take a good part of the processor that the run needs."""

import json
import sys
import time
import urllib.request

url, sha = sys.argv[1] + "/api/release", sys.argv[2]
while True:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            if json.load(answer)["backend"]["sha"] == sha:
                break
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not yet, or not now
    time.sleep(0.1)
