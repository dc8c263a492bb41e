#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""HAProxy does not take a change of the load balancers: the call fails, nothing of it is there afterwards, the traffic goes on, and the
same call succeeds when HAProxy is well again."""
import glob
import os
import shutil
import signal
import stat
import sys
import tempfile
import urllib.error
import urllib.request

from botocore.exceptions import ClientError

from local_aws import LocalAws, wait_for

# A haproxy that refuses every configuration while a file is there.
WRAPPER = """#!/bin/sh
if [ "$1" = -c ] && [ -e {folder}/fault ]; then echo "out of luck" >&2; exit 1; fi
exec /usr/sbin/haproxy "$@"
"""


def main():
    folder = tempfile.mkdtemp(prefix="slipway-haproxy-")
    with open(f"{folder}/haproxy", "w") as out:
        out.write(WRAPPER.format(folder=folder))
    os.chmod(f"{folder}/haproxy", stat.S_IRWXU)
    os.environ["PATH"] = f"{folder}:{os.environ['PATH']}"

    with LocalAws() as aws:
        elb, ec2 = aws.client("elbv2", read_timeout=60), aws.client("ec2")
        balancer = elb.create_load_balancer(Name="lb", Subnets=[s["SubnetId"] for s in ec2.describe_subnets()["Subnets"]][:2])["LoadBalancers"][0]
        lb = balancer["LoadBalancerArn"]
        fixed = lambda text: [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200", "MessageBody": text, "ContentType": "text/plain"}}]
        first = elb.create_listener(LoadBalancerArn=lb, Protocol="HTTP", Port=8080, DefaultActions=fixed("first"))["Listeners"][0]["ListenerArn"]
        url = next(t["Value"] for t in elb.describe_tags(ResourceArns=[lb])["TagDescriptions"][0]["Tags"] if t["Key"] == "slipway:local-url")
        answer = lambda: urllib.request.urlopen(url, timeout=5).read().decode()
        ports = lambda: sorted(one["Port"] for one in elb.describe_listeners(LoadBalancerArn=lb)["Listeners"])
        assert answer() == "first"

        def fails(call, **arguments):
            try:
                call(**arguments)
            except ClientError as error:
                assert error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500, error
            else:
                raise AssertionError(f"accepted with a broken haproxy: {arguments}")

        second = dict(LoadBalancerArn=lb, Protocol="HTTP", Port=8081, DefaultActions=fixed("second"))
        group = dict(Name="g", Protocol="HTTP", Port=80, VpcId=balancer["VpcId"], TargetType="ip")
        open(f"{folder}/fault", "w").close()
        fails(elb.create_listener, **second)
        assert ports() == [8080] and answer() == "first", ports()
        fails(elb.modify_listener, ListenerArn=first, DefaultActions=fixed("changed"))
        fails(elb.create_target_group, **group)
        fails(elb.delete_listener, ListenerArn=first)
        assert ports() == [8080] and answer() == "first" and not elb.describe_target_groups()["TargetGroups"], ports()
        os.remove(f"{folder}/fault")
        elb.create_listener(**second)
        elb.create_target_group(**group)
        elb.modify_listener(ListenerArn=first, DefaultActions=fixed("changed"))
        assert ports() == [8080, 8081] and answer() == "changed", ports()
        # The configuration is good, but HAProxy does not come up with it.
        master = int(open(glob.glob(f"{aws.state}/**/master.pid", recursive=True)[0]).read().split()[0])
        os.kill(master, signal.SIGSTOP)
        fails(elb.modify_listener, ListenerArn=first, DefaultActions=fixed("never"))
        os.kill(master, signal.SIGCONT)
        assert elb.describe_listeners(ListenerArns=[first])["Listeners"][0]["DefaultActions"] == fixed("changed")
        elb.modify_listener(ListenerArn=first, DefaultActions=fixed("again"))
        wait_for(lambda: answer() == "again", what="the change")  # the reload that was asked for before may come first
        aws.slipway("cloud", "stop")
        aws.slipway("cloud", "start", "--listen", aws.url.removeprefix("http://"))
        assert ports() == [8080, 8081], "what was taken back is on disk"

        def answers():
            try:
                return answer()
            except urllib.error.URLError:
                return ""  # HAProxy comes up beside the first answers
        assert wait_for(answers, what="an answer") == "again"
    shutil.rmtree(folder)
    print("what HAProxy does not take is taken back, and can be tried again")


if __name__ == "__main__":
    sys.exit(main())
