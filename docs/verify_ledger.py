#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks what `slipway audit export` printed, without slipway: verify_ledger.py EXPORT [PUBLIC_KEY_BASE64]

Exit 0 when every entry, their order and number, every signature and the checkpoint hold; else 1 and the first bad entry.
"""
import base64
import hashlib
import json
import sys

# Ed25519 (RFC 8032), verification only.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def recover_x(y, sign):
    xx = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(xx, (P + 3) // 8, P)
    if (x * x - xx) % P:
        x = x * ROOT % P
    if (x * x - xx) % P or y >= P:
        return None
    return P - x if x % 2 != sign else x


def point(data):
    y = int.from_bytes(data, "little")
    x = recover_x(y & (1 << 255) - 1, y >> 255)
    y &= (1 << 255) - 1
    return None if x is None else (x, y, 1, x * y % P)


def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def mul(s, p):
    q = (0, 1, 1, 0)
    while s:
        if s & 1:
            q = add(q, p)
        p = add(p, p)
        s >>= 1
    return q


BASE = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def signed(key, message, signature):
    if len(key) != 32 or len(signature) != 64:
        return False
    a, r = point(key), point(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    left, right = mul(s, BASE), add(r, mul(k, a))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0


def bad(what):
    print(what)
    sys.exit(1)


def exact(line, what):
    """The line's object, if it is written as slipway writes it: no other spelling of the same is taken."""
    try:
        value = json.loads(line)
        if json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() == line:
            return value
    except ValueError:
        pass
    bad(what)


def main():
    data = open(sys.argv[1], "rb").read()
    if not data.endswith(b"\n"):
        bad("the export is cut off")
    lines = data[:-1].split(b"\n")
    header = exact(lines[0], "the first line was changed")
    if list(header) != ["slipwayLedger", "publicKey"] or header["slipwayLedger"] != 1:
        bad("the first line was changed")
    key = base64.b64decode(header["publicKey"], validate=True)
    if len(sys.argv) > 2 and base64.b64decode(sys.argv[2]) != key:
        bad("the export names another public key")
    previous = "0" * 64
    for number, line in enumerate(lines[1:-1], 1):
        broken = f"entry {number} is missing or was changed"
        entry = exact(line, broken)
        if list(entry) != ["number", "at", "kind", "body", "previous", "hash", "signature"]:
            bad(broken)
        text = f"{previous}\n{number}\n{entry['at']}\n{entry['kind']}\n{entry['body']}\n"
        digest = hashlib.sha256(text.encode()).hexdigest()
        if entry["number"] != number or entry["previous"] != previous or entry["hash"] != digest:
            bad(broken)
        # Entries from before signing began have no signature: the chain of the later ones covers them.
        if entry["signature"] and not signed(key, digest.encode(), base64.b64decode(entry["signature"])):
            bad(broken)
        previous = digest
    count = len(lines) - 2
    checkpoint = exact(lines[-1], f"the export ends after entry {count} without a checkpoint")
    text = f"slipway ledger checkpoint\n{checkpoint.get('entries')}\n{checkpoint.get('head')}\n{checkpoint.get('at')}\n"
    if not signed(key, text.encode(), base64.b64decode(checkpoint.get("signature", ""))):
        bad("the checkpoint's signature is not by the ledger's key")
    if checkpoint["entries"] != count or (count and checkpoint["head"] != previous):
        bad(f"entries end at {count}, {checkpoint['entries']} were exported")
    print(f"{count} entries hold, signed by {header['publicKey']}")


if __name__ == "__main__":
    main()
