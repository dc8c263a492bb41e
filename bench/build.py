#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""slipway build beside dockerd's BuildKit, buildah, skopeo and docker-registry: medians, all stores on tmpfs.

usage: bench/build.py SLIPWAY [--runs 3] [--only NAME,…] [--peers docker,buildah] [--contexts DIR]

Needs root, docker.io, buildah, skopeo, docker-registry (./dev setup), and the case writer shared/cases/build/make_bench.py beside the
repository (or SLIPWAY_CASES). Starts its own dockerd (no bridge, no iptables) and registries, and ends them.
"""
import argparse, json, os, pathlib, random, shutil, signal, statistics, subprocess, sys, tarfile, tempfile, time

REPO = pathlib.Path(__file__).resolve().parent.parent
CASES = pathlib.Path(os.environ.get('SLIPWAY_CASES', REPO.parent / 'shared/cases'))


def free_port():
    import socket
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


class Bench:
    def __init__(self, options):
        self.options, self.rows, self.children = options, [], []
        self.work = pathlib.Path(tempfile.mkdtemp(prefix='slipway-bench-'))
        self.call(['mount', '-t', 'tmpfs', '-o', 'size=16g', 'tmpfs', self.work])
        self.slipway = str(pathlib.Path(options.slipway).resolve())
        self.peers = options.peers.split(',')

    def call(self, argv, env=None, timed=False, check=True):
        begin, before = time.monotonic(), os.times()
        done = subprocess.run([str(a) for a in argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, **(env or {})})
        took = time.monotonic() - begin
        if check and done.returncode != 0:
            raise SystemExit(f'{argv}: {done.stdout.decode()[-2000:]}')
        return took if timed else done.stdout.decode()

    def start(self, argv, ready, env=None):
        log = open(self.work / f'child-{len(self.children)}.log', 'w')
        child = subprocess.Popen([str(a) for a in argv], stdout=log, stderr=log, env={**os.environ, **(env or {})})
        self.children.append(child)
        for _ in range(200):
            if subprocess.run(ready, shell=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0:
                return child
            time.sleep(0.1)
        raise SystemExit(f'{argv[0]} does not answer: {open(log.name).read()[-1000:]}')

    def end(self):
        for child in reversed(self.children):
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
        subprocess.run(['umount', '-l', str(self.work)])
        os.rmdir(self.work)

    # The peers. Each builds context -> tag; cold forgets what it built before.
    def prepare(self):
        self.call([sys.executable, CASES / 'build/make_bench.py', self.work / 'ctx', 'busybox:latest'])
        base = self.work / 'busybox'
        (base / 'bin').mkdir(parents=True)
        shutil.copy('/bin/busybox', base / 'bin/busybox')
        for name in subprocess.check_output([base / 'bin/busybox', '--list'], text=True).split():
            if name != 'busybox':
                os.symlink('busybox', base / 'bin' / name)
        (base / 'etc').mkdir()
        (base / 'etc/passwd').write_text('root:x:0:0:root:/root:/bin/sh\n')
        self.call(['tar', '-C', base, '-cf', self.work / 'busybox.tar', '.'])
        self.registry_port, self.own_port = free_port(), free_port()
        self.registry = f'127.0.0.1:{self.registry_port}'
        config = self.work / 'registry.yml'
        config.write_text(f'version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {self.work}/peer-registry}}, delete: {{enabled: true}}}}\n'
                          f'http: {{addr: "{self.registry}"}}\n')
        self.start(['docker-registry', 'serve', config], f'curl -fs http://{self.registry}/v2/')
        self.own = f'127.0.0.1:{self.own_port}'
        self.start([self.slipway, 'registry', 'serve', '--state', self.work / 'own', '--listen', self.own, '--root', self.work / 'own-registry'],
                   f'curl -fs http://{self.own}/v2/')
        self.socket = f'unix://{self.work}/docker.sock'
        if 'docker' in self.peers:
            self.start(['unshare', '-m', 'dockerd', '-H', self.socket, '--data-root', self.work / 'docker', '--exec-root', self.work / 'docker-exec', '-p',
                        self.work / 'docker.pid', '--bridge=none', '--iptables=false', '--storage-driver=overlay2'],
                       f'/usr/bin/docker -H {self.socket} version')
        self.docker = ['/usr/bin/docker', '-H', self.socket]
        if 'docker' in self.peers:
            self.call(self.docker + ['import', '-c', 'CMD ["sh"]', self.work / 'busybox.tar', 'busybox:latest'])
            self.call(self.docker + ['save', '-o', self.work / 'base.tar', 'busybox:latest'])
        else:
            self.make_base_archive()
        self.call([self.slipway, 'image', 'import', '--state', self.work / 'state', self.work / 'base.tar'])
        self.buildah = ['buildah', '--root', self.work / 'buildah', '--runroot', self.work / 'buildah-run', '--storage-driver', 'overlay']
        if 'buildah' in self.peers:
            self.call(['unshare', '-m', 'sh', '-c', 'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$@"', 'sh'] + self.buildah +
                      ['pull', f'docker-archive:{self.work}/base.tar'])

    def make_base_archive(self):
        import hashlib
        data = (self.work / 'busybox.tar').read_bytes()
        config = json.dumps({'architecture': 'amd64', 'os': 'linux', 'config': {'Cmd': ['sh']},
                             'rootfs': {'type': 'layers', 'diff_ids': ['sha256:' + hashlib.sha256(data).hexdigest()]}}).encode()
        folder = self.work / 'archive'
        folder.mkdir()
        (folder / 'config.json').write_bytes(config)
        (folder / 'layer.tar').write_bytes(data)
        (folder / 'manifest.json').write_text(json.dumps([{'Config': 'config.json', 'RepoTags': ['busybox:latest'], 'Layers': ['layer.tar']}]))
        self.call(['tar', '-C', folder, '-cf', self.work / 'base.tar', 'manifest.json', 'config.json', 'layer.tar'])

    def build(self, who, name, cold, tag=None, push=None):
        context, tag = self.work / 'ctx' / name, tag or f'bench/{name}:1'
        if who == 'slipway':
            argv = [self.slipway, 'build', '--quiet', '--state', self.work / 'state', context, '-t', push or tag]
            return self.call(argv + (['--no-cache'] if cold else []) + (['--push'] if push else []), timed=True)
        if who == 'docker':
            if cold:
                self.call(self.docker + ['rmi', '-f', tag], check=False)
                self.call(self.docker + ['builder', 'prune', '-af'])
            took = self.call(self.docker + ['build', '--network', 'host', '-q', '-t', push or tag, context], {'DOCKER_BUILDKIT': '1'}, timed=True)
            if push:
                self.split = (took, self.call(self.docker + ['push', '-q', push], timed=True))
                took = sum(self.split)
            return took
        argv = ['unshare', '-m', 'sh', '-c', 'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$@"', 'sh'] + self.buildah + [
            'bud', '-q', '--network', 'host', '--layers', '--pull-never', '-t', tag] + (['--no-cache'] if cold else []) + [context]
        took = self.call(argv, timed=True)
        if push:
            took += self.call(self.buildah + ['push', '-q', '--tls-verify=false', tag, f'docker://{push}'], timed=True)
        return took

    def row(self, name, unit, values, limit=None, of='docker'):
        ours = values['slipway']
        text = '  '.join(f'{who} {value:.3f}' for who, value in values.items())
        verdict = ''
        if limit is not None and of == 'seconds':
            verdict = f'at most {limit} s: {"yes" if ours <= limit else "NO"}'
        elif limit is not None and of in values:
            share = ours / values[of]
            verdict = f'{share:.2f} x {of}, at most {limit}: {"yes" if share <= limit else "NO"}'
        print(f'{name:<44} {text} {unit}   {verdict}', flush=True)
        self.rows.append((name, values, limit))

    def medians(self, work):
        """work(who) -> {what: seconds}; the builders take turns."""
        seen = {}
        for _ in range(self.options.runs):
            for who in ['slipway'] + self.peers:
                for what, took in work(who).items():
                    seen.setdefault(what, {}).setdefault(who, []).append(took)
        return {what: {who: statistics.median(v) for who, v in by.items()} for what, by in seen.items()}

    def runs40(self):
        seen = self.medians(lambda who: {'cold': self.build(who, 'runs40', True), 'again': self.build(who, 'runs40', False)})
        self.row('40 RUN steps: cold', 's', seen['cold'], 0.25)  # of the host network's; 0.06 of the bridge's
        self.row('40 RUN steps: nothing changed', 's', seen['again'], 0.2)

    def graph12(self):
        seen = self.medians(lambda who: {'cold': self.build(who, 'graph12', True)})
        self.row('12 stages (critical path 3 s): cold', 's', seen['cold'], 3.2, 'seconds')

    def files30k(self):
        place = self.work / 'ctx/files30k/ctx/changed.js'

        def work(who):
            cold = self.build(who, 'files30k', True)
            again = self.build(who, 'files30k', False)
            place.write_text(f'{random.random()}\n')
            return {'cold': cold, 'again': again, 'one': self.build(who, 'files30k', False)}
        seen = self.medians(work)
        self.row('30,000 files: cold', 's', seen['cold'], 0.16)
        self.row('30,000 files: nothing changed', 's', seen['again'], 0.2)
        self.row('30,000 files: one file changed', 's', seen['one'], 0.17)

    def data2g(self):
        def work(who):
            self.count = getattr(self, 'count', 0) + 1  # a repository of its own: nothing of it is there
            return {'cold': self.build(who, 'data2g', True, push=f'{self.registry}/data2g-{who}-{self.count}:1')}
        seen = self.medians(work)['cold']
        best = min(value for who, value in seen.items() if who != 'slipway') if len(seen) > 1 else None
        if best:
            seen['best'] = best
        self.row('2 GiB built and pushed: cold', 's', seen, 0.15, 'best')

    def ready(self):
        """500 MB in 5 ready layers, pushed."""
        layout = self.work / 'layout'
        if not layout.exists():
            context = self.work / 'ctx/ready'
            context.mkdir()
            rnd = random.Random(3)
            text = 'FROM scratch\n'
            for n in range(5):
                (context / f'f{n}').write_bytes(rnd.randbytes(100_000_000))
                text += f'COPY f{n} /\n'
            (context / 'Dockerfile').write_text(text)
            self.call([self.slipway, 'build', '--quiet', '--state', self.work / 'state', context, '-t', 'ready:1', '-o', f'type=oci,dest={layout}/'])
        for place, name in ((self.registry, 'docker-registry'), (self.own, "slipway's registry")):
            times = {'slipway': [], 'skopeo': []}
            for n in range(self.options.runs):
                for who in times:
                    target = f'{place}/ready{n}{who}:1'
                    if who == 'slipway':
                        argv = [self.slipway, 'image', 'push', '--state', self.work / 'state', 'ready:1', target]
                    else:
                        argv = ['skopeo', 'copy', '-q', '--dest-tls-verify=false', f'oci:{layout}', f'docker://{target}']
                    times[who].append(self.call(argv, timed=True))
            self.row(f'500 MB in 5 ready layers to {name}', 's', {who: statistics.median(t) for who, t in times.items()}, 0.55, 'skopeo')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('slipway')
    parser.add_argument('--runs', type=int, default=3)
    parser.add_argument('--only', default='runs40,graph12,files30k,data2g,ready')
    parser.add_argument('--peers', default='docker,buildah')
    options = parser.parse_args()
    bench = Bench(options)
    try:
        bench.prepare()
        for name in options.only.split(','):
            getattr(bench, name)()
    finally:
        bench.end()


main()
