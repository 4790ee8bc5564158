import * as z from 'zod';
import { Fence } from './attempt.ts';
import { Id, Timestamp } from './common.ts';
import { LIMITS } from './json.ts';

const FileName = z
  .string()
  .min(1)
  .max(LIMITS.file_name_characters)
  .regex(/^[^\\:*?"<>|\u0000-\u001f\u007f-\u009f]+$/, 'must be a relative path with / and without \\ : * ? " < > | and control characters')
  .refine(
    (name) => !name.startsWith('/') && name.split('/').every((part) => part !== '' && part !== '.' && part !== '..'),
    'must be a relative path that stays in its folder',
  )
  .describe('A relative path with / that stays in its folder');

export const ArtifactSpec = z
  .object({
    ...Fence,
    artifact_id: Id.optional().describe('What a worker promised while it could not ask; made here when it is left out'),
    name: FileName,
    content_type: z
      .string()
      .max(LIMITS.media_type_characters)
      .regex(/^[\w.+-]+\/[\w.+-]+(; ?[\w.+-]+=[\w.+-]+)*$/, 'must be a media type such as text/plain')
      .default('application/octet-stream'),
    size_bytes: z.int().min(0).max(LIMITS.artifact_bytes),
    sha256: z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hex digits'),
  })
  .meta({ id: 'ArtifactSpec' });
export type ArtifactSpec = z.output<typeof ArtifactSpec>;

export const Artifact = z
  .object({
    artifact_id: Id,
    task_id: Id,
    subtask_id: Id,
    attempt: z.int(),
    name: z.string(),
    content_type: z.string(),
    size_bytes: z.int(),
    sha256: z.string(),
    status: z.enum(['pending', 'stored']),
    created_at: Timestamp,
  })
  .meta({ id: 'Artifact' });
export type Artifact = z.infer<typeof Artifact>;

/** A request that moves the bytes, straight to or from the blob store. */
export const Transfer = z
  .object({
    method: z.enum(['PUT', 'GET']),
    url: z.string(),
    headers: z.record(z.string(), z.string()),
    expires_at: Timestamp,
  })
  .meta({ id: 'Transfer' });
export type Transfer = z.infer<typeof Transfer>;
