import { parseEnv } from '../schema/env.ts';
import { workerApi } from './http/api.ts';
import { createContext } from './platform/context.ts';

export const handler = workerApi(createContext(parseEnv(process.env)));
