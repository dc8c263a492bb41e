import assert from 'node:assert/strict';
import { test } from 'node:test';

import { GET, POST } from '../app/api/entries/route.js';
import { startBackend } from './fake-backend.js';

const first = { id: 1, text: 'hello', created_at: '2025-01-02T03:04:05Z' };
const post = (body, type) =>
  POST(new Request('http://app/api/entries', { method: 'POST', body, headers: { 'Content-Type': type } }));

test('the entries of the backend are passed on', async (t) => {
  await startBackend(t, (request) => [200, request.url === '/entries' ? [first] : []]);
  const answer = await GET();
  assert.equal(answer.status, 200);
  assert.deepEqual(await answer.json(), [first]);
});

test('an entry sent as JSON reaches the backend', async (t) => {
  const received = [];
  await startBackend(t, (request, body) => {
    received.push([request.method, body]);
    return [201, first];
  });
  const answer = await post('{"text": "hello"}', 'application/json');
  assert.equal(answer.status, 201);
  assert.deepEqual(await answer.json(), first);
  assert.deepEqual(received, [['POST', { text: 'hello' }]]);
});

test('a plain form leads back to the page', async (t) => {
  const received = [];
  await startBackend(t, (request, body) => {
    received.push(body);
    return [201, first];
  });
  const answer = await post('text=hello+world', 'application/x-www-form-urlencoded');
  assert.equal(answer.status, 303);
  assert.equal(answer.headers.get('location'), '/');
  assert.deepEqual(received, [{ text: 'hello world' }]);
});

test('what the backend refuses is refused with its reason', async (t) => {
  await startBackend(t, () => [422, { detail: [{ msg: 'the text is empty' }] }]);
  const answer = await post('{"text": ""}', 'application/json');
  assert.equal(answer.status, 422);
  assert.deepEqual(await answer.json(), { error: 'the text is empty' });
});

test('a broken backend is a bad gateway', async (t) => {
  await startBackend(t, () => [500, { detail: 'secret trace' }]);
  const answer = await GET();
  assert.equal(answer.status, 502);
  assert.deepEqual(await answer.json(), { error: 'the backend answered 500' });
});

test('an answer that is no JSON is a bad gateway', async (t) => {
  await startBackend(t, () => [200, '<html>']);
  assert.equal((await GET()).status, 502);
});
