import { personApi } from './http/api.ts';
import { contextOf } from './platform/parts.ts';

export const handler = personApi(await contextOf(process.env));
