import { parseEnv } from '../schema/env.ts';
import { personApi } from './http/api.ts';
import { createContext } from './platform/context.ts';

export const handler = personApi(createContext(parseEnv(process.env)));
