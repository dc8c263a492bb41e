#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""S3 by boto3 and `aws s3 sync`: objects, ranges, copies, listings, uploads in parts, presigned addresses, policies, and the environment files of
a task."""
import hashlib
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request

from local_aws import LocalAws, wait_for


def refusal(call, **arguments):
    try:
        call(**arguments)
    except Exception as error:  # noqa: BLE001: a botocore ClientError
        return error.response["Error"]["Code"]
    return "accepted"


def main():
    with LocalAws() as aws:
        s3 = aws.client("s3", s3={"addressing_style": "path"})
        s3.create_bucket(Bucket="assets-1")
        s3.create_bucket(Bucket="other", CreateBucketConfiguration={"LocationConstraint": "us-east-1"})
        assert [each["Name"] for each in s3.list_buckets()["Buckets"]] == ["assets-1", "other"]
        assert refusal(s3.create_bucket, Bucket="No") == "InvalidBucketName" and refusal(s3.get_object, Bucket="none-such", Key="k") == "NoSuchBucket"
        body = bytes(range(256)) * 40
        tag = s3.put_object(Bucket="assets-1", Key="a b/ü+.bin", Body=body, ContentType="text/x", CacheControl="max-age=1", Metadata={"who": "me"})["ETag"]
        assert tag == f'"{hashlib.md5(body).hexdigest()}"', tag
        got = s3.get_object(Bucket="assets-1", Key="a b/ü+.bin")
        assert got["Body"].read() == body and got["ContentType"] == "text/x" and got["CacheControl"] == "max-age=1" and got["Metadata"] == {"who": "me"}, got
        assert s3.get_object(Bucket="assets-1", Key="a b/ü+.bin", Range="bytes=10-19")["Body"].read() == body[10:20]
        assert s3.get_object(Bucket="assets-1", Key="a b/ü+.bin", Range="bytes=-5")["ContentRange"] == f"bytes {len(body) - 5}-{len(body) - 1}/{len(body)}"
        assert s3.head_object(Bucket="assets-1", Key="a b/ü+.bin")["ContentLength"] == len(body)
        assert refusal(s3.get_object, Bucket="assets-1", Key="none") == "NoSuchKey" and refusal(s3.get_object, Bucket="assets-1", Key="a b/ü+.bin", Range="bytes=99999-") == "InvalidRange"
        s3.copy_object(Bucket="other", Key="copy", CopySource={"Bucket": "assets-1", "Key": "a b/ü+.bin"})
        assert s3.get_object(Bucket="other", Key="copy")["Body"].read() == body
        for number in range(25):
            s3.put_object(Bucket="other", Key=f"n/{number // 10}/{number:02}", Body=b"x")
        pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket="other", Prefix="n/", PaginationConfig={"PageSize": 7}))
        assert [len(page["Contents"]) for page in pages] == [7, 7, 7, 4]
        for operation in ("list_objects_v2", "list_objects"):
            pages = list(s3.get_paginator(operation).paginate(Bucket="other", Delimiter="/", Prefix="n/", PaginationConfig={"PageSize": 2}))
            assert [each["Prefix"] for page in pages for each in page.get("CommonPrefixes", [])] == ["n/0/", "n/1/", "n/2/"], (operation, pages)
        assert refusal(s3.delete_bucket, Bucket="other") == "BucketNotEmpty"
        keys = [{"Key": each["Key"]} for each in s3.list_objects_v2(Bucket="other")["Contents"]]
        assert len(s3.delete_objects(Bucket="other", Delete={"Objects": keys})["Deleted"]) == 26
        s3.delete_bucket(Bucket="other")
        # In parts.
        parts = [b"a" * (5 << 20), b"b" * 100]
        upload = s3.create_multipart_upload(Bucket="assets-1", Key="big", ContentType="text/big")["UploadId"]
        tags = [s3.upload_part(Bucket="assets-1", Key="big", UploadId=upload, PartNumber=i + 1, Body=part)["ETag"] for i, part in enumerate(parts)]
        assert refusal(s3.complete_multipart_upload, Bucket="assets-1", Key="big", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": tags[1]}]}) == "InvalidPart"
        done = s3.complete_multipart_upload(Bucket="assets-1", Key="big", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": i + 1, "ETag": tag} for i, tag in enumerate(tags)]})
        sums = b"".join(hashlib.md5(part).digest() for part in parts)
        assert done["ETag"] == f'"{hashlib.md5(sums).hexdigest()}-2"' and s3.get_object(Bucket="assets-1", Key="big")["Body"].read() == b"".join(parts)
        assert refusal(s3.abort_multipart_upload, Bucket="assets-1", Key="big", UploadId=upload) == "NoSuchUpload"
        # Checksums are held to, tags kept, and what is not there is no plain get.
        assert refusal(s3.put_object, Bucket="assets-1", Key="sum", Body=b"hello", ChecksumCRC32="AAAAAA==") == "BadDigest"
        assert refusal(s3.put_object, Bucket="assets-1", Key="sum", Body=b"hello", ChecksumCRC32="NhCmhg==") == "accepted"
        s3.put_object(Bucket="assets-1", Key="tagged", Body=b"x", Tagging="team=web&stage=one%20two")
        assert s3.get_object_tagging(Bucket="assets-1", Key="tagged")["TagSet"] == [{"Key": "team", "Value": "web"}, {"Key": "stage", "Value": "one two"}]
        s3.put_object_tagging(Bucket="assets-1", Key="tagged", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
        s3.copy_object(Bucket="assets-1", Key="copied", CopySource={"Bucket": "assets-1", "Key": "tagged"})
        assert s3.get_object_tagging(Bucket="assets-1", Key="copied")["TagSet"] == [{"Key": "a", "Value": "b"}]
        assert s3.get_object(Bucket="assets-1", Key="copied")["TagCount"] == 1
        assert refusal(s3.put_object_tagging, Bucket="assets-1", Key="tagged", Tagging={"TagSet": [{"Key": "a", "Value": "b"}, {"Key": "a", "Value": "c"}]}) == "InvalidTag"
        s3.delete_object_tagging(Bucket="assets-1", Key="tagged")
        assert s3.get_object_tagging(Bucket="assets-1", Key="tagged")["TagSet"] == []
        assert "Status" not in s3.get_bucket_versioning(Bucket="assets-1")
        assert refusal(s3.put_bucket_versioning, Bucket="assets-1", VersioningConfiguration={"Status": "Enabled"}) == "NotImplemented"
        for unknown in (s3.get_bucket_acl, s3.get_bucket_intelligent_tiering_configuration, s3.delete_bucket_policy):
            more = {"Id": "i"} if "tiering" in unknown.__name__ else {}
            assert refusal(unknown, Bucket="assets-1", **more) == "NotImplemented", unknown
        # Presigned.
        signer = aws.client("s3", s3={"addressing_style": "path"}, signature_version="s3v4")
        url = signer.generate_presigned_url("get_object", Params={"Bucket": "assets-1", "Key": "a b/ü+.bin"}, ExpiresIn=60)
        assert urllib.request.urlopen(url).read() == body
        try:
            urllib.request.urlopen(url[:-1] + ("0" if url[-1] != "0" else "1"))
            raise AssertionError("a forged presigned address was served")
        except urllib.error.HTTPError as error:
            assert error.code == 403
        # Policies.
        iam = aws.client("iam")
        iam.create_user(UserName="reader")
        iam.put_user_policy(UserName="reader", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::assets-1/a b/*"}]}))
        key = iam.create_access_key(UserName="reader")["AccessKey"]
        reader = aws.client("s3", key=key["AccessKeyId"], secret=key["SecretAccessKey"], s3={"addressing_style": "path"})
        assert refusal(reader.get_object, Bucket="assets-1", Key="a b/ü+.bin") == "accepted" and refusal(reader.get_object, Bucket="assets-1", Key="big") == "AccessDenied"
        assert refusal(reader.put_object, Bucket="assets-1", Key="a b/x", Body=b"") == "AccessDenied"
        # The AWS CLI.
        site = os.path.join(aws.directory, "site")
        os.makedirs(os.path.join(site, "static"))
        for name in ("index.html", "static/app.js"):
            with open(os.path.join(site, name), "w") as out:
                out.write(name)
        env = {**os.environ, "AWS_ACCESS_KEY_ID": aws.env["AWS_ACCESS_KEY_ID"], "AWS_SECRET_ACCESS_KEY": aws.env["AWS_SECRET_ACCESS_KEY"], "AWS_DEFAULT_REGION": aws.env["AWS_REGION"]}
        cli = lambda *words: subprocess.run(["aws", "--endpoint-url", aws.url, "s3", *words], env=env, capture_output=True, text=True, timeout=60, check=True).stdout
        assert cli("sync", site, "s3://assets-1/site").count("upload:") == 2 and cli("sync", site, "s3://assets-1/site") == ""
        assert s3.head_object(Bucket="assets-1", Key="site/index.html")["ContentType"] == "text/html"
        assert "PRE static/" in cli("ls", "s3://assets-1/site/")
        cli("rm", "--recursive", "s3://assets-1/site")
        # A task's environment file.
        s3.put_object(Bucket="assets-1", Key="app.env", Body=b"# settings\nCOLOR=blue sky\nSHADE=from file\n")
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::assets-1/app.env"}]}
        role, blind = aws.role("exec"), aws.role("blind")
        iam.put_role_policy(RoleName="exec", PolicyName="env", PolicyDocument=json.dumps(policy))
        ecs, logs, image = aws.client("ecs"), aws.client("logs"), aws.image()
        ecs.create_cluster(clusterName="c")
        logs.create_log_group(logGroupName="/t")
        for name, arn in (("seeing", role), ("blind", blind)):
            ecs.register_task_definition(family=name, networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512", executionRoleArn=arn, containerDefinitions=[
                {"name": "app", "image": image, "command": ["sh", "-c", "echo $COLOR, $SHADE"], "environment": [{"name": "SHADE", "value": "from definition"}],
                 "environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::assets-1/app.env"}],
                 "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/t", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "x"}}}])
        run = lambda family: ecs.run_task(cluster="c", taskDefinition=family, launchType="FARGATE", networkConfiguration=aws.network())["tasks"][0]["taskArn"]
        look = lambda arn: ecs.describe_tasks(cluster="c", tasks=[arn])["tasks"][0]
        run("seeing")
        wait_for(lambda: [each["message"] for each in logs.filter_log_events(logGroupName="/t")["events"]] == ["blue sky, from definition"], 60, "the line")
        arn = run("blind")
        wait_for(lambda: look(arn)["lastStatus"] == "STOPPED", 60, "the end")
        assert "failed to download env files" in look(arn)["stoppedReason"] and "AccessDenied" in look(arn)["stoppedReason"], look(arn)
    print("S3: boto3, the AWS CLI and environment files work; what policies do not allow is refused")


if __name__ == "__main__":
    sys.exit(main())
