import type { Command } from './command.ts';
import { cancel, pause, resume, retry } from './commands/change-task.ts';
import { config } from './commands/config.ts';
import { dlqList, dlqRedrive } from './commands/dlq.ts';
import { enrol } from './commands/enrol.ts';
import { explain } from './commands/explain.ts';
import { get } from './commands/get.ts';
import { list } from './commands/list.ts';
import { logs } from './commands/logs.ts';
import { submit } from './commands/submit.ts';
import { watch } from './commands/watch.ts';
import { workerDoctor } from './commands/worker-doctor.ts';
import { workerDrain } from './commands/worker-drain.ts';
import { workerJoin } from './commands/worker-join.ts';
import { workerOnce } from './commands/worker-once.ts';
import { workerInstallService, workerUninstallService } from './commands/worker-service.ts';
import { workerStart } from './commands/worker-start.ts';
import { workerStatus } from './commands/worker-status.ts';
import { workers } from './commands/workers.ts';

export const COMMANDS: readonly Command[] = [
  submit,
  list,
  get,
  watch,
  logs,
  explain,
  cancel,
  retry,
  pause,
  resume,
  workers,
  dlqList,
  dlqRedrive,
  enrol,
  workerJoin,
  workerStart,
  workerOnce,
  workerStatus,
  workerDrain,
  workerDoctor,
  workerInstallService,
  workerUninstallService,
  config,
];
