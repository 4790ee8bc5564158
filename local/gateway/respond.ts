import type { ServerResponse } from 'node:http';
import type { APIGatewayProxyResultV2 } from 'aws-lambda';

/** An error of the gateway itself, in the form of the API's errors. */
export const sendProblem = (response: ServerResponse, status: number, code: string, detail: string) => {
  const problem = { type: `urn:multi-agent-on-the-web:error:${code}`, title: detail, status, detail, code, errors: [], request_id: '' };
  const body = JSON.stringify(problem);
  response.writeHead(status, {
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(body),
    connection: 'close',
  });
  response.end(body);
};

/** Sends what a handler returned, as API Gateway does: a plain value becomes a JSON body with status 200. */
export const sendResult = (response: ServerResponse, result: APIGatewayProxyResultV2, withoutBody: boolean) => {
  const structured = typeof result === 'object' && 'statusCode' in result ? result : { statusCode: 200, body: JSON.stringify(result) };
  const bytes = Buffer.from(structured.body ?? '', structured.isBase64Encoded ? 'base64' : 'utf8');
  const headers: Record<string, string | string[]> = { 'content-type': 'application/json' };
  for (const [name, value] of Object.entries(structured.headers ?? {})) headers[name.toLowerCase()] = String(value);
  if (structured.cookies?.length) headers['set-cookie'] = structured.cookies;
  if (structured.statusCode === 304 || structured.statusCode === 204) delete headers['content-type'];
  else headers['content-length'] = String(bytes.length);
  response.writeHead(structured.statusCode ?? 200, headers);
  response.end(withoutBody ? undefined : bytes);
};
