#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""contents.py SLIPWAY: images that build-push-action pushes with an SBOM. `diff` tells which layers are new and which packages change, the ledger
and so Slack have it of a run's release, and a pull request has it as one comment that is kept up to date. See shop.py for what it needs."""
import json
import sys

from shop import WORKFLOW, Listener, Shop

PACKAGE = "Package: {0}\nStatus: install ok installed\nVersion: {1}\nArchitecture: amd64\n\n"


class GitHub:
    """The comments of a pull request."""

    def __init__(self):
        self.comments = []
        self.listener = Listener(self.answer)

    def answer(self, request):
        assert request["headers"]["authorization"] == "Bearer ghp_1", request
        if request["method"] == "GET":
            return 200, json.dumps([{"id": n + 1, "body": body} for n, body in enumerate(self.comments)]).encode()
        body = json.loads(request["body"])["body"]
        if request["method"] == "PATCH":
            self.comments[int(request["path"].rpartition("/")[2]) - 1] = body
        else:
            self.comments.append(body)
        return 201, b'{"html_url":"https://github.com/acme/shop/pull/7"}'


def packages(shop, **versions):
    shop.write("root/var/lib/dpkg/status", "".join(PACKAGE.format(name, version) for name, version in versions.items()))


def main():
    github = GitHub()
    env = {"GITHUB_TOKEN": "ghp_1", "GITHUB_API_URL": github.listener.url, "GITHUB_REPOSITORY": "acme/shop", "GITHUB_REF": "refs/pull/7/merge"}
    with Shop(sys.argv[1]) as shop:
        shop.write(".github/workflows/ship.yml", WORKFLOW.replace("          push: true\n", "          push: true\n          sbom: true\n"))
        shop.write("Dockerfile", "FROM scratch\nCOPY root/bin /bin\nCOPY root/ /\nENV PATH=/bin\nCMD [\"sh\", \"/serve.sh\"]\n")
        packages(shop, libssl3="3.0.11-1", zlib1g="1.2.13", tzdata="2024a")
        shop.commit("with packages")
        shop.up()
        shop.run("promote", "staging", "production", "--yes")
        packages(shop, libssl3="3.0.13-1", zlib1g="1.2.13", curl="7.88.1")
        shop.commit("other packages")
        shop.up()

        said = shop.run("diff", "production", "--pull-request", "auto", env=env).stdout
        for line in ("1 of 2 layers are new", "3 of 4 packages differ", "+ deb/curl 7.88.1", "~ deb/libssl3 3.0.11-1 → 3.0.13-1", "- deb/tzdata 2024a"):
            assert line in said, (line, said)
        shop.run("diff", "production", "--pull-request", "7", env=env)
        assert len(github.comments) == 1 and said.strip() in github.comments[0], github.comments
        change = next(c for c in json.loads(shop.run("--json", "diff", "production").stdout)[0]["changes"] if c["place"] == "web.image")
        assert {"package": "deb/curl", "after": "7.88.1"} in change["packages"] and len(change["layers"]["new"]) == 1, change
        release = json.loads(shop.run("--json", "history", "staging").stdout)[0]
        assert "~ deb/libssl3 3.0.11-1 → 3.0.13-1" in release["changes"], release
        assert shop.run("verify", "staging").returncode == 0
        # The same commit once more: the image with its SBOM is the same, and its tag, which cannot be moved, takes it.
        again = shop.run("run", "--cloud", "local")
        assert again.returncode == 0
        refused = shop.run("diff", "production", "--pull-request", "auto", ok=False, env={**env, "GITHUB_REF": "refs/heads/main"})
        assert refused.returncode == 2 and "jobs of pull requests" in refused.stderr, refused.stderr
    github.listener.close()
    print("layers, packages and a pull request's comment are told")


if __name__ == "__main__":
    main()
