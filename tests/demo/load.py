#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""load.py URL STOPFILE: asks URL over and over, from two connections at a time, until STOPFILE appears (at most ten minutes);
prints "N requests, M failed"."""
import os
import sys
import threading
import time
import urllib.request

url, stop_file = sys.argv[1:3]
assert url.startswith("http://127.0.0.1:"), "load goes to loopback only"
deadline = time.monotonic() + 600
counts = {"ok": 0, "failed": 0}
lock = threading.Lock()


def ask():
    while not os.path.exists(stop_file) and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                answer.read()
            result = "ok"
        except OSError as error:
            result = "failed"
            print(error, file=sys.stderr)
        with lock:
            counts[result] += 1
        time.sleep(0.01)  # a steady load, not a flood


threads = [threading.Thread(target=ask) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"{sum(counts.values())} requests, {counts['failed']} failed")
