import type { EnrolmentSpec, Worker, WorkerSpec } from '../../../schema/worker.ts';
import { json, type Sql } from '../ports/sql.ts';
import { workerColumns } from '../workers/workers.sql.ts';

export const insertEnrolmentToken = async (sql: Sql, organizationId: string, spec: EnrolmentSpec, hash: Buffer) => {
  const [row] = await sql<[{ enrolment_token_id: string; expires_at: string }]>`
    insert into enrolment_tokens (organization_id, token_hash, tools, labels, owner_ids, expires_at)
    values (${organizationId}, ${hash}, ${json(spec.tools)}, ${json(spec.labels)}, ${spec.owner_ids ?? null}::uuid[],
      clock_timestamp() + make_interval(secs => ${spec.expires_in_seconds}))
    returning enrolment_token_id, expires_at`;
  return row;
};

export type LockedToken = {
  enrolment_token_id: string;
  organization_id: string;
  tools: string[];
  labels: Record<string, string>;
  owner_ids: string[] | null;
  used: boolean;
  expired: boolean;
};

export const lockEnrolmentToken = async (sql: Sql, hash: Buffer): Promise<LockedToken | null> => {
  const [token] = await sql<LockedToken[]>`
    select enrolment_token_id, organization_id, tools, labels, owner_ids, used_at is not null as used, expires_at < clock_timestamp() as expired
    from enrolment_tokens
    where token_hash = ${hash}
    for no key update`;
  return token ?? null;
};

/** The worker that registered with a token under this registration id, if the answer to it was lost. */
export const findRegistration = async (sql: Sql, tokenId: string, registrationId: string): Promise<Worker | null> => {
  const [worker] = await sql<Worker[]>`
    select ${workerColumns(sql)}
    from workers
    where enrolment_token_id = ${tokenId} and registration_id = ${registrationId} and deleted_at is null`;
  return worker ?? null;
};

export const insertWorker = async (sql: Sql, token: LockedToken, spec: WorkerSpec): Promise<Worker> => {
  const [worker] = await sql<[Worker]>`
    with used as (
      update enrolment_tokens set used_at = clock_timestamp() where enrolment_token_id = ${token.enrolment_token_id}
    )
    insert into workers (organization_id, enrolment_token_id, registration_id, name, machine_name, tools, labels, slots, owner_ids, agent_version)
    values (${token.organization_id}, ${token.enrolment_token_id}, ${spec.registration_id ?? null}, ${spec.name}, ${spec.machine_name},
      ${json(spec.tools)}, ${json(token.labels)}, ${spec.slots}, ${token.owner_ids}::uuid[], ${spec.agent_version})
    returning ${workerColumns(sql)}`;
  return worker;
};
