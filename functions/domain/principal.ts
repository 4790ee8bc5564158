import type { Scope } from '../../schema/route.ts';

/** A client that may submit and manage tasks: the holder of an API key. User accounts and roles will use the same type. */
export type Caller = {
  kind: 'caller';
  organization_id: string;
  principal_id: string;
  owner_id: string;
  scopes: readonly Scope[];
};
export type WorkerIdentity = { worker_id: string; organization_id: string };
export type WorkerPrincipal = { kind: 'worker'; nears_end: boolean } & WorkerIdentity;
/** The bearer of an enrolment token, which the registration itself checks and uses up. */
export type Enrolling = { kind: 'enrolment'; token: string };
export type Anyone = { kind: 'anyone' };
export type Principal = Caller | WorkerPrincipal | Enrolling | Anyone;
