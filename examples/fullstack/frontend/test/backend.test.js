import assert from 'node:assert/strict';
import { test } from 'node:test';

import { addEntry, BackendUnavailable, listEntries } from '../lib/backend.js';
import { startBackend } from './fake-backend.js';

test('reading survives a connection that breaks once', async (t) => {
  let requests = 0;
  await startBackend(t, () => {
    requests += 1;
    return requests === 1 ? null : [200, []];
  });
  assert.deepEqual(await listEntries(), []);
  assert.equal(requests, 2);
});

test('an entry that may have arrived is not sent twice', async (t) => {
  let requests = 0;
  await startBackend(t, () => {
    requests += 1;
    return null;
  });
  await assert.rejects(addEntry('hello'), BackendUnavailable);
  assert.equal(requests, 1);
});

test('a backend that is not there is said to be unavailable', async (t) => {
  const server = await startBackend(t, () => [200, []]);
  server.close();
  await assert.rejects(listEntries(), /the backend does not answer/);
});
