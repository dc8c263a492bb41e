import { addEntry, listEntries, Refused } from '../../../lib/backend.js';

export const dynamic = 'force-dynamic';

export async function GET() {
  return answer(async () => Response.json(await listEntries()));
}

/** Takes JSON from our own script and form data from a browser without it, which is sent back to the page. */
export async function POST(request) {
  return answer(async () => {
    if (request.headers.get('content-type')?.startsWith('application/json')) {
      const body = await request.json().catch(() => ({}));
      return Response.json(await addEntry(body?.text ?? ''), { status: 201 });
    }
    const form = await request.formData();
    await addEntry(form.get('text') ?? '');
    // Relative: behind a load balancer this process does not know its own name.
    return new Response(null, { status: 303, headers: { Location: '/' } });
  });
}

async function answer(work) {
  try {
    return await work();
  } catch (error) {
    const status = error instanceof Refused ? 422 : 502;
    return Response.json({ error: error.message }, { status });
  }
}
