import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openPool } from '../../../functions/platform/pool.ts';
import { createRdsToken } from '../../../functions/platform/rds-token.ts';

const HOST = 'db.cluster-x.eu-central-1.rds.amazonaws.com';
const credentials = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  sessionToken: 'a/session=token',
};

describe('a token for RDS', () => {
  it('is identical to that of the signer in the AWS SDK', async () => {
    const token = createRdsToken({ region: 'eu-central-1', credentials });

    expect(await token({ hostname: HOST, port: 5432, user: 'postgres' }, new Date('2026-01-02T03:04:05Z'))).toBe(
      `${HOST}:5432/?Action=connect&DBUser=postgres&X-Amz-Algorithm=AWS4-HMAC-SHA256` +
        '&X-Amz-Credential=AKIDEXAMPLE%2F20260102%2Feu-central-1%2Frds-db%2Faws4_request&X-Amz-Date=20260102T030405Z&X-Amz-Expires=900' +
        '&X-Amz-Security-Token=a%2Fsession%3Dtoken' +
        '&X-Amz-Signature=1e68c97594627ad39619d6971a3a1f8fefaf01d3a04f5e3399fdc9c1c8ca44cd&X-Amz-SignedHeaders=host',
    );
  });
});

describe('a database with auth=iam', () => {
  it('gets no data without TLS, so that the token cannot be intercepted', async () => {
    let sent = Buffer.alloc(0);
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (bytes) => {
        sent = Buffer.concat([sent, bytes]);
        socket.write('N'); // no TLS here
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const sql = openPool(`postgres://postgres@127.0.0.1:${(server.address() as AddressInfo).port}/postgres?auth=iam`);

    await expect(sql`select 1`).rejects.toThrow(/SSL/);

    expect(sent).toEqual(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])); // the request for TLS, and nothing after it
    await sql.end();
  });
});
