#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mended.py SLIPWAY: bootstrap finds nothing to do after itself; what roles have lost it names (--dry-run) and gives back, and takes nothing; verify
warns of a lifecycle policy that may expire what was released. See shop.py for what it needs."""
import json
import sys

import boto3
from shop import Shop


def main():
    with Shop(sys.argv[1]) as shop:
        shop.up()
        cloud = shop.cloud_env()
        keys = {"aws_access_key_id": cloud["access_key_id"], "aws_secret_access_key": cloud["secret_access_key"]}
        client = lambda name: boto3.client(name, region_name="us-east-1", endpoint_url=cloud["url"], **keys)
        iam, ecr = client("iam"), client("ecr")
        bootstrap = lambda *words: {step["name"]: step for step in json.loads(shop.run("--json", "bootstrap", *words).stdout)}
        changed = lambda steps: [step for step in steps.values() if step["new"] or "differs" in step]
        assert not changed(bootstrap("--dry-run")), changed(bootstrap("--dry-run"))
        assert not changed(bootstrap("--dry-run", "staging"))  # what one environment needs is less

        trust = iam.get_role(RoleName="shop-deploy")["Role"]["AssumeRolePolicyDocument"]
        trust["Statement"][0]["Condition"]["StringEquals"]["token.actions.githubusercontent.com:sub"] = "repo:acme/other:environment:staging"
        iam.update_assume_role_policy(RoleName="shop-deploy", PolicyDocument=json.dumps(trust))
        iam.delete_role_policy(RoleName="shop-deploy", PolicyName="slipway")
        iam.detach_role_policy(RoleName="shop-staging-execution", PolicyArn="arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy")
        assert shop.run("verify", "staging", ok=False).returncode == 1
        for words in (("--dry-run",), ()):
            steps = bootstrap(*words)
            assert len(changed(steps)) == 2 and not any(step["new"] for step in steps.values()), changed(steps)
            assert "does not let in repo:acme/shop:environment:" in steps["shop-deploy"]["differs"][0] and "ecs:UpdateService" in steps["shop-deploy"]["differs"][1]
            assert steps["shop-staging-execution"]["differs"] == ["AmazonECSTaskExecutionRolePolicy is not attached"], steps["shop-staging-execution"]
        assert not changed(bootstrap("--dry-run"))
        mended = json.dumps(iam.get_role(RoleName="shop-deploy")["Role"]["AssumeRolePolicyDocument"])
        assert "acme/other" in mended and "repo:acme/shop:environment:production" in mended, mended
        shop.commit("again")
        shop.up()
        assert shop.run("verify", "staging").returncode == 0

        ecr.put_lifecycle_policy(repositoryName="shop/web", lifecyclePolicyText=json.dumps({"rules": [
            {"rulePriority": 1, "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 50}, "action": {"type": "expire"}}]}))
        done = shop.run("verify", "staging")
        assert "warning  lifecycle policy of shop/web: its rule 1 expires images" in done.stdout and "all but the newest 50" in done.stdout, done.stdout
    print("roles get back what they lost; a lifecycle policy is warned of")


if __name__ == "__main__":
    main()
