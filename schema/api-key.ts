import * as z from 'zod';
import { Id, Name, Timestamp } from './common.ts';
import { SCOPES } from './route.ts';

const Scopes = z
  .array(z.enum(SCOPES))
  .min(1)
  .max(SCOPES.length)
  .refine((scopes) => new Set(scopes).size === scopes.length, 'must not contain the same scope twice')
  .meta({ uniqueItems: true });

export const ApiKeySpec = z.strictObject({ name: Name, scopes: Scopes }).meta({ id: 'ApiKeySpec' });
export type ApiKeySpec = z.output<typeof ApiKeySpec>;

export const ApiKey = z
  .object({
    api_key_id: Id,
    name: z.string(),
    scopes: z.array(z.enum(SCOPES)),
    owner_id: Id.describe('The owner of the tasks that are submitted with this key'),
    hint: z.string().describe('The first characters of the key, to recognize it'),
    created_at: Timestamp,
    revoked_at: Timestamp.nullable(),
  })
  .meta({ id: 'ApiKey' });
export type ApiKey = z.infer<typeof ApiKey>;
