import { release } from '../../../lib/release.js';

export const dynamic = 'force-dynamic';

/** Whether this process can serve. The backend has its own check: a frontend that can say "not now" is no reason to kill it. */
export function GET() {
  return Response.json({ status: 'ok', ...release() });
}
