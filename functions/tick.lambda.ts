import { parseEnv } from '../schema/env.ts';
import { createContext } from './platform/context.ts';
import { sweep } from './schedule/sweep.ts';

const ctx = createContext(parseEnv(process.env));

export const handler = () => sweep(ctx);
