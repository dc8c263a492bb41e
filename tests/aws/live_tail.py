# SPDX-License-Identifier: Apache-2.0
"""StartLiveTail: what comes in is told at once, as an event stream, to boto3 and the AWS CLI; what AWS refuses is refused."""
import os
import shutil
import subprocess
import threading
import time

from botocore.exceptions import ClientError

from local_aws import LocalAws


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return
    raise AssertionError(f"not refused: {arguments}")


with LocalAws() as aws:
    writer = aws.client("logs")
    logs = aws.client("logs", inject_host_prefix=False)
    for group in ("/app", "/other"):
        writer.create_log_group(logGroupName=group)
        writer.create_log_stream(logGroupName=group, logStreamName="web/1")
    writer.create_log_stream(logGroupName="/app", logStreamName="job/1")
    arn = "arn:aws:logs:us-east-1:" + aws.env_account() + ":log-group:/app"

    def put(message, stream="web/1", group="/app"):
        writer.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[{"timestamp": int(time.time() * 1000), "message": message}])

    refused("ResourceNotFoundException", logs.start_live_tail, logGroupIdentifiers=[arn + "none"])
    refused("InvalidParameterException", logs.start_live_tail, logGroupIdentifiers=["/app"])
    refused("InvalidParameterException", logs.start_live_tail, logGroupIdentifiers=[arn], logStreamNames=["web/1"], logStreamNamePrefixes=["web"])
    put("before the session")
    stream = logs.start_live_tail(logGroupIdentifiers=[arn], logStreamNamePrefixes=["web/"], logEventFilterPattern="ERROR")["responseStream"]
    events = iter(stream)
    begun = next(events)["sessionStart"]
    assert begun["logGroupIdentifiers"] == [arn] and begun["logEventFilterPattern"] == "ERROR", begun
    assert next(events)["sessionUpdate"]["sessionResults"] == []
    started = time.monotonic()
    threading.Timer(0.1, lambda: [put("fine"), put("ERROR of a job", "job/1"), put("ERROR elsewhere", group="/other"), put("ERROR one")]).start()
    seen = []
    while not seen:
        update = next(events)["sessionUpdate"]
        seen += update["sessionResults"]
        assert update["sessionMetadata"] == {"sampled": False}
    print(f"boto3: an event after {time.monotonic() - started - 0.1:.2f} s")
    assert [(e["message"], e["logStreamName"]) for e in seen] == [("ERROR one", "web/1")], seen
    stream.close()

    if shutil.which("aws"):
        env = {**os.environ, **aws.env, "AWS_PAGER": "", "PYTHONUNBUFFERED": "1"}
        tail = subprocess.Popen(["aws", "--endpoint-url", aws.url, "logs", "start-live-tail", "--log-group-identifiers", arn], stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, env=env)
        found = threading.Event()
        lines = []

        def read():
            for line in tail.stdout:
                lines.append(line)
                if "by the command line" in line:
                    found.set()

        reader = threading.Thread(target=read)
        reader.start()
        for _ in range(40):
            put("by the command line")
            if found.wait(0.5):
                break
        tail.terminate()
        tail.wait()
        reader.join()
        assert found.is_set(), lines
    # An open tail does not hold the cloud's end up.
    stream = logs.start_live_tail(logGroupIdentifiers=[arn])["responseStream"]
    next(iter(stream))
    began = time.monotonic()
    aws.slipway("cloud", "stop")
    assert time.monotonic() - began < 4, time.monotonic() - began
    aws.slipway("cloud", "start", "--listen", "127.0.0.1:0")
print("ok")
