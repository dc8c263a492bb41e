#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""slipway build beside dockerd's BuildKit, buildah, skopeo and docker-registry: medians, all stores on tmpfs.

usage: bench/build.py SLIPWAY [--runs 3] [--only NAME,…] [--peers docker,buildah] [--contexts DIR]

Needs root, docker.io, buildah, skopeo, docker-registry, nginx (./dev setup; CRANE names a crane, where there is one), and the case writer shared/cases/build/make_bench.py beside the
repository (or SLIPWAY_CASES). Starts its own dockerd (no bridge, no iptables) and registries, and ends them.
"""
import argparse, hashlib, json, os, pathlib, random, re, shutil, signal, statistics, subprocess, sys, tempfile, time, urllib.request

REPO = pathlib.Path(__file__).resolve().parent.parent
CASES = pathlib.Path(os.environ.get('SLIPWAY_CASES', REPO.parent / 'shared/cases'))


def free_port():
    import socket
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def cpu_of(pid):
    """Seconds of processor that a process has used."""
    fields = open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


class Bench:
    def __init__(self, options):
        self.options, self.rows, self.children = options, [], []
        self.work = pathlib.Path(tempfile.mkdtemp(prefix='slipway-bench-'))
        self.call(['mount', '-t', 'tmpfs', '-o', 'size=16g', 'tmpfs', self.work])
        # Where /run is on a disk: the peers' run directories are in self.work, ours is here.
        pathlib.Path('/run/slipway').mkdir(exist_ok=True)
        self.call(['mount', '-t', 'tmpfs', 'tmpfs', '/run/slipway'])
        self.slipway = str(pathlib.Path(options.slipway).resolve())
        self.peers = [peer for peer in options.peers.split(',') if peer]

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
        self.restart_registry('peer-registry')
        self.own = f'127.0.0.1:{self.own_port}'
        self.restart_own_registry()
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

    def restart_registry(self, place):
        """docker-registry at the same address, on another directory: it has nothing. What it had goes."""
        if hasattr(self, 'peer_registry'):
            self.peer_registry.terminate()
            self.peer_registry.wait(20)
            shutil.rmtree(self.peer_storage)
        config = self.work / 'registry.yml'
        config.write_text(f'version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {self.work}/{place}}}, delete: {{enabled: true}}}}\n'
                          f'http: {{addr: "{self.registry}"}}\n')
        self.peer_storage = self.work / place
        self.peer_storage.mkdir()
        self.peer_registry = self.start(['docker-registry', 'serve', config], f'curl -fs http://{self.registry}/v2/')

    def restart_own_registry(self):
        """Slipway's registry at the same address: it has nothing."""
        if hasattr(self, 'own_registry'):
            self.own_registry.terminate()
            self.own_registry.wait(20)
            shutil.rmtree(self.work / 'own-registry')
        self.own_registry = self.start([self.slipway, 'registry', 'serve', '--state', self.work / 'own', '--listen', self.own, '--root', self.work / 'own-registry'],
                                       f'curl -fs http://{self.own}/v2/')

    def make_base_archive(self):
        data = (self.work / 'busybox.tar').read_bytes()
        config = json.dumps({'architecture': 'amd64', 'os': 'linux', 'config': {'Cmd': ['sh']},
                             'rootfs': {'type': 'layers', 'diff_ids': ['sha256:' + hashlib.sha256(data).hexdigest()]}}).encode()
        folder = self.work / 'archive'
        folder.mkdir()
        (folder / 'config.json').write_bytes(config)
        (folder / 'layer.tar').write_bytes(data)
        (folder / 'manifest.json').write_text(json.dumps([{'Config': 'config.json', 'RepoTags': ['busybox:latest'], 'Layers': ['layer.tar']}]))
        self.call(['tar', '-C', folder, '-cf', self.work / 'base.tar', 'manifest.json', 'config.json', 'layer.tar'])

    def build(self, who, name, cold, tag=None, push=None, options=()):
        context, tag = self.work / 'ctx' / name, tag or f'bench/{name}:1'
        if who == 'slipway':
            argv = [self.slipway, 'build', '--quiet', '--state', self.work / 'state', context, '-t', push or tag]
            return self.call(argv + [*options] + (['--no-cache'] if cold else []) + (['--push'] if push else []), timed=True)
        if who in ('docker', 'bridged'):
            docker = self.docker if who == 'docker' else self.bridged
            if cold:
                self.call(docker + ['rmi', '-f', tag], check=False)
                self.call(docker + ['builder', 'prune', '-af'])
            network = ['--network', 'host'] if who == 'docker' else []
            took = self.call(docker + ['build', *network, *options, '-q', '-t', push or tag, context], {'DOCKER_BUILDKIT': '1'}, timed=True)
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

    def start_bridged(self):
        """A dockerd as it comes, with its bridge, in a network namespace of its own, which takes the bridge with it."""
        socket = f'unix://{self.work}/bridged.sock'
        self.start(['unshare', '-m', '-n', 'sh', '-c', 'ip link set lo up; exec dockerd "$@"', 'sh', '-H', socket, '--data-root', self.work / 'bridged',
                    '--exec-root', self.work / 'bridged-exec', '-p', self.work / 'bridged.pid', '--storage-driver=overlay2'],
                   f'/usr/bin/docker -H {socket} version')
        self.bridged = ['/usr/bin/docker', '-H', socket]
        self.call(self.bridged + ['load', '-i', self.work / 'base.tar'])

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

    def medians(self, work, more=()):
        """work(who) -> {what: seconds}; the builders take turns."""
        seen = {}
        for _ in range(self.options.runs):
            for who in ['slipway', *self.peers, *more]:
                for what, took in work(who).items():
                    seen.setdefault(what, {}).setdefault(who, []).append(took)
        return {what: {who: statistics.median(v) for who, v in by.items()} for what, by in seen.items()}

    def runs40(self):
        if 'docker' in self.peers:
            self.start_bridged()
        more = ['bridged'] if 'docker' in self.peers else []
        seen = self.medians(lambda who: {'cold': self.build(who, 'runs40', True), 'again': self.build(who, 'runs40', False)}, more)
        self.row('40 RUN steps: cold', 's', seen['cold'], 0.06, 'bridged')
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
            self.count = getattr(self, 'count', 0) + 1
            self.restart_registry(f'data2g-{self.count}')  # nothing of it is there
            took = self.build(who, 'data2g', True, push=f'{self.registry}/data2g-{who}:1')
            if who == 'docker':
                self.call(self.docker + ['rmi', '-f', f'{self.registry}/data2g-docker:1'])
                self.call(self.docker + ['builder', 'prune', '-af'])
            elif who == 'buildah':
                self.call(self.buildah + ['rmi', '-f', 'bench/data2g:1'])
            return {'cold': took}
        seen = self.medians(work)['cold']
        best = min(value for who, value in seen.items() if who != 'slipway') if len(seen) > 1 else None
        if best:
            seen['best'] = best
        self.row('2 GiB built and pushed: cold', 's', seen, 0.15, 'best')
        child = subprocess.Popen([self.slipway, 'build', '--quiet', '--no-cache', '--state', str(self.work / 'state'), str(self.work / 'ctx/data2g'), '-t',
                                  f'{self.registry}/data2g-memory:1', '--push'], stdout=subprocess.DEVNULL)
        peak = os.wait4(child.pid, 0)[2].ru_maxrss / 1024
        print(f'{"2 GiB built and pushed: peak of memory":<46} slipway {peak:.0f} MiB   at most 200: {"yes" if peak <= 200 else "NO"}', flush=True)

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
        used, into_peer, crane = {}, {}, os.environ.get('CRANE') or shutil.which('crane')
        # Debian has no crane. Where both were measured it took 0.63 of skopeo's time (1.35 and 2.15 s).
        peer, of_peer = ('crane', 1) if crane else ('skopeo', 0.63)
        pushes = {'slipway': lambda target: [self.slipway, 'image', 'push', '--state', self.work / 'state', 'ready:1', target],
                  'skopeo': lambda target: ['skopeo', 'copy', '-q', '--dest-tls-verify=false', f'oci:{layout}', f'docker://{target}'],
                  'crane': lambda target: [crane, 'push', '--insecure', layout, target]}
        if not crane:
            del pushes['crane']
        for place, name, share in ((self.registry, 'docker-registry', 0.85), (self.own, "slipway's registry", 0.7)):
            times, spent = {}, []
            for n in range(self.options.runs):
                for who, argv in pushes.items():  # each into a registry that has nothing
                    self.restart_registry(f'ready-{n}-{who}') if place == self.registry else self.restart_own_registry()
                    server = self.peer_registry if place == self.registry else self.own_registry
                    before = cpu_of(server.pid)
                    times.setdefault(who, []).append(self.call(argv(f'{place}/ready{n}{who}:1'), timed=True))
                    if who == peer:
                        spent.append(cpu_of(server.pid) - before)
            used[name] = statistics.median(spent)
            medians = {who: statistics.median(t) for who, t in times.items()}
            into_peer = medians if name == 'docker-registry' else into_peer  # what the second share is of as well
            self.row(f'500 MB in 5 ready layers to {name}', 's', {**medians, 'into docker-registry': into_peer[peer]}, round(share * of_peer, 2), 'into docker-registry')
        ours = used["slipway's registry"]
        share = ours / used['docker-registry']
        print(f'{f"a push of 500 MB by {peer}: the registry":<44} slipway {ours:.3f}  docker-registry {used["docker-registry"]:.3f} s of processor   '
              f'{share:.2f} x, at most 0.35: {"yes" if share <= 0.35 else "NO"}', flush=True)

    def nextjs(self):
        """The example's frontend: cold, one source file changed, from a registry's cache on a fresh machine, pushed."""
        context, base = self.work / 'ctx/nextjs', f'{self.registry}/library/node:20-bookworm-slim'
        shutil.copytree(REPO / 'examples/fullstack/frontend', context, ignore=shutil.ignore_patterns('node_modules', '.next'))
        images = pathlib.Path(os.environ.get('XDG_CACHE_HOME', pathlib.Path.home() / '.cache')) / 'slipway/base-images'
        self.call([REPO / 'tools/base-images', images])
        seed = ['skopeo', 'copy', '-q', '--dest-tls-verify=false', f'oci:{images}/node-20-bookworm-slim', f'docker://{base}']
        self.call(seed)
        dockerfile = context / 'Dockerfile'
        dockerfile.write_text(dockerfile.read_text().replace('FROM node:20-bookworm-slim', f'FROM {base}'))
        self.call([self.slipway, 'image', 'pull', '--state', self.work / 'state', base])
        if 'docker' in self.peers:
            self.call(self.docker + ['pull', '-q', base])
        if 'buildah' in self.peers:
            self.call(self.buildah + ['pull', '-q', '--tls-verify=false', f'docker://{base}'])
        page = next((context / 'app').glob('page.*'))

        def work(who):
            seen = {'cold': self.build(who, 'nextjs', True, f'bench/nextjs-{who}:1')}
            page.write_text(page.read_text() + f'\n// {random.random()}\n')
            seen['one'] = self.build(who, 'nextjs', False, f'bench/nextjs-{who}:1')
            return seen
        seen = self.medians(work)
        cold, one = self.own_commands(context), self.own_commands(context, 'npm run build')
        self.row('Next.js app: cold', 's', {**seen['cold'], 'its commands': cold}, round(cold + 1, 2), 'seconds')
        self.row('Next.js app: one source file changed', 's', {**seen['one'], 'its commands': one}, round(one + 1, 2), 'seconds')
        self.nextjs_pushed()
        self.call(seed)
        self.nextjs_from_cache(context)

    def own_commands(self, context, only=''):
        """Seconds that the RUN steps' own commands take inside slipway's containers; of those named `only`. Median."""
        timed = self.work / 'timed.Dockerfile'
        timed.write_text(re.sub(r'^RUN (.*)$', r'RUN b=$(date +%s%N); \1 && echo "own=$(( $(date +%s%N) - b )) \1"', (context / 'Dockerfile').read_text(), flags=re.M))
        took = []
        for _ in range(self.options.runs):
            text = self.call([self.slipway, 'build', '--no-cache', '--progress', 'plain', '--state', self.work / 'state', '-f', timed, context])
            took.append(sum(int(n) / 1e9 for n, command in re.findall(r'own=(\d+) (.*)', text) if only in command))
        return statistics.median(took)

    def nextjs_pushed(self):
        """The image is ready in each builder; the registry has nothing of it."""
        times = {}
        for n in range(self.options.runs):
            for who in ['slipway', *self.peers]:
                self.restart_registry(f'pushed-{n}-{who}')
                target = f'{self.registry}/nextjs:1'
                if who == 'slipway':
                    argv = [self.slipway, 'build', '--quiet', '--state', self.work / 'state', self.work / 'ctx/nextjs', '-t', target, '--push']
                elif who == 'docker':
                    self.call(self.docker + ['tag', 'bench/nextjs-docker:1', target])
                    argv = self.docker + ['push', '-q', target]
                else:
                    argv = self.buildah + ['push', '-q', '--tls-verify=false', 'bench/nextjs-buildah:1', f'docker://{target}']
                times.setdefault(who, []).append(self.call(argv, timed=True))
        self.row('Next.js image: built (found) and pushed, cold', 's', {who: statistics.median(t) for who, t in times.items()}, 1, 'seconds')

    def nextjs_from_cache(self, context):
        """A builder that has nothing, a registry that has the cache; the base image is named by that registry as well."""
        times, state = {}, self.work / 'fresh-state'
        cache = f'{self.registry}/nextjs-cache'
        self.call([self.slipway, 'build', '--quiet', '--state', self.work / 'state', context, '--cache-to', f'type=registry,ref={cache}:slipway,mode=max'])
        if 'docker' in self.peers:
            self.call(self.docker + ['build', '--network', 'host', '-q', '--build-arg', 'BUILDKIT_INLINE_CACHE=1', '-t', f'{cache}:docker', context], {'DOCKER_BUILDKIT': '1'})
            self.call(self.docker + ['push', '-q', f'{cache}:docker'])
        for _ in range(self.options.runs):
            shutil.rmtree(state, ignore_errors=True)
            argv = [self.slipway, 'build', '--quiet', '--state', state, context, '--cache-from', f'type=registry,ref={cache}:slipway']
            times.setdefault('slipway', []).append(self.call(argv, timed=True))
            if 'docker' in self.peers:
                self.call(self.docker + ['rmi', '-f'] + self.call(self.docker + ['images', '-q', '-a']).split(), check=False)
                self.call(self.docker + ['builder', 'prune', '-af'])
                argv = self.docker + ['build', '--network', 'host', '-q', '--cache-from', f'{cache}:docker', '-t', 'bench/fresh:1', context]
                times.setdefault('docker', []).append(self.call(argv, {'DOCKER_BUILDKIT': '1'}, timed=True))
        if 'docker' in self.peers:
            self.call(self.docker + ['load', '-i', self.work / 'base.tar'])  # for the cases after this one
        self.row('Next.js app: fresh, a registry has the cache', 's', {who: statistics.median(t) for who, t in times.items()}, 0.3, 'seconds')

    def served(self):
        """What the registries serve: requests a second of small answers, blobs beside nginx, memory at rest."""
        seen = {}
        for who, place in (('docker-registry', self.registry), ('slipway', self.own)):
            self.call([self.slipway, 'image', 'push', '--state', self.work / 'state', 'busybox:latest', f'{place}/small:1'])
            for what, path in (('/v2/', '/v2/'), ('a manifest', '/v2/small/manifests/1')):
                runs = [self.load(f'http://{place}{path}', accept=True) for _ in range(self.options.runs)]
                seen.setdefault(what, {})[who] = statistics.median(runs)
        for what, values in seen.items():
            share = values['slipway'] / values['docker-registry']
            print(f'{"registry: " + what:<46} slipway {values["slipway"]:.0f}  docker-registry {values["docker-registry"]:.0f} requests/s   '
                  f'{share:.1f} x, at least 10: {"yes" if share >= 10 else "NO"}', flush=True)
        files, port = self.work / 'files', free_port()
        files.mkdir()
        config = self.work / 'nginx.conf'
        config.write_text(f'worker_processes auto; daemon off; pid {self.work}/nginx.pid; error_log {self.work}/nginx.log;\nevents {{}}\n'
                          f'http {{ access_log off; sendfile on; tcp_nopush on; server {{ listen 127.0.0.1:{port}; root {files}; }} }}\n')
        (files / 'ready').write_text('yes')
        files.chmod(0o755)
        self.work.chmod(0o755)
        self.start(['nginx', '-c', config], f'curl -fs http://127.0.0.1:{port}/ready')
        for size in (1, 64):
            data = random.Random(size).randbytes(size << 20)
            digest = 'sha256:' + hashlib.sha256(data).hexdigest()
            (files / f'blob{size}').write_bytes(data)
            place = urllib.request.urlopen(urllib.request.Request(f'http://{self.own}/v2/small/blobs/uploads/?digest={digest}', data, method='POST'))
            assert place.status == 201
            ours, nginx = [], []
            for _ in range(self.options.runs):
                ours.append(self.load(f'http://{self.own}/v2/small/blobs/{digest}', connections=8))
                nginx.append(self.load(f'http://127.0.0.1:{port}/blob{size}', connections=8))
            ours, nginx = statistics.median(ours), statistics.median(nginx)
            print(f'{f"registry: blobs of {size} MiB":<46} slipway {ours * size:.0f}  nginx {nginx * size:.0f} MiB/s   '
                  f'{ours / nginx:.2f} x, at least 0.8: {"yes" if ours / nginx >= 0.8 else "NO"}', flush=True)
        idle = free_port()
        child = self.start([self.slipway, 'registry', 'serve', '--state', self.work / 'idle', '--listen', f'127.0.0.1:{idle}', '--root', self.work / 'idle-registry'],
                           f'curl -fs http://127.0.0.1:{idle}/v2/')
        resident = int(re.search(r'VmRSS:\s+(\d+)', open(f'/proc/{child.pid}/status').read()).group(1)) / 1024
        print(f'{"registry: memory at rest":<46} slipway {resident:.1f} MiB   at most 20: {"yes" if resident <= 20 else "NO"}', flush=True)

    def load(self, url, accept=False, connections=32):
        headers = ['-H', 'Accept: application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json'] if accept else []
        text = self.call(['wrk', '-t', '1', '-c', str(connections), '-d', '4', '--timeout', '10s', *headers, url])
        if 'Non-2xx' in text or 'Socket errors' in text:
            raise SystemExit(f'{url}: {text}')
        return float(re.search(r'Requests/sec:\s+([\d.]+)', text).group(1))


def main():
    if 'BENCH_INSIDE' not in os.environ:  # its mounts are seen by nobody else, and end with it
        os.environ['BENCH_INSIDE'] = '1'
        os.execvp('unshare', ['unshare', '--mount', '--propagation', 'private', sys.executable, *sys.argv])
    parser = argparse.ArgumentParser()
    parser.add_argument('slipway')
    parser.add_argument('--runs', type=int, default=3)
    parser.add_argument('--only', default='runs40,graph12,files30k,data2g,nextjs,ready,served')
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
