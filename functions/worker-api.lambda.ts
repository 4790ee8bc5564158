import { workerApi } from './http/api.ts';
import { contextOf } from './platform/parts.ts';

export const handler = workerApi(await contextOf(process.env));
