import assert from 'node:assert/strict';
import { test } from 'node:test';

import { GET as health } from '../app/api/health/route.js';
import { GET as releases } from '../app/api/release/route.js';
import { release } from '../lib/release.js';
import { startBackend } from './fake-backend.js';

test('the release comes from the environment', () => {
  assert.deepEqual(release({ RELEASE_SHA: 'abc', ENVIRONMENT: 'staging' }), { sha: 'abc', environment: 'staging' });
});

test('outside a deployment the release has a name all the same', () => {
  assert.deepEqual(release({}), { sha: 'unknown', environment: 'development' });
});

test('health does not ask the backend', async () => {
  delete process.env.BACKEND_URL;
  const answer = await health();
  assert.equal(answer.status, 200);
  assert.equal((await answer.json()).status, 'ok');
});

test('both releases are shown', async (t) => {
  await startBackend(t, () => [200, { sha: 'def', environment: 'staging' }]);
  const body = await (await releases()).json();
  assert.equal(body.frontend.sha, 'unknown');
  assert.equal(body.backend.sha, 'def');
});

test('a release of a backend that does not answer is null', async (t) => {
  await startBackend(t, () => [503, {}]);
  assert.equal((await (await releases()).json()).backend, null);
});
