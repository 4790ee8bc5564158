import { randomBytes, randomUUID } from 'node:crypto';
import { APIGatewayProxyEventV2Schema } from '@aws-lambda-powertools/parser/schemas/api-gatewayv2';
import { describe, expect, it } from 'vitest';
import { gatewayForTest } from './support/gateway.ts';

const json = { 'content-type': 'application/json' };

describe('an event of the local gateway', () => {
  it.each([
    ['a bare request', '/', {}, undefined],
    ['an unknown address', '/nowhere', {}, undefined],
    ['a query', '/api/v1/tasks?q=a&q=b&limit=1', {}, undefined],
    ['a JSON body', '/api/v1/tasks', { method: 'POST', headers: json }, '{"goal":"x"}'],
    ['bytes', '/api/v1/tasks', { method: 'POST', headers: { 'content-type': 'image/png' } }, randomBytes(64)],
    ['cookies', '/', { headers: { cookie: 'a=1; b=2' } }, undefined],
    ['HEAD', '/', { method: 'HEAD' }, undefined],
    ['OPTIONS', '/api/v1/tasks', { method: 'OPTIONS', headers: { origin: 'https://app.example' } }, undefined],
  ] as const)('of %s matches the published schema', async (_, path, given, body) => {
    const { eventOf } = await gatewayForTest();

    const event = await eventOf(path, given, body);

    expect(APIGatewayProxyEventV2Schema.parse(event)).toEqual(event);
    expect(event.requestContext.time).toMatch(/^\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000$/);
  });

  it('names its route and the parameters of its path', async () => {
    const { eventOf } = await gatewayForTest();
    const id = randomUUID();

    const event = await eventOf(`/api/v1/tasks/${id}/cancel`, { method: 'POST' });

    expect(event.routeKey).toBe('POST /api/v1/tasks/{task_id}/cancel');
    expect(event.requestContext.routeKey).toBe(event.routeKey);
    expect(event.pathParameters).toEqual({ task_id: id });
  });

  it('goes to the Lambda of its route, and without a route to person-api by $default', async () => {
    const { eventOf, served } = await gatewayForTest();

    const routes = [
      await eventOf(`/api/v1/workers/${randomUUID()}/claim`, { method: 'POST' }),
      await eventOf('/api/v1/tasks'),
      await eventOf('/api/v1/tasks/'),
      await eventOf('/api/v1/nowhere'),
      await eventOf('/api/v1/tasks', { method: 'HEAD' }),
      await eventOf(`/api/v1/tasks/${randomUUID()}`, { method: 'PUT' }),
    ].map((event) => event.routeKey);

    expect(routes).toEqual([expect.stringMatching(/claim$/), 'GET /api/v1/tasks', '$default', '$default', '$default', '$default']);
    expect(served).toEqual(['worker-api', ...Array.from({ length: 5 }, () => 'person-api')]);
  });

  it('has decoded path and parameters, and the raw query beside its values', async () => {
    const { eventOf } = await gatewayForTest();

    const event = await eventOf('/api/v1/tasks/%E4%BB%BB%20x?q=caf%C3%A9+noir&empty=&bare');

    expect(event.rawPath).toBe('/api/v1/tasks/任 x');
    expect(event.requestContext.http.path).toBe(event.rawPath);
    expect(event.pathParameters).toEqual({ task_id: '任 x' });
    expect(event.rawQueryString).toBe('q=caf%C3%A9+noir&empty=&bare');
    expect(event.queryStringParameters).toEqual({ q: 'café noir', empty: '', bare: '' });
  });

  it('joins repeated parameters and headers with commas, in their order', async () => {
    const { eventOf } = await gatewayForTest();

    const event = await eventOf('/api/v1/tasks?q=b&x=1&q=a&q=b', { headers: { 'X-Many': ['one', 'two'], Authorization: ['a', 'b'] } });

    expect(event.queryStringParameters).toEqual({ q: 'b,a,b', x: '1' });
    expect(event.headers).toMatchObject({ 'x-many': 'one,two', authorization: 'a,b' });
  });

  it('has lowercase header names, and cookies separately', async () => {
    const { eventOf } = await gatewayForTest();

    const event = await eventOf('/', { headers: { 'X-Mixed-CASE': 'Kept As It Is', Cookie: 'a=1; b=two=2' } });

    expect(event.headers['x-mixed-case']).toBe('Kept As It Is');
    expect(Object.keys(event.headers).filter((name) => name !== name.toLowerCase() || name === 'cookie')).toEqual([]);
    expect(event.cookies).toEqual(['a=1', 'b=two=2']);
  });

  it.each(['application/json', 'application/problem+json; charset=utf-8', 'text/plain', 'application/x-www-form-urlencoded'])(
    'has a body of %s as text',
    async (type) => {
      const { eventOf } = await gatewayForTest();

      const event = await eventOf('/api/v1/tasks', { method: 'POST', headers: { 'content-type': type } }, 'ö, 任務');

      expect(event).toMatchObject({ body: 'ö, 任務', isBase64Encoded: false });
    },
  );

  it.each(['application/octet-stream', 'image/png'])('has a body of %s in Base64, byte for byte', async (type) => {
    const { eventOf } = await gatewayForTest();
    const bytes = randomBytes(1_000);

    const event = await eventOf('/api/v1/tasks', { method: 'POST', headers: { 'content-type': type } }, bytes);

    expect(event.isBase64Encoded).toBe(true);
    expect(Buffer.from(event.body ?? '', 'base64')).toEqual(bytes);
  });

  it('has neither body nor parameters nor cookies if there are none', async () => {
    const { eventOf } = await gatewayForTest();

    const event = await eventOf('/', {});

    expect(event).not.toHaveProperty('body');
    expect(event).not.toHaveProperty('queryStringParameters');
    expect(event).not.toHaveProperty('pathParameters');
    expect(event).not.toHaveProperty('cookies');
  });
});
