#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kills the registry at, and fills its disk at, each call by which pushes, mounts and a moved tag change its directory.

usage: registry_every_write.py --slipway BIN --shim FAULT_SHIM.so --work DIR [--step N]

What was answered 201 is there byte for byte, in the same process and after a restart; every tag leads to a whole image, every blob file
is its name; and the same pushes then succeed. --step tries each Nth call only. Exit 0 when all of that held.
"""
import argparse, hashlib, http.client, json, os, re, shutil, subprocess, sys

MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
LAYERS = [bytes([number]) * size for number, size in enumerate((100, 300_000, 5000))]
CONFIG = b'{"os":"linux","architecture":"amd64"}'


class BrokeOff(Exception):
    pass


def digest(content):
    return 'sha256:' + hashlib.sha256(content).hexdigest()


def manifest(layers):
    parts = [{'mediaType': 'application/x', 'digest': digest(part), 'size': len(part)} for part in (CONFIG, *layers)]
    return json.dumps({'schemaVersion': 2, 'mediaType': MANIFEST, 'config': parts[0], 'layers': parts[1:]}).encode()


class Registry:
    def __init__(self, options, **faults):
        environment = {**os.environ, 'ASAN_OPTIONS': 'detect_leaks=0:verify_asan_link_order=0'}
        if faults:
            environment.update({'LD_PRELOAD': options.shim, **{'FAULT_' + name: str(value) for name, value in faults.items()}})
        self.root = f'{options.work}/root'
        self.process = subprocess.Popen(
            [options.slipway, 'registry', 'serve', '--listen', '127.0.0.1:0', '--root', self.root, '--state', f'{options.work}/state'],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        found = re.match(r'registry on [^:]*:(\d+),', self.process.stdout.readline())
        self.port = int(found[1]) if found else None  # nothing: it did not come up

    def stop(self, kill=False):
        self.process.kill() if kill else self.process.terminate()
        self.process.wait(30)

    def ask(self, method, path, body=None, headers={}):
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=30)
        connection.request(method, '/v2/' + path if path[0] != '/' else path, body, headers)
        answer = connection.getresponse()
        answer.body = answer.read()
        connection.close()
        return answer

    def must(self, status, *question):
        answer = self.ask(*question)
        if answer.status != status:
            raise BrokeOff(f'{question[:2]}: {answer.status} {answer.body[:150]}')
        return answer

    def push_all(self, kept):
        """Every form of push; what was answered 201 goes into `kept`: path -> the contents that may be there."""
        for number, content in enumerate((*LAYERS, CONFIG)):
            path = f'a/blobs/{digest(content)}'
            if self.ask('HEAD', path).status == 200:
                continue
            if number == 0:
                self.must(201, 'POST', f'a/blobs/uploads/?digest={digest(content)}', content)
            else:
                place = self.must(202, 'POST', 'a/blobs/uploads/', b'').getheader('Location')
                rest = content
                if number == 1:
                    self.must(202, 'PATCH', place, content[:150_000])
                    rest = content[150_000:]
                self.must(201, 'PUT', f'{place}?digest={digest(content)}', rest)
            kept[path] = [content]
        self.tag('a/manifests/v', manifest(LAYERS), kept)
        for content in (*LAYERS[:2], CONFIG):
            self.must(201, 'POST', f'b/blobs/uploads/?mount={digest(content)}&from=a', b'')
            kept[f'b/blobs/{digest(content)}'] = [content]
        self.tag('b/manifests/x', manifest(LAYERS[:2]), kept)
        self.tag('a/manifests/v', manifest(LAYERS[:1]), kept)

    def tag(self, path, content, kept):
        if path in kept:
            kept[path].append(content)  # until it is answered the tag may lead to either
        self.must(201, 'PUT', path, content, {'Content-Type': MANIFEST})
        kept[path] = [content]

    def damage(self, kept):
        found = []
        for path, contents in kept.items():
            answer = self.ask('GET', path)
            if answer.status != 200 or answer.body not in contents:
                found.append(f'{path[:30]} was acknowledged, and is {answer.status}')
        for name in json.loads(self.ask('GET', '_catalog').body)['repositories']:
            for tag in json.loads(self.ask('GET', f'{name}/tags/list').body)['tags']:
                image = json.loads(self.ask('GET', f'{name}/manifests/{tag}').body)
                for part in (image['config'], *image['layers']):
                    if digest(self.ask('GET', f'{name}/blobs/{part["digest"]}').body) != part['digest']:
                        found.append(f'{name}:{tag} lacks {part["digest"][:19]}')
        for name in os.listdir(f'{self.root}/blobs/sha256'):
            with open(f'{self.root}/blobs/sha256/{name}', 'rb') as file:
                if hashlib.sha256(file.read()).hexdigest() != name:
                    found.append(f'blob {name[:12]} is not its name')
        return found


def trial(options, kind, at):
    """One fault; whether it broke something off, and what is wrong afterwards."""
    shutil.rmtree(f'{options.work}/root', ignore_errors=True)
    kept, found, broke = {}, [], False
    registry = Registry(options, AT=at, KIND=kind)
    if registry.port:
        try:
            registry.push_all(kept)
        except (BrokeOff, OSError, http.client.HTTPException):
            broke = True
        if kind == 'full':
            found += registry.damage(kept) if registry.process.poll() is None else ['the full disk ended the registry']
    registry.stop(kill=kind == 'kill')
    registry = Registry(options)
    if not registry.port:
        return broke, ['it does not start again']
    found += registry.damage(kept)
    try:
        registry.push_all(kept)
    except BrokeOff as problem:
        found.append(f'afterwards: {problem}')
    found += registry.damage(kept)
    registry.stop()
    return broke, found


def main():
    parser = argparse.ArgumentParser()
    for name in ('slipway', 'shim', 'work'):
        parser.add_argument('--' + name, required=True)
    parser.add_argument('--step', type=int, default=1)
    options = parser.parse_args()
    count_file = f'{options.work}/count'
    registry = Registry(options, COUNT=count_file)
    registry.push_all({})
    registry.stop()
    with open(count_file) as file:
        count = int(file.read())
    problems, broken = [], 0
    for kind in ('kill', 'full'):
        for at in range(1, count + 1, options.step):
            broke, found = trial(options, kind, at)
            broken += broke
            problems += [f'{kind} at call {at} of {count}: {problem}' for problem in found]
    print(f'{count} calls, {broken} times something broke off')
    if broken < 10:
        sys.exit('hardly anything was disturbed')
    sys.exit('\n'.join(problems) or 0)


main()
