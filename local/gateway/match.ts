import type { Route } from '../../schema/route.ts';
import { allRoutes } from '../../schema/routes.ts';

export type Match = { route: Route; params: Record<string, string> };

const fixed = new Map(allRoutes.filter(({ path }) => !path.includes('{')).map((route) => [`${route.method} ${route.path}`, route]));

const patterned = allRoutes.filter(({ path }) => path.includes('{')).map((route) => ({ route, segments: route.path.split('/') }));

const read = (pattern: readonly string[], segments: readonly string[]): Record<string, string> | null => {
  if (pattern.length !== segments.length) return null;
  const params: Record<string, string> = {};
  for (const [at, wanted] of pattern.entries()) {
    const given = segments[at] ?? '';
    if (!wanted.startsWith('{')) {
      if (wanted !== given) return null;
    } else if (given === '') return null;
    else params[wanted.slice(1, -1)] = given;
  }
  return params;
};

/** The API Gateway route of a request; null for `$default`. */
export const matchRoute = (method: string, path: string): Match | null => {
  const known = fixed.get(`${method} ${path}`);
  if (known) return { route: known, params: {} };
  const segments = path.split('/');
  for (const { route, segments: pattern } of patterned) {
    if (route.method !== method) continue;
    const params = read(pattern, segments);
    if (params) return { route, params };
  }
  return null;
};
