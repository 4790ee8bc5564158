import { PRODUCT } from '../../schema/product.ts';
import type { Route } from '../../schema/route.ts';
import { allRoutes } from '../../schema/routes.ts';
import { errorCodes, openapi } from './openapi.ts';

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escape = (text: string) => text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');

const STYLE = `
:root{color-scheme:light dark;--line:#8884;--soft:#8882;--accent:#2563eb}
body{font:16px/1.5 system-ui,sans-serif;margin:0;display:grid;grid-template-columns:17rem minmax(0,1fr)}
nav{position:sticky;top:0;height:100vh;overflow:auto;border-right:1px solid var(--line);padding:1rem;box-sizing:border-box}
main{padding:1rem 2rem 6rem;max-width:60rem}
nav a{display:block;color:inherit;text-decoration:none;padding:.1rem .3rem;border-radius:.3rem;font-size:.9rem}nav a:hover{background:var(--soft)}
h3{margin:2.5rem 0 .3rem;scroll-margin-top:1rem}code,pre{font:14px/1.45 ui-monospace,monospace}
.method{display:inline-block;min-width:4.2rem;font-weight:700;color:var(--accent)}
pre{background:var(--soft);border-radius:.4rem;padding:.7rem;overflow:auto;max-height:28rem}summary{cursor:pointer}
table{border-collapse:collapse;width:100%}td{border-top:1px solid var(--line);padding:.25rem .6rem .25rem 0;vertical-align:top}
@media(max-width:50rem){body{display:block}nav{position:static;height:auto}main{padding:1rem}}`;

type Operation = {
  parameters: { name: string; in: string; description?: string; required: boolean }[];
  requestBody?: { content: object };
} & Record<string, unknown>;

const details = (title: string, schema: unknown) =>
  `<details><summary>${title}</summary><pre>${escape(JSON.stringify(schema, null, 2))}</pre></details>`;

const table = (rows: readonly (readonly string[])[]) =>
  rows.length === 0 ? '' : `<table>${rows.map((row) => `<tr>${row.map((cell) => `<td>${cell}</td>`).join('')}</tr>`).join('')}</table>`;

const section = (route: Route): string => {
  const operation = openapi('').paths[route.path]?.[route.method.toLowerCase()] as Operation;
  const parameters = operation.parameters.map((it) => [
    `<code>${escape(it.name)}</code>`,
    `${it.in}${it.required ? ', required' : ''}`,
    escape(it.description ?? ''),
  ]);
  const errors = [...errorCodes(route)]
    .toSorted(([a], [b]) => a - b)
    .map(([status, codes]) => [String(status), codes.map((code) => `<code>${code}</code>`).join(' ')]);
  const responses = operation.responses as Record<string, { content: Record<string, { schema: unknown }> }>;
  return `<h3 id="${route.name}">${escape(route.summary)}</h3>
<p><code><span class="method">${route.method}</span>${escape(route.path)}</code></p>
<p>Access: <code>${route.access}</code></p>
${table(parameters)}
${operation.requestBody ? details('Request body', operation.requestBody.content) : ''}
${details(`Response ${route.status}`, responses[route.status]?.content)}
<details><summary>Errors</summary>${table(errors)}</details>`;
};

const build = () => {
  const groups = [...Map.groupBy(allRoutes, (route) => route.tag)];
  const links = groups.map(
    ([tag, routes]) => `<strong>${tag}</strong>${routes.map((it) => `<a href="#${it.name}">${it.name}</a>`).join('')}`,
  );
  const sections = groups.map(([tag, routes]) => `<h2>${tag}</h2>${routes.map(section).join('')}`);
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${PRODUCT.app} API</title><style>${STYLE}</style></head><body><nav><p><strong>${PRODUCT.app}</strong> ${PRODUCT.version}</p>
<p><a href="/openapi.json">openapi.json</a></p>${links.join('')}</nav><main><h1>API</h1>
<p>JSON over HTTP. Callers send <code>Authorization: Bearer mak_…</code>. Errors are problem details (RFC 9457) with a <code>code</code>.
Lists return <code>next_cursor</code>. Mutating operations accept an <code>Idempotency-Key</code>.</p>${sections.join('')}</main></body></html>`;
};

let page: string | undefined;

/** The API reference as one self-contained page. */
export const docsPage = (): string => (page ??= build());
