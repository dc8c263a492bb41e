import { backendRelease } from '../../../lib/backend.js';
import { release } from '../../../lib/release.js';

export const dynamic = 'force-dynamic';

/** What runs here and behind: `{"frontend": {sha, environment}, "backend": {sha, environment} or null}`. */
export async function GET() {
  return Response.json({ frontend: release(), backend: await backendRelease().catch(() => null) });
}
