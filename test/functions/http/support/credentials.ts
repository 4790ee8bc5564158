import { SignJWT } from 'jose';
import { deriveKey } from '../../../../functions/platform/worker-tokens.ts';
import { isCaller, type Route, SCOPES } from '../../../../schema/route.ts';
import type { Sample } from './samples.ts';
import { abroad, type World } from './world.ts';

export type Answered = readonly [status: number, code: string];
/** An Authorization header, and the response of an operation to it; null if it is the right one. */
export type Credential = {
  what: string;
  header(world: World, route: Route, sample: Sample): Promise<string | undefined>;
  answer(route: Route): Answered | null;
};

const UNAUTHENTICATED = [401, 'unauthenticated'] as const;
const FORBIDDEN = [403, 'forbidden'] as const;

const kind = ({ access }: Route) => (isCaller(access) ? 'caller' : access);
const literal = (what: string, header: string | undefined): Credential => ({
  what,
  header: async () => header,
  answer: () => UNAUTHENTICATED,
});

/** A credential of the right kind is checked itself; one of another kind is refused for its kind. */
const judged =
  (its: 'caller' | 'worker' | 'enrolment', answer: Answered | null) =>
  (route: Route): Answered | null =>
    kind(route) === its ? answer : FORBIDDEN;

type Claims = { alg?: string; typ?: string; issuer?: string; audience?: string; life?: string; secret?: string };
const SECRET = 'a secret for tests that is long enough';

/** A valid worker credential, except for the given claims. */
const forge = async (world: World, claims: Claims) => {
  const { worker_id } = await world.worker();
  const [{ organization_id }] = await world.backend.ctx.sql<[{ organization_id: string }]>`
    select organization_id from workers where worker_id = ${worker_id}`;
  return new SignJWT({ organization_id })
    .setProtectedHeader({ alg: claims.alg ?? 'HS256', typ: claims.typ ?? 'worker+jwt' })
    .setIssuer(claims.issuer ?? 'multi-agent-on-the-web')
    .setAudience(claims.audience ?? 'worker-api')
    .setSubject(worker_id)
    .setIssuedAt()
    .setExpirationTime(claims.life ?? '1h')
    .sign(deriveKey(claims.secret ?? SECRET, 'worker-credentials'));
};

const forged = (what: string, claims: Claims): Credential => ({
  what: `a worker's credential ${what}`,
  header: async (world) => `Bearer ${await forge(world, claims)}`,
  answer: () => UNAUTHENTICATED,
});

const unsigned = async (world: World) => {
  const [, payload] = (await forge(world, {})).split('.');
  return `Bearer ${Buffer.from('{"alg":"none","typ":"worker+jwt"}').toString('base64url')}.${payload}.`;
};

const bearer = (token: string | undefined) => `Bearer ${token}`;

const revokedKey = async (world: World) => {
  const { api_key, api_key_id } = await world.apiKey();
  await world.admin.ok.revokeApiKey({ params: { api_key_id } });
  return bearer(api_key);
};

const usedToken = async (world: World) => {
  const token = await world.enrolmentToken();
  await world.backend.as(token).ok.registerWorker({ body: { name: 'first', machine_name: 'm', tools: ['exec'] } });
  return bearer(token);
};

const expiredToken = async (world: World) => {
  const { enrolment_token, enrolment_token_id } = await world.admin.ok.createEnrolmentToken({ body: { tools: ['exec'] } });
  await world.backend.ctx.sql`
    update enrolment_tokens set expires_at = clock_timestamp() - interval '1 second' where enrolment_token_id = ${enrolment_token_id}`;
  return bearer(enrolment_token);
};

/** The worker of a sample, identified by its credential. */
export const workerIdOf = ({ token }: Sample): string => {
  const payload = JSON.parse(Buffer.from(token?.split('.')[1] ?? '', 'base64url').toString()) as { sub: string };
  return payload.sub;
};

const removedWorker = async (world: World, route: Route, sample: Sample) => {
  const { credential, worker_id } = await world.worker();
  const speaker = kind(route) === 'worker' ? workerIdOf(sample) : worker_id;
  await world.admin.ok.deleteWorker({ params: { worker_id: speaker } });
  return bearer(kind(route) === 'worker' ? sample.token : credential);
};

const otherScopes = async (world: World, route: Route) =>
  bearer((await world.backend.newKey({ scopes: SCOPES.filter((scope) => scope !== route.access) })).key);

/** Every wrong credential of an operation. */
export const CREDENTIALS: readonly Credential[] = [
  literal('nothing', undefined),
  literal('an empty header', ''),
  literal('another scheme', 'Basic YWRtaW46YWRtaW4='),
  literal('no token after the scheme', 'Bearer '),
  literal('two tokens', 'Bearer mak_one mak_two'),
  literal('a token that is not ASCII', 'Bearer ключ'),
  literal('a token that is too long', `Bearer ${'a'.repeat(2_001)}`),
  literal('a token that is no token', 'Bearer nonsense'),
  { what: 'an unknown API key', header: async () => bearer(`mak_${'a'.repeat(43)}`), answer: judged('caller', UNAUTHENTICATED) },
  { what: 'a revoked API key', header: revokedKey, answer: judged('caller', UNAUTHENTICATED) },
  { what: 'an API key without the scope', header: otherScopes, answer: () => FORBIDDEN },
  { what: "a worker's credential", header: async (world) => bearer((await world.worker()).credential), answer: judged('worker', null) },
  { what: 'the credential of a removed worker', header: removedWorker, answer: judged('worker', [401, 'worker_revoked']) },
  { what: "a worker's credential without signature", header: unsigned, answer: () => UNAUTHENTICATED },
  forged('signed with another secret', { secret: 'another secret of more than thirty-two characters' }),
  forged('that has expired', { life: '-1s' }),
  forged('for another audience', { audience: 'person-api' }),
  forged('from another issuer', { issuer: 'someone' }),
  forged('of another type', { typ: 'JWT' }),
  { what: 'an enrolment token', header: async (world) => bearer(await world.enrolmentToken()), answer: judged('enrolment', null) },
  {
    what: 'an unknown enrolment token',
    header: async () => bearer(`mae_${'a'.repeat(43)}`),
    answer: judged('enrolment', [401, 'enrolment_refused']),
  },
  { what: 'a used enrolment token', header: usedToken, answer: judged('enrolment', [401, 'enrolment_refused']) },
  { what: 'an expired enrolment token', header: expiredToken, answer: judged('enrolment', [401, 'enrolment_refused']) },
];

/** The objects of another organization, by the name of the parameter. */
export const foreignIds = async (world: World): Promise<Record<string, string>> => {
  const there = await abroad(world);
  const { artifact_id, params, worker, it } = await there.stored();
  const { api_key_id } = await there.apiKey();
  return { task_id: it.task_id, subtask_id: params.subtask_id, worker_id: worker.worker_id, artifact_id, api_key_id };
};
