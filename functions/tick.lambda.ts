import { contextOf } from './platform/parts.ts';
import { tickEachMinute } from './schedule/tick.ts';

const ctx = await contextOf(process.env);

export const handler = () => tickEachMinute(ctx);
