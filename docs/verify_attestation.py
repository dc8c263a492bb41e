#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks an attestation of `slipway promote` offline: verify_attestation.py FILE PUBLIC_KEY_BASE64 [DIGEST]

FILE is a DSSE envelope (STATE/attestations/*.dsse.json, or the artifact beside the image), the key what `slipway audit key` prints. Exit 0
and the statement when the key has signed it and, with DIGEST (sha256:…), it speaks of that image; else 1.
"""
import base64
import json
import sys

from verify_ledger import signed


def main():
    envelope = json.load(open(sys.argv[1]))
    key = base64.b64decode(sys.argv[2])
    payload = base64.b64decode(envelope["payload"])
    kind = envelope["payloadType"].encode()
    message = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
    if not any(signed(key, message, base64.b64decode(each["sig"])) for each in envelope["signatures"]):
        sys.exit("this key has not signed it")
    statement = json.loads(payload)
    digests = ["sha256:" + subject["digest"]["sha256"] for subject in statement["subject"]]
    if len(sys.argv) > 3 and sys.argv[3] not in digests:
        sys.exit(f"it speaks of {', '.join(digests)}, not of {sys.argv[3]}")
    print(json.dumps(statement, indent=2))


main()
