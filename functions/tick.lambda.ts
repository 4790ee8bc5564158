import { contextOf } from './platform/parts.ts';
import { tickEachMinute } from './schedule/tick.ts';

const ctx = contextOf(process.env);

export const handler = () => tickEachMinute(ctx);
