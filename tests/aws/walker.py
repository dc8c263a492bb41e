# SPDX-License-Identifier: Apache-2.0
"""Holds every answer of a client to the service's model, strictly: botocore's own parsers let nearly everything through."""
import datetime
import json
import xml.etree.ElementTree as ElementTree

import botocore.parsers


def from_cbor(body):
    parser = botocore.parsers.RpcV2CBORParser()
    return parser.parse_data_item(parser.get_peekable_stream_from_bytes(body))


class Walker:
    """watch(client) makes it look at every answer; findings holds what is wrong, `seen` the operations that answered well."""

    def __init__(self):
        self.findings = []
        self.seen = {}

    def watch(self, client):
        client.meta.events.register("response-received.*", lambda **event: self._look(client, **event))
        return client

    def _look(self, client, response_dict=None, event_name="", **_):
        if response_dict is None:
            return
        service = client.meta.service_model.service_name
        operation = client.meta.service_model.operation_model(event_name.rsplit(".", 1)[1])
        where = f"{service}:{operation.name}"
        protocol = client.meta.service_model.resolved_protocol
        if protocol in ("rest-xml", "rest-json") or operation.has_event_stream_output:
            return  # S3 and streams: what their clients read of it is tested
        if response_dict["status_code"] >= 300:
            self._error(where, client, operation, protocol, response_dict)
            return
        self.seen[where] = self.seen.get(where, 0) + 1
        body = response_dict["body"]
        if protocol == "smithy-rpc-v2-cbor":
            self._json(where, operation.output_shape, from_cbor(body)) if operation.output_shape is not None else None
        elif protocol == "json":
            if operation.output_shape is not None:
                self._json(where, operation.output_shape, json.loads(body or b"{}"))
            elif body not in (b"", b"{}"):
                self._say(where, f"a body without an output shape: {body[:80]!r}")
        else:
            self._xml_body(where, operation, protocol, body)

    def _error(self, where, client, operation, protocol, response):
        body = response["body"]
        if protocol in ("json", "smithy-rpc-v2-cbor"):
            answer = json.loads(body) if protocol == "json" else from_cbor(body)
            if not isinstance(answer.get("__type"), str) or not isinstance(answer.get("message", answer.get("Message")), str):
                self._say(where, f"malformed error {body!r}")
        else:
            root = ElementTree.fromstring(body)
            names = [each.tag.rsplit("}", 1)[-1] for each in root.iter()]
            for needed in ("Code", "Message"):
                if needed not in names:
                    self._say(where, f"malformed error {body!r}")

    def _say(self, where, text):
        self.findings.append(f"{where}: {text}")

    def _json(self, path, shape, value):
        kind = shape.type_name
        if value is None:
            return self._say(path, "null")
        if kind == "structure":
            if not isinstance(value, dict):
                return self._say(path, f"{value!r} is no structure")
            names = {member.serialization.get("name", name): member for name, member in shape.members.items()}
            for name, item in value.items():
                if name not in names:
                    self._say(f"{path}.{name}", "unknown member")
                else:
                    self._json(f"{path}.{name}", names[name], item)
            for name in shape.required_members:
                if shape.members[name].serialization.get("name", name) not in value:
                    self._say(f"{path}.{name}", "required member missing")
        elif kind == "list":
            if not isinstance(value, list):
                return self._say(path, f"{value!r} is no list")
            for index, item in enumerate(value):
                self._json(f"{path}[{index}]", shape.member, item)
        elif kind == "map":
            if not isinstance(value, dict):
                return self._say(path, f"{value!r} is no map")
            for key, item in value.items():
                self._json(f"{path}[{key!r}]", shape.value, item)
        else:
            self._scalar(path, shape, value, {"string": str, "character": str, "boolean": bool, "integer": int, "long": int,
                                              "float": (int, float), "double": (int, float), "timestamp": (int, float, datetime.datetime),
                                              "blob": str}[kind])

    def _scalar(self, path, shape, value, types):
        if not isinstance(value, types) or (types is int and isinstance(value, bool)):
            return self._say(path, f"{value!r} is no {shape.type_name}")
        if getattr(shape, "enum", None) and value not in shape.enum:
            self._say(path, f"{value!r} is not in {shape.enum}")

    def _xml_body(self, where, operation, protocol, body):
        root = ElementTree.fromstring(body)
        strip(root)
        if root.tag != operation.name + "Response":
            self._say(where, f"root <{root.tag}>")
        if protocol == "ec2":
            if root.find("requestId") is None:
                self._say(where, "no requestId")
            root.remove(root.find("requestId"))
            result = root
        else:
            if root.find("ResponseMetadata/RequestId") is None:
                self._say(where, "no ResponseMetadata/RequestId")
            result = root.find(operation.name + "Result")
        if operation.output_shape is not None and operation.output_shape.members:
            if result is None:
                return self._say(where, "no Result")
            self._xml(where, operation.output_shape, result, protocol)

    def _xml(self, path, shape, node, protocol):
        kind = shape.type_name
        if kind == "structure":
            self._xml_structure(path, shape, node, protocol)
        elif kind == "list":
            item = shape.member.serialization.get("name", "member")
            for index, child in enumerate(node):
                if child.tag != item:
                    self._say(f"{path}[{index}]", f"<{child.tag}> instead of <{item}>")
                else:
                    self._xml(f"{path}[{index}]", shape.member, child, protocol)
        elif kind == "map":
            key, value = shape.key.serialization.get("name", "key"), shape.value.serialization.get("name", "value")
            for entry in node:
                if entry.tag != "entry" or entry.find(key) is None or entry.find(value) is None:
                    self._say(path, "malformed map entry")
                else:
                    self._xml(f"{path}[{entry.find(key).text!r}]", shape.value, entry.find(value), protocol)
        else:
            self._xml_scalar(path, shape, node.text or "")

    def _xml_structure(self, path, shape, node, protocol):
        names, flat = {}, set()
        for name, member in shape.members.items():
            wire = member.serialization.get("name", name)
            if member.type_name == "list" and member.serialization.get("flattened"):
                wire = member.member.serialization.get("name", wire)
                flat.add(wire)
            names[wire] = member
        for child in node:
            if child.tag not in names:
                self._say(f"{path}.{child.tag}", "unknown member")
            elif child.tag in flat:
                self._xml(f"{path}.{child.tag}", names[child.tag].member, child, protocol)
            else:
                self._xml(f"{path}.{child.tag}", names[child.tag], child, protocol)
        tags = {child.tag for child in node}
        for name in shape.required_members:
            if shape.members[name].serialization.get("name", name) not in tags:
                self._say(f"{path}.{name}", "required member missing")

    def _xml_scalar(self, path, shape, text):
        kind = shape.type_name
        if kind in ("integer", "long"):
            good = text.lstrip("-").isdigit()
        elif kind == "boolean":
            good = text in ("true", "false")
        elif kind == "timestamp":
            good = len(text) >= 20 and text[4] == "-" and text.endswith("Z")
        elif kind in ("float", "double"):
            good = text.replace(".", "", 1).lstrip("-").isdigit()
        else:
            good = not getattr(shape, "enum", None) or text in shape.enum
        if not good:
            self._say(path, f"{text!r} is no {kind}" + (f" of {shape.enum}" if getattr(shape, "enum", None) else ""))


def strip(node):
    for each in node.iter():
        each.tag = each.tag.rsplit("}", 1)[-1]
