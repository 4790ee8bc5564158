import { contextOf } from './platform/parts.ts';
import { socket } from './socket/socket.ts';

export const handler = socket(await contextOf(process.env));
