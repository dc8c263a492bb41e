#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes src/cloud/shapes/SERVICE.json: the shapes of the requests of the operations that the local AWS answers, out of botocore's models.

  tools/api_shapes.py            with the botocore that python3 imports

A shape is {"t": type} and what applies of: "m" members {name: shape}, "r" required, "i" the item's shape, "k" and "v" of a map, "e" enum,
"n" min, "x" max, "p" pattern, "s" sensitive. The tables are facts about AWS's interface; no text of the models is in them."""
import gzip
import json
import pathlib
import re

import botocore

HERE = pathlib.Path(__file__).resolve().parent.parent
SERVICES = {"sts": "sts", "iam": "iam", "ecr": "ecr", "ecs": "ecs", "codedeploy": "codedeploy", "elbv2": "elb", "secretsmanager": "secrets", "ssm": "ssm", "logs": "logs", "cloudwatch": "cloudwatch", "servicediscovery": "discovery"}


def model(service):
    folder = sorted((pathlib.Path(botocore.__file__).parent / "data" / service).iterdir())[-1]
    packed = folder / "service-2.json.gz"
    return json.loads(gzip.decompress(packed.read_bytes()) if packed.exists() else (folder / "service-2.json").read_text())


def answered(folder):
    text = "".join(path.read_text() for path in (HERE / "src/cloud" / folder).glob("*.cpp"))
    return set(re.findall(r'\{"([A-Z]\w+)", &', text))


def shape_of(shapes, name, kept):
    if name in kept:
        return
    given = shapes[name]
    out = kept[name] = {"t": given["type"]}
    for key, short in (("enum", "e"), ("min", "n"), ("max", "x"), ("pattern", "p"), ("sensitive", "s"), ("required", "r")):
        if given.get(key):
            out[short] = given[key]
    if given["type"] == "structure":
        out["m"] = {member: about["shape"] for member, about in given["members"].items()}
        children = out["m"].values()
    elif given["type"] == "list":
        out["i"] = given["member"]["shape"]
        children = [out["i"]]
    elif given["type"] == "map":
        out["k"], out["v"] = given["key"]["shape"], given["value"]["shape"]
        children = [out["k"], out["v"]]
    else:
        children = []
    for child in list(children):
        shape_of(shapes, child, kept)


for service, folder in SERVICES.items():
    about = model(service)
    kept, operations = {}, {}
    for operation in sorted(answered(folder) & set(about["operations"])):
        given = about["operations"][operation].get("input")
        if given:
            operations[operation] = given["shape"]
            shape_of(about["shapes"], given["shape"], kept)
    if service == "ecr":
        kept["RepositoryName"].pop("p")  # the service's own words name another expression
    target = HERE / "src/cloud/shapes" / f"{about['metadata'].get('signingName', about['metadata']['endpointPrefix'])}.json"
    lines = [f"  {json.dumps(name)}: {json.dumps(shape, separators=(',', ':'))}" for name, shape in sorted(kept.items())]
    target.write_text('{"operations": ' + json.dumps(operations, separators=(",", ":")) + ',\n "shapes": {\n' + ",\n".join(lines) + "\n}}\n")
    print(f"{target.name}: {len(operations)} operations, {len(kept)} shapes, {target.stat().st_size} bytes")
