#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds Dockerfiles with slipway and with BuildKit (docker build) and compares the images: files, modes, owners, contents, config.

usage: compare.py --slipway BIN --state DIR --docker UNIX_SOCKET CASE...

A CASE is CONTEXT[:DOCKERFILE]; a file CONTEXT.extra beside it holds more options for both. Base images must be in both stores already.
Exit 0 when every pair is equal. --alone: only slipway builds, the case counts when it succeeds; --refused: when no builder builds it.
"""
import argparse, hashlib, json, os, shlex, subprocess, sys, tarfile, tempfile

CONFIG_KEYS = ['Env', 'Cmd', 'Entrypoint', 'ExposedPorts', 'Volumes', 'WorkingDir', 'User', 'Labels', 'Healthcheck', 'OnBuild',
               'StopSignal', 'Shell']


def files_of(archive):
    """The root file system of a `docker save` archive, flattened, and its configuration."""
    files, tar = {}, tarfile.open(archive)
    manifest = json.load(tar.extractfile('manifest.json'))[0]
    config = json.load(tar.extractfile(manifest['Config']))
    for layer in manifest['Layers']:
        member = tar.getmember(layer)
        while member.issym():  # docker save links equal layers
            member = tar.getmember(os.path.normpath(os.path.join(os.path.dirname(member.name), member.linkname)))
        apply(tarfile.open(fileobj=tar.extractfile(member)), files)
    return files, config


def apply(layer, files):
    added = {}
    for entry in layer:
        path = os.path.normpath('/' + entry.name).strip('/')
        directory, name = os.path.split(path)
        if name == '.wh..wh..opq':
            for known in [p for p in files if p.startswith(directory + '/')]:
                del files[known]
            continue
        if name.startswith('.wh.'):
            gone = os.path.join(directory, name[4:])
            for known in [p for p in files if p == gone or p.startswith(gone + '/')]:
                del files[known]
            continue
        if not path:
            continue
        if entry.islnk():
            target = os.path.normpath('/' + entry.linkname).strip('/')
            added[path] = added.get(target) or files.get(target)
            continue
        content = hashlib.sha256(layer.extractfile(entry).read()).hexdigest()[:16] if entry.isreg() else ''
        kind = {tarfile.DIRTYPE: 'd', tarfile.SYMTYPE: 'l', tarfile.CHRTYPE: 'c', tarfile.BLKTYPE: 'b',
                tarfile.FIFOTYPE: 'p'}.get(entry.type, 'f')
        if kind != 'd':
            for known in [p for p in files if p.startswith(path + '/')]:
                del files[known]
        added[path] = (kind, oct(entry.mode & 0o7777), entry.uid, entry.gid, content, entry.linkname if kind == 'l' else '')
    files.update(added)


def plain(value):
    return None if value in ('', [], {}) else value


def differences(ours, theirs, has_mounts):
    found = []
    (our_files, our_config), (their_files, their_config) = ours, theirs
    for path in sorted(our_files.keys() | their_files.keys()):
        mine, other = our_files.get(path), their_files.get(path)
        if mine is None and path in ('dev', 'proc', 'sys'):
            continue  # docker 20.10 leaves the places of its mounts behind; today's BuildKit and slipway do not
        if mine is None and has_mounts and other[0] == 'd' and not any(p.startswith(path + '/') for p in our_files):
            continue  # so it is with the targets of --mount
        if mine != other:
            found.append(f'{path}: slipway {mine}, docker {other}')
    for key in CONFIG_KEYS:
        mine, other = (plain(config.get('config', {}).get(key)) for config in (our_config, their_config))
        if mine != other:
            found.append(f'config.{key}: slipway {mine!r}, docker {other!r}')
    for key in ('author', 'architecture', 'os'):
        if plain(our_config.get(key)) != plain(their_config.get(key)):
            found.append(f'{key}: slipway {our_config.get(key)!r}, docker {their_config.get(key)!r}')
    return found


def run(argv, env=None):
    done = subprocess.run(argv, capture_output=True, text=True, env={**os.environ, **(env or {})})
    return done.returncode, done.stdout + done.stderr


def compare(case, options, scratch):
    context, _, dockerfile = case.partition(':')
    dockerfile = os.path.join(context, dockerfile) if dockerfile else os.path.join(context, 'Dockerfile')
    ours, theirs = (os.path.join(scratch, name) for name in ('slipway.tar', 'docker.tar'))
    extra = options.extra.split()
    if os.path.exists(context + '.extra'):
        extra += shlex.split(open(context + '.extra').read())
    ours_file = ['-f', dockerfile] if os.path.exists(dockerfile) else []
    code, text = run([options.slipway, 'build', '--state', options.state, context, '-t', 'compare:1', '-o',
                      f'type=docker,dest={ours}'] + ours_file + extra)
    if options.alone:
        return [text[-1500:]] if code else []
    docker = [options.docker_program, '-H', 'unix://' + options.docker]
    their_code, their_text = run(docker + ['build', '--network', 'host', '-f', dockerfile, '-t', 'compare:1', context] + extra,
                                 {'DOCKER_BUILDKIT': '1'})
    if code != 0 or their_code != 0:
        if code != 0 and their_code != 0:
            print('    both refuse:', text.strip().splitlines()[0][:150])
            return []
        if options.refused and code in (1, 2):
            return []
        return [f'slipway ended with {code}, docker with {their_code}', (text if code else their_text)[-1500:]]
    if options.refused:
        return ['both build it']
    code, text = run(docker + ['save', '-o', theirs, 'compare:1'])
    if code != 0:
        return [] if 'empty export' in text else ['docker save: ' + text]  # docker 20.10 cannot save an image without layers
    return differences(files_of(ours), files_of(theirs), '--mount' in open(dockerfile).read())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--slipway', required=True)
    parser.add_argument('--state', required=True)
    parser.add_argument('--docker', default='')
    parser.add_argument('--docker-program', default='/usr/bin/docker')  # Debian's: it needs no buildx
    parser.add_argument('--extra', default='')
    parser.add_argument('--alone', action='store_true')
    parser.add_argument('--refused', action='store_true')
    parser.add_argument('cases', nargs='+')
    options = parser.parse_args()
    failed = 0
    for case in options.cases:
        with tempfile.TemporaryDirectory() as scratch:
            found = compare(case, options, scratch)
        print('same' if not found else 'DIFFERENT', case)
        for line in found:
            print('   ', line)
        failed += bool(found)
    print(f'{len(options.cases) - failed} of {len(options.cases)} equal')
    return 1 if failed else 0


sys.exit(main())
