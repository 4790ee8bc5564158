import { contextOf } from './platform/parts.ts';
import { consume } from './queue/consume.ts';

export const handler = consume(await contextOf(process.env), 'subtasks');
