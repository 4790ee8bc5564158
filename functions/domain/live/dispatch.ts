import type { MessageOf } from '../../../schema/message.ts';
import type { Context } from '../context.ts';
import { orWakeLater } from '../outbox/wake.ts';
import { takeReady } from './live.sql.ts';
import { ring } from './ring.ts';

/** Puts subtasks that became ready into the ready queues and rings workers that may claim them. */
export const dispatch = async (ctx: Context, rows: readonly MessageOf<'ready'>[]): Promise<void> => {
  const states = await takeReady(
    ctx.sql,
    rows.map((row) => row.outbox_id),
    rows.flatMap((row) => row.payload.subtask_ids),
  );
  const ready = states.filter((state) => state.waits);
  await orWakeLater(
    ctx,
    ctx.hints.place(
      ready,
      states.filter((state) => !state.waits),
    ),
  );
  for (const [organizationId, those] of Map.groupBy(ready, (state) => state.organization_id))
    await ring(
      ctx,
      organizationId,
      those.map((state) => state.tool),
    );
};
