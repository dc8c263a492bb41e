#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kills slipway at, and fills the disk at, each call of a command that changes the image store.

usage: every_write.py --slipway BIN --shim FAULT_SHIM.so --registry HOST:PORT --work DIR [--step N]

After each: every blob is its name, every name leads to a whole image, what was named before still is, a full disk was told as one; then
the command again gives what an undisturbed one gives, and `prune` leaves nothing of what broke off. --step tries each Nth call only.
Exit 0 when all of that held.
"""
import argparse, hashlib, json, os, shutil, subprocess, sys


class Trial:
    def __init__(self, options):
        self.options, self.work, self.faults, self.problems = options, options.work, 0, []
        self.context, self.image = f'{self.work}/context', f'{options.registry}/app:1'
        os.makedirs(f'{self.context}/d')
        for number in range(5):
            with open(f'{self.context}/d/{number}', 'wb') as file:
                file.write(bytes([number]) * (3000 * number + 10))
        self.write('Dockerfile', 'FROM scratch AS a\nCOPY d /d\nFROM scratch\nCOPY --from=a /d /x/\nCOPY d/3 /y\n')
        self.write('Old', 'FROM scratch\nCOPY d/1 /old\n')
        self.write('Gone', 'FROM scratch\nCOPY d/2 /gone\n')
        for name in ('old', 'gone'):
            self.must(['build', '--quiet', '-f', f'{self.context}/{name.title()}', self.context, '-t', name + ':1'], self.state('base'))
        self.must(['build', '--quiet', self.context, '-t', self.image], self.state('other'))
        self.must(['image', 'push', self.image], self.state('other'))
        self.must(['image', 'export', self.image, f'{self.work}/app.tar'], self.state('other'))
        shutil.copytree(self.state('base'), self.state('prunable'), symlinks=True)
        self.must(['image', 'rm', 'gone:1'], self.state('prunable'))

    def write(self, name, text):
        with open(f'{self.context}/{name}', 'w') as file:
            file.write(text)

    def state(self, name):
        return f'{self.work}/{name}'

    def run(self, arguments, state, **faults):
        environment = {**os.environ, 'SOURCE_DATE_EPOCH': '1700000000', 'ASAN_OPTIONS': 'detect_leaks=0:verify_asan_link_order=0'}
        if faults:
            environment.update({'LD_PRELOAD': self.options.shim, **{'FAULT_' + name: str(value) for name, value in faults.items()}})
        return subprocess.run([self.options.slipway, *arguments, '--state', state], env=environment, capture_output=True, timeout=120)

    def must(self, arguments, state, **faults):
        done = self.run(arguments, state, **faults)
        if done.returncode != 0:
            sys.exit(f'{arguments} fails undisturbed: {done.stderr.decode()}')

    def names(self, state):
        with open(f'{state}/images/index.json') as file:
            return {entry['annotations']['org.opencontainers.image.ref.name']: entry['digest'] for entry in json.load(file)['manifests']}

    def damage(self, state, kept):
        """What is not whole in the store."""
        blobs, found = f'{state}/images/blobs/sha256', []
        for name in os.listdir(blobs):
            with open(f'{blobs}/{name}', 'rb') as file:
                if hashlib.sha256(file.read()).hexdigest() != name:
                    found.append(f'blob {name[:12]} is not its name')
        for name, digest in self.names(state).items():
            with open(f'{blobs}/{digest[7:]}') as file:
                manifest = json.load(file)
            for part in [manifest['config'], *manifest['layers']]:
                if not os.path.exists(f'{blobs}/{part["digest"][7:]}'):
                    found.append(f'{name} lacks {part["digest"][:19]}')
        return found + [f'the name {name} is lost' for name in kept if not any(name in known for known in self.names(state))]

    def left_over(self, state):
        places = [f'{state}/images/ingest', f'{state}/images/layers/tmp']
        return [name for place in places if os.path.isdir(place) for name in os.listdir(place)]

    def fresh(self, base):
        state = self.state('trial')
        shutil.rmtree(state, ignore_errors=True)
        shutil.copytree(self.state(base), state, symlinks=True)
        return state

    def go_through(self, command, arguments, base='base', kept=('old:1', 'gone:1')):
        state, count_file = self.fresh(base), self.state('count')
        self.must(arguments, state, COUNT=count_file)
        wanted = self.names(state)
        with open(count_file) as file:
            count = int(file.read())
        for kind in ('kill', 'enospc', 'full'):
            for at in range(1, count + 1, self.options.step):
                state = self.fresh(base)
                done = self.run(arguments, state, AT=at, KIND=kind)
                self.faults += done.returncode != 0
                found = self.damage(state, kept)
                if kind != 'kill' and done.returncode != 0 and b'No space left' not in done.stderr:
                    found.append(f'a full disk is told as: {done.stderr.decode()[-200:]}')
                again = self.run(arguments, state)
                if self.names(state) != wanted:
                    found.append(f'afterwards {self.names(state)}, not {wanted}: {again.stderr.decode()[-200:]}')
                pruned = self.run(['prune'], state)
                if pruned.returncode != 0 or self.left_over(state):
                    found.append(f'prune leaves {self.left_over(state)} {pruned.stderr.decode()[-200:]}')
                found += self.damage(state, kept)
                self.problems += [f'{command}, {kind} at call {at} of {count}: {problem}' for problem in found]
        print(f'{command}: {count} calls')


def main():
    parser = argparse.ArgumentParser()
    for name in ('slipway', 'shim', 'registry', 'work'):
        parser.add_argument('--' + name, required=True)
    parser.add_argument('--step', type=int, default=1)
    trial = Trial(parser.parse_args())
    trial.go_through('build', ['build', '--quiet', trial.context, '-t', 'app:1'])
    trial.go_through('pull', ['image', 'pull', trial.image])
    trial.go_through('import', ['image', 'import', f'{trial.work}/app.tar', 'app:1'])
    trial.go_through('rm', ['image', 'rm', 'gone:1'], kept=['old:1'])
    trial.go_through('prune', ['prune', '--all'], base='prunable', kept=['old:1'])
    print(f'{trial.faults} commands broke off')
    if trial.faults < 20:
        sys.exit('hardly anything was disturbed')
    sys.exit('\n'.join(trial.problems) or 0)


main()
