#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Asks a registry, empty and open to all, what the OCI distribution specification 1.1 (and its main branch of 2026) promises a client.

usage: conformance.py HOST PORT

Written from the specification's text and RFC 9110's of ranges and conditions. Prints what does not hold; exit 0 when all does.
"""
import hashlib, http.client, json, random, socket, sys, threading

HOST, PORT = sys.argv[1], int(sys.argv[2])
MANIFEST, INDEX = 'application/vnd.oci.image.manifest.v1+json', 'application/vnd.oci.image.index.v1+json'
DOCKER, DOCKER_LIST = 'application/vnd.docker.distribution.manifest.v2+json', 'application/vnd.docker.distribution.manifest.list.v2+json'
NAME, CONFIG, BLOB = 'conf/one', b'{"architecture":"amd64","os":"linux"}', random.Random(1).randbytes(1000)
checks, failures = 0, []


def check(holds, what, got=''):
    global checks
    checks += 1
    if not holds:
        failures.append(f'{what}: {got}')


def ask(method, path, body=None, headers={}, chunked=False):
    connection = http.client.HTTPConnection(HOST, PORT, timeout=30)
    more = {'Transfer-Encoding': 'chunked'} if chunked else {}
    connection.request(method, path, body=iter(body) if chunked else body, headers={**headers, **more}, encode_chunked=chunked)
    answer = connection.getresponse()
    answer.body = answer.read()
    answer.place = answer.getheader('Location') or ''
    if answer.place.startswith('http'):
        answer.place = '/' + answer.place.split('/', 3)[3]
    connection.close()
    return answer


def expect(answer, status, what, code=None, **headers):
    check(answer.status == status, what, f'{answer.status}, not {status}: {answer.body[:120]}')
    for name, value in headers.items():
        name = name.replace('_', '-')
        check(answer.getheader(name) == value, f'{what}: {name}', f'{answer.getheader(name)}, not {value}')
    if code:
        try:
            said = json.loads(answer.body)['errors'][0]['code']
        except (ValueError, KeyError, IndexError):
            said = answer.body[:80]
        check(said == code, what, f'{said}, not {code}')
    return answer


def digest(content, algorithm='sha256'):
    return f'{algorithm}:{hashlib.new(algorithm, content).hexdigest()}'


def begin(name=NAME, query=''):
    return expect(ask('POST', f'/v2/{name}/blobs/uploads/{query}', headers={'Content-Length': '0'}), 202, f'POST {query}').place


def closing(place, content, algorithm='sha256'):
    return place + ('&' if '?' in place else '?') + 'digest=' + digest(content, algorithm)


def push(content, name=NAME, algorithm='sha256'):
    done = ask('PUT', closing(begin(name), content, algorithm), content, {'Content-Type': 'application/octet-stream'})
    return expect(done, 201, 'PUT of a blob', Docker_Content_Digest=digest(content, algorithm))


def describe(content, kind):
    return {'mediaType': kind, 'digest': digest(content), 'size': len(content)}


def manifest(layers=(BLOB,), kind=MANIFEST, config='application/vnd.oci.image.config.v1+json', **more):
    layers = [describe(layer, 'application/vnd.oci.image.layer.v1.tar+gzip') for layer in layers]
    return json.dumps({'schemaVersion': 2, 'mediaType': kind, 'config': describe(CONFIG, config), 'layers': layers, **more}, indent=1).encode()


def index(children, kind=INDEX, **more):
    return json.dumps({'schemaVersion': 2, 'mediaType': kind, 'manifests': children, **more}).encode()


def put(body, reference, kind=MANIFEST, name=NAME, **headers):
    return ask('PUT', f'/v2/{name}/manifests/{reference}', body, {**({'Content-Type': kind} if kind else {}), **headers})


def get(path, **headers):
    return ask('GET', f'/v2/{path}', headers={name.replace('_', '-'): value for name, value in headers.items()})


def ping():
    for path in ('/v2', '/v2/'):
        expect(ask('GET', path), 200, path, Docker_Distribution_API_Version='registry/2.0')
    expect(ask('POST', '/v2/'), 405, 'POST /v2/', 'UNSUPPORTED')


def uploads():
    place = push(BLOB).place
    check(ask('GET', place).body == BLOB, "a 201's Location", 'gives another content')
    other = BLOB[::-1]
    done = ask('POST', f'/v2/{NAME}/blobs/uploads/?digest={digest(other)}', other)
    check(done.status in (201, 202), 'single POST', done.status)
    expect(ask('POST', f'/v2/{NAME}/blobs/uploads/?digest={digest(b"x")}', b'y'), 400, 'single POST of another content', 'DIGEST_INVALID')
    push(b'')
    push(BLOB, algorithm='sha512')
    expect(ask('POST', f'/v2/{NAME}/blobs/uploads/?digest-algorithm=md5', b''), 400, 'an algorithm nobody has')
    place = begin()
    for bad in ('sha256:abc', 'md5:' + '0' * 32, 'sha256:' + 'A' * 64, ''):
        expect(ask('PUT', f'{place}?digest={bad}', b'x'), 400, f'digest {bad}', 'DIGEST_INVALID')
    expect(ask('PUT', closing(place, b'other'), b'x'), 400, 'PUT of another content', 'DIGEST_INVALID')
    expect(ask('HEAD', f'/v2/{NAME}/blobs/{digest(b"x")}'), 404, 'what was refused')
    place = begin()
    expect(ask('DELETE', place), 204, 'cancel')
    for method in ('GET', 'PATCH', 'DELETE'):
        expect(ask(method, place), 404, f'{method} after cancel', 'BLOB_UPLOAD_UNKNOWN')
    expect(ask('PATCH', begin().replace(NAME, 'conf/two'), b'x'), 404, "another repository's upload", 'BLOB_UPLOAD_UNKNOWN')
    for name in ('UPPER', '../etc', 'a//b', '-a', 'a' * 256, '%2e%2e/x'):
        expect(ask('POST', f'/v2/{name}/blobs/uploads/', b''), 400, f'name {name[:10]}', 'NAME_INVALID')
    begin('a' * 255)


def chunks():
    content = random.Random(2).randbytes(10_000)
    place = begin()
    expect(ask('GET', place), 204, 'status of nothing', Range='0-0')
    first = ask('PATCH', place, content[:4000], {'Content-Range': '0-3999'})
    expect(first, 202, 'first chunk', Range='0-3999')
    for start in (0, 3999, 5000):
        late = ask('PATCH', place, content[start:start + 100], {'Content-Range': f'{start}-{start + 99}'})
        expect(late, 416, f'chunk at {start}', Range='0-3999', Location=place)
    expect(ask('PUT', closing(place, content), content[9:], {'Content-Range': '9-9999'}), 416, 'closing chunk out of order', Range='0-3999')
    for bad in ('abc', '0-', '5-2', 'bytes=0-2x', '0-' + '9' * 30):
        check(ask('PATCH', place, b'abc', {'Content-Range': bad}).status in (400, 416), 'Content-Range ' + bad, 'was taken')
    expect(ask('PATCH', place, b'abc', {'Content-Range': '4000-4009'}), 400, 'a chunk that is shorter', 'SIZE_INVALID')
    expect(ask('GET', place), 204, 'status', Range='0-3999')
    expect(ask('PATCH', place, [content[4000:6000], content[6000:7000]], chunked=True), 202, 'a chunk without a length', Range='0-6999')
    with socket.create_connection((HOST, PORT)) as broken:  # a line that breaks in the middle of a body
        broken.sendall(f'PATCH {place} HTTP/1.1\r\nHost: x\r\nContent-Length: 3000\r\n\r\n'.encode() + content[7000:8000])
        broken.shutdown(socket.SHUT_WR)
        broken.recv(1000)
    size = int(ask('GET', place).getheader('Range').split('-')[1]) + 1
    check(7000 <= size <= 8000, 'after a broken line', size)
    expect(ask('PUT', closing(place, content), content[size:], {'Content-Range': f'{size}-9999'}), 201, 'resumed')
    check(get(f'{NAME}/blobs/{digest(content)}').body == content, 'content in chunks', 'differs')
    done = []
    writers = [threading.Thread(target=lambda: done.append(ask('PUT', closing(begin('cc'), content), content).status)) for _ in range(6)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    check(done == [201] * 6, 'the same blob from six at once', done)


def reads():
    path = f'{NAME}/blobs/{digest(BLOB)}'
    head = expect(ask('HEAD', '/v2/' + path), 200, 'HEAD', Content_Length='1000', Docker_Content_Digest=digest(BLOB), Accept_Ranges='bytes')
    for wanted, part in {'bytes=0-9': (0, 10), 'bytes=990-': (990, 1000), 'bytes=-10': (990, 1000), 'bytes=990-5000': (990, 1000),
                         'bytes=-5000': (0, 1000), 'Bytes=5-5': (5, 6)}.items():
        answer = expect(get(path, Range=wanted), 206, wanted, Content_Range=f'bytes {part[0]}-{part[1] - 1}/1000')
        check(answer.body == BLOB[part[0]:part[1]], wanted, 'another part')
    for wanted in ('bytes=1000-', 'bytes=-0', 'bytes=5000-10000'):
        expect(get(path, Range=wanted), 416, wanted, Content_Range='bytes */1000')
    for wanted in ('items=0-1', 'bytes=abc'):
        check(expect(get(path, Range=wanted), 200, wanted).body == BLOB, wanted, 'not all')
    tag = head.getheader('ETag')
    for wanted, status in {tag: 304, 'W/' + tag: 304, '*': 304, f'"x", {tag}': 304, '"x"': 200}.items():
        expect(get(path, If_None_Match=wanted), status, f'If-None-Match {wanted[:8]}')
    expect(get(path, Range='bytes=0-9', If_Range='"x"'), 200, 'If-Range of another')
    expect(get(f'{NAME}/blobs/{digest(b"none")}'), 404, 'a blob that is not there', 'BLOB_UNKNOWN')
    expect(get(f'never/here/blobs/{digest(BLOB)}'), 404, 'a repository that is not there', 'NAME_UNKNOWN')
    expect(get(f'{NAME}/blobs/sha256:zz'), 400, 'a malformed digest', 'DIGEST_INVALID')


def mounts():
    push(BLOB, 'm/source')
    for query in (f'mount={digest(BLOB)}&from=m/source', f'from=m%2Fsource&mount={digest(BLOB).replace(":", "%3A")}&origin=x'):
        done = ask('POST', '/v2/m/target/blobs/uploads/?' + query, b'')
        expect(done, 201, query, Docker_Content_Digest=digest(BLOB))
        check(ask('GET', done.place).body == BLOB, query, 'gives another content')
    for query in (f'mount={digest(b"none")}&from=m/source', f'mount={digest(BLOB)}&from=no/such', f'mount={digest(BLOB)}&from=..'):
        begin('m/other', '?' + query)
    check(ask('POST', f'/v2/m/third/blobs/uploads/?mount={digest(BLOB)}', b'').status in (201, 202), 'mount without from', 'refused')
    expect(get(f'm/other/blobs/{digest(BLOB)}'), 404, 'what was not mounted')


def manifests():
    push(CONFIG)
    body = manifest()
    done = expect(put(body, 'v1'), 201, 'PUT', Docker_Content_Digest=digest(body), OCI_Subject=None)
    for path in (done.place, f'/v2/{NAME}/manifests/v1'):
        answer = expect(ask('GET', path, headers={'Accept': 'x/y'}), 200, path, Content_Type=MANIFEST, Docker_Content_Digest=digest(body))
        check(answer.body == body, path, 'not byte for byte')
        expect(ask('HEAD', path), 200, 'HEAD', Content_Type=MANIFEST, Content_Length=str(len(body)), Docker_Content_Digest=digest(body))
    expect(put(body, digest(body, 'sha512')), 201, 'by sha512', Docker_Content_Digest=digest(body, 'sha512'))
    expect(put(body, digest(b'other')), 400, 'by another digest', 'DIGEST_INVALID')
    expect(put(body, 'sha256:zz'), 400, 'by a malformed digest', 'DIGEST_INVALID')
    expect(put(body, f'{digest(body)}?tag=t1&tag=t2'), 201, 'with tags', OCI_Tag='t1, t2')
    expect(get(f'{NAME}/manifests/t2'), 200, 'a tag that came with a digest')
    expect(put(body, 'v1', MANIFEST + '; charset=utf-8'), 201, 'parameters of a type')
    for kind in (INDEX, 'text/plain'):
        expect(put(body, 'bad', kind), 400, 'called ' + kind, 'MANIFEST_INVALID')
    broken = {b'': 'nothing', b'{': 'half', b'[]': 'a list', b'{}': 'an empty object', b'{"schemaVersion":1,"fsLayers":[]}': 'schema 1',
              b'[' * 100_000: 'depth', body + b'x': 'more behind', body.replace(b'sha256', b'sha257'): 'an unknown algorithm',
              body.replace(b'"size": 1000', b'"size": 1001'): 'a wrong size', body.replace(b'"size": 1000', b'"size": -1'): 'a negative size',
              manifest(manifests=[]): 'both kinds'}
    for content, what in broken.items():
        expect(put(content, 'bad'), 400, what, 'MANIFEST_INVALID')
    expect(put(manifest([b'absent']), 'bad'), 400, 'an absent layer', 'MANIFEST_BLOB_UNKNOWN')
    expect(put(index([describe(b'absent', MANIFEST)]), 'bad', INDEX), 400, 'an absent image', 'MANIFEST_BLOB_UNKNOWN')
    expect(get(f'{NAME}/manifests/bad'), 404, 'what was refused', 'MANIFEST_UNKNOWN')
    foreign = {'mediaType': 'application/vnd.oci.image.layer.nondistributable.v1.tar', 'digest': digest(b'far'), 'size': 3}
    expect(put(manifest(somethingElse=[1]), 'odd'), 201, 'unknown fields')
    content = json.loads(body)
    content['layers'].append(foreign)
    expect(put(json.dumps(content).encode(), 'foreign'), 201, 'a layer from elsewhere')
    docker = manifest(kind=DOCKER)
    listed, nested = index([describe(docker, DOCKER)], DOCKER_LIST), index([describe(index([describe(body, MANIFEST)]), INDEX)])
    for content, kind in ((manifest([]), MANIFEST), (docker, DOCKER), (listed, DOCKER_LIST), (index([describe(body, MANIFEST)]), INDEX),
                          (nested, INDEX), (index([]), INDEX)):
        expect(ask('GET', expect(put(content, 'kinds', kind), 201, kind).place), 200, kind, Content_Type=kind)
    expect(put(manifest(annotations={'a': 'x' * (4 << 20)}), 'big'), 413, 'more than 4 MiB', 'SIZE_INVALID')
    expect(put(manifest(annotations={'a': 'x' * 4_000_000}), 'big'), 201, 'nearly 4 MB')
    expect(put(body, 'v1', **{'If-None-Match': '*'}), 412, 'a tag that must be new')
    for tag in ('.bad', '-bad', 'a' * 129, 'a%20b', 'sha256:zz'):
        expect(get(f'{NAME}/manifests/{tag}'), 404, f'GET of tag {tag[:8]}')
        check(put(body, tag).status in (400, 404), f'PUT of tag {tag[:8]}', 'was taken')
    expect(put(body, 'a' * 128), 201, 'a tag of 128')
    expect(ask('POST', f'/v2/{NAME}/manifests/v1', body), 405, 'POST', 'UNSUPPORTED')


def referrers():
    subject = describe(manifest(), MANIFEST)
    path = f'{NAME}/referrers/{subject["digest"]}'
    sbom = manifest(subject=subject, artifactType='application/x.sbom', annotations={'k': 'v'})
    signature, listed = manifest([], config='application/x.sig', subject=subject), index([], subject=subject)
    for content, kind in ((sbom, MANIFEST), (signature, MANIFEST), (listed, INDEX)):
        expect(put(content, digest(content), kind), 201, 'a referrer', OCI_Subject=subject['digest'])
    answer = expect(get(path), 200, 'referrers', Content_Type=INDEX, OCI_Filters_Applied=None)
    found = {entry['digest']: entry for entry in json.loads(answer.body)['manifests']}
    check(found[digest(sbom)] == {**describe(sbom, MANIFEST), 'artifactType': 'application/x.sbom', 'annotations': {'k': 'v'}}, 'sbom', found)
    check(found[digest(signature)]['artifactType'] == 'application/x.sig', "the configuration's type stands in", found)
    check('artifactType' not in found[digest(listed)], 'an index without a type', found)
    answer = expect(get(path + '?artifactType=application%2Fx.sig'), 200, 'filter', OCI_Filters_Applied='artifactType')
    check([entry['digest'] for entry in json.loads(answer.body)['manifests']] == [digest(signature)], 'filtered', answer.body)
    early = manifest([], subject=describe(b'later', MANIFEST))
    expect(put(early, 'early'), 201, 'before its subject', OCI_Subject=digest(b'later'))
    for known in (NAME, 'never/here'):
        answer = expect(get(f'{known}/referrers/{digest(b"nobody")}'), 200, f'nobody refers in {known}')
        check(json.loads(answer.body).get('manifests') == [], 'nobody', answer.body)
    expect(get(f'{NAME}/referrers/sha256:zz'), 400, 'referrers of a malformed digest', 'DIGEST_INVALID')
    expect(ask('DELETE', f'/v2/{NAME}/manifests/{digest(sbom)}'), 202, 'DELETE of a referrer')
    check(digest(sbom).encode() not in get(path).body, 'a deleted referrer', 'is listed')


def tags_and_deletes():
    name, body = 'tags/repo', manifest()
    names = sorted(['a', 'B', 'c1', 'c10', 'c2', '_z', 'latest'])
    push(CONFIG, name)
    check(json.loads(get(f'{name}/tags/list').body)['tags'] == [], 'no tags', 'not an empty list')
    push(BLOB, name)
    for tag in names:
        expect(put(body, tag, name=name), 201, tag)
    answer = expect(get(f'{name}/tags/list'), 200, 'tags', Link=None, Content_Type='application/json')
    check(json.loads(answer.body) == {'name': name, 'tags': names}, 'tags', answer.body)
    pages, path = [], f'/v2/{name}/tags/list?n=3'
    while path:
        answer = ask('GET', path)
        pages.append(json.loads(answer.body)['tags'])
        link = answer.getheader('Link')
        check(link is None or link.endswith('; rel="next"'), 'Link', link)
        path = link[1:link.index('>')] if link else None
    check(sum(pages, []) == names and [len(page) for page in pages] == [3, 3, 1], 'pages', pages)
    for query, wanted in {'n=0': [], 'last=c1': names[names.index('c1') + 1:], 'n=1&last=bb': ['c1'], 'n=1000000000': names}.items():
        answer = get(f'{name}/tags/list?{query}')
        check(json.loads(answer.body)['tags'] == wanted, query, answer.body)
    for bad in ('n=-1', 'n=x', 'n=99999999999999999999'):
        expect(get(f'{name}/tags/list?{bad}'), 400, bad)
    expect(get('never/here/tags/list'), 404, 'tags of nothing', 'NAME_UNKNOWN')
    catalog = json.loads(get('_catalog').body)['repositories']
    check(catalog == sorted(catalog) and name in catalog and len(json.loads(get('_catalog?n=2').body)['repositories']) == 2, 'catalog', catalog)
    expect(ask('DELETE', f'/v2/{name}/manifests/a'), 202, 'DELETE of a tag')
    expect(ask('DELETE', f'/v2/{name}/manifests/a'), 404, 'DELETE of no tag', 'MANIFEST_UNKNOWN')
    expect(get(f'{name}/manifests/{digest(body)}'), 200, 'a tag went, its manifest')
    expect(ask('DELETE', f'/v2/{name}/manifests/{digest(body)}'), 202, 'DELETE of a manifest')
    for reference in ('B', digest(body)):
        expect(get(f'{name}/manifests/{reference}'), 404, 'a deleted manifest', 'MANIFEST_UNKNOWN')
    expect(ask('DELETE', f'/v2/{name}/blobs/{digest(BLOB)}'), 202, 'DELETE of a blob')
    expect(ask('DELETE', f'/v2/{name}/blobs/{digest(BLOB)}'), 404, 'DELETE of no blob', 'BLOB_UNKNOWN')
    expect(put(body, 'again', name=name), 400, 'a manifest of a deleted blob', 'MANIFEST_BLOB_UNKNOWN')
    expect(get(f'{NAME}/blobs/{digest(BLOB)}'), 200, "another repository's")
    expect(ask('DELETE', '/v2/never/here/manifests/x'), 404, 'DELETE in no repository', 'NAME_UNKNOWN')


for part in (ping, uploads, chunks, reads, mounts, manifests, referrers, tags_and_deletes):
    part()
print(f'{checks} checks, {len(failures)} do not hold')
sys.exit('\n'.join(failures) or 0)
