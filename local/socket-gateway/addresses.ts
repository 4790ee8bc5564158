import type { IncomingMessage } from 'node:http';

export const pathOf = (request: IncomingMessage) => (request.url ?? '/').split('?', 1)[0] ?? '/';

/** The connection that a request to `@connections` names; the SDK prepends the path of its endpoint. */
export const idOf = (path: string, stagePath: string): string | null => {
  const rest = path.startsWith(`${stagePath}/@connections/`) ? path.slice(stagePath.length) : path;
  const [, id = ''] = /^\/@connections\/([^/]+)$/.exec(rest) ?? [];
  try {
    return id === '' ? null : decodeURIComponent(id);
  } catch {
    return null;
  }
};

/** `$request.body.action`, if it is one of the routes. */
export const routeOf = (text: string, routes: readonly string[]): string => {
  if (routes.length === 0) return '$default';
  try {
    const body = JSON.parse(text) as { action?: unknown } | null;
    return typeof body?.action === 'string' && routes.includes(body.action) ? body.action : '$default';
  } catch {
    return '$default';
  }
};
