import * as z from 'zod';
import { Fence } from './attempt.ts';
import { Id, Timestamp } from './common.ts';
import { LIMITS } from './json.ts';

const FileName = z
  .string()
  .min(1)
  .max(LIMITS.file_name_characters)
  .regex(
    /^[^\\:*?"<>|\u0000-\u001f\u007f-\u009f]+$/,
    'must be a relative path with / as separator and without \\ : * ? " < > | or control characters',
  )
  .refine(
    (name) => !name.startsWith('/') && name.split('/').every((part) => part !== '' && part !== '.' && part !== '..'),
    'must be a relative path without empty segments and without . or .. as a segment',
  )
  .describe('A relative path with / as separator, without . or .. as a segment');

export const ArtifactSpec = z
  .object({
    ...Fence,
    artifact_id: Id.optional().describe(
      'An id that the worker chose while it could not reach the server; if omitted, the server chooses one',
    ),
    name: FileName,
    content_type: z
      .string()
      .max(LIMITS.media_type_characters)
      .regex(/^[\w.+-]+\/[\w.+-]+(; ?[\w.+-]+=[\w.+-]+)*$/, 'must be a media type such as text/plain')
      .default('application/octet-stream'),
    size_bytes: z.int().min(0).max(LIMITS.artifact_bytes),
    sha256: z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 lowercase hexadecimal digits'),
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

/** A request that uploads or downloads the bytes, directly to or from the blob store. */
export const Transfer = z
  .object({
    method: z.enum(['PUT', 'GET']),
    url: z.string(),
    headers: z.record(z.string(), z.string()),
    expires_at: Timestamp,
  })
  .meta({ id: 'Transfer' });
export type Transfer = z.infer<typeof Transfer>;
