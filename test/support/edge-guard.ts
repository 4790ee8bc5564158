import { openPool } from '../../functions/platform/pool.ts';
import { ATTEMPT_EDGES, SUBTASK_EDGES, TASK_EDGES } from '../../schema/states.ts';

const pairs = (edges: readonly { from: string; to: string }[]) => edges.map(({ from, to }) => `('${from}','${to}')`).join(',');

const guard = (table: string, edges: readonly { from: string; to: string }[]) => `
  create function guard_${table}() returns trigger language plpgsql as $$
  begin
    if old.status <> new.status and (old.status, new.status) not in (${pairs(edges)}) then
      raise exception 'illegal change of ${table}: % to %', old.status, new.status;
    end if;
    return new;
  end $$;
  create trigger guard_${table} after update of status on ${table} for each row execute function guard_${table}();`;

/** Installs triggers that fail a transaction when it changes a state in a way that the table of edges does not list. */
export const installEdgeGuard = async (url: string) => {
  const sql = openPool(url);
  await sql.unsafe(guard('tasks', TASK_EDGES) + guard('subtasks', SUBTASK_EDGES) + guard('attempts', ATTEMPT_EDGES));
  await sql.end();
};
