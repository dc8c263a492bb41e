import { once } from 'node:events';
import { createServer } from 'node:http';

/** Starts an HTTP server that answers with `handle(request, body)` -> [status, value], and points BACKEND_URL to it. */
export async function startBackend(t, handle) {
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const result = handle(request, body && JSON.parse(body));
    if (!result) return request.socket.destroy();
    const [status, value] = result;
    response.writeHead(status, { 'Content-Type': 'application/json' });
    return response.end(typeof value === 'string' ? value : JSON.stringify(value));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  process.env.BACKEND_URL = `http://127.0.0.1:${server.address().port}`;
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return server;
}
