import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { createAwsJson } from '../../../functions/platform/aws-json.ts';
import { withSources } from '../../../functions/platform/sources.ts';
import { serve } from '../../support/http-server.ts';

const SECRETS: Record<string, object> = {
  db: { SecretString: 'postgres://db\n' },
  redis: { SecretString: '{"url":"https://redis","token":"t"}' },
  '/maw/key': { Parameter: { Value: 'a key' } },
};
const asked: string[] = [];
const call = async (service: string, target: string, body: object) => {
  const { SecretId, Name } = body as { SecretId?: string; Name?: string };
  asked.push(`${service} ${target}`);
  return SECRETS[SecretId ?? Name ?? ''];
};

describe('variables that name their source', () => {
  it('are read from it, each source once', async () => {
    asked.length = 0;
    const named = {
      DATABASE_URL_FROM: 'secretsmanager:db',
      UPSTASH_REDIS_REST_URL_FROM: 'secretsmanager:redis#url',
      UPSTASH_REDIS_REST_TOKEN_FROM: 'secretsmanager:redis#token',
      SECRET_KEY_FROM: 'ssm:/maw/key',
      LOG_LEVEL: 'info',
    };

    expect(await withSources(named, call)).toEqual({
      ...named,
      DATABASE_URL: 'postgres://db',
      UPSTASH_REDIS_REST_URL: 'https://redis',
      UPSTASH_REDIS_REST_TOKEN: 't',
      SECRET_KEY: 'a key',
    });
    const [secret, parameter] = ['secretsmanager secretsmanager.GetSecretValue', 'ssm AmazonSSM.GetParameter'];
    expect(asked.toSorted()).toEqual([secret, secret, parameter]);
  });

  it('cause no request if all values are given', async () => {
    asked.length = 0;

    expect(await withSources({ DATABASE_URL: 'postgres://db' }, call)).toEqual({ DATABASE_URL: 'postgres://db' });
    expect(asked).toEqual([]);
  });

  it('are refused with what is accepted instead', async () => {
    const given = (text: string) => withSources({ A_FROM: text }, call);

    await expect(given('vault:db')).rejects.toThrow('A_FROM is vault:db; it must name a secret or parameter, such as secretsmanager:name');
    await expect(given('secretsmanager:redis#user')).rejects.toThrow('A: redis has no text in its field user');
  });
});

describe('a signed call', () => {
  const callAt = (endpoint: string) =>
    createAwsJson({ endpoint, region: 'eu-central-1', credentials: { accessKeyId: 'AKID', secretAccessKey: 'secret' } });

  it('carries its operation, its content and a signature for its service', async () => {
    const { endpoint } = await serve((request, response) => {
      void text(request).then((body) =>
        response.end(JSON.stringify({ body, target: request.headers['x-amz-target'], authorization: request.headers.authorization })),
      );
    });

    expect(await callAt(endpoint)('secretsmanager', 'secretsmanager.GetSecretValue', { SecretId: 'db' })).toEqual({
      body: '{"SecretId":"db"}',
      target: 'secretsmanager.GetSecretValue',
      authorization: expect.stringMatching(/^AWS4-HMAC-SHA256 Credential=AKID\/\d{8}\/eu-central-1\/secretsmanager\/aws4_request, /),
    });
  });

  it('that is refused throws an error with the reason', async () => {
    const { endpoint } = await serve((_, response) => response.writeHead(400).end('{"__type":"ResourceNotFoundException"}'));

    await expect(callAt(endpoint)('ssm', 'AmazonSSM.GetParameter', {})).rejects.toThrow(
      'AmazonSSM.GetParameter was refused with 400: {"__type":"ResourceNotFoundException"}',
    );
  });
});
