import type { Route } from './route.ts';
import * as apiKeys from './routes/api-keys.ts';
import * as deadLetters from './routes/dead-letters.ts';
import * as live from './routes/live.ts';
import * as subtasks from './routes/subtasks.ts';
import * as system from './routes/system.ts';
import * as tasks from './routes/tasks.ts';
import * as workers from './routes/workers.ts';

const { Ended: _, ...subtaskRoutes } = subtasks;

/** Every operation of the API, by name. */
export const ROUTES = { ...system, ...tasks, ...subtaskRoutes, ...workers, ...live, ...deadLetters, ...apiKeys };
export type Routes = typeof ROUTES;
export type RouteName = keyof Routes;

export const allRoutes: readonly Route[] = Object.values(ROUTES);
