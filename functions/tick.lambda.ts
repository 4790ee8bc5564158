import { contextOf } from './platform/parts.ts';
import { tick } from './schedule/tick.ts';

const ctx = contextOf(process.env);

export const handler = () => tick(ctx);
