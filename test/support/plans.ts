import type { Sql, Statement } from '../../functions/domain/sql.ts';

export type PlanNode = {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Name'?: string;
  Filter?: string;
  Plans?: PlanNode[];
};
export type Plan = { statement: string; nodes: PlanNode[] };

const nodesOf = (plan: PlanNode): PlanNode[] => [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];

/**
 * Returns the plan of each statement that `work` sends over the `sql` that it is given, with the values that it sends: the
 * statements of the use case itself, whatever they are. They are carried out as well. A statement that is only part of another
 * one has no plan of its own.
 */
export const plansOf = async (sql: Sql, work: (sql: Sql) => Promise<unknown>): Promise<Plan[]> => {
  const plans: Plan[] = [];
  const explain = async (strings: readonly string[], statement: Statement) => {
    const [row] = await sql<[{ 'QUERY PLAN': [{ Plan: PlanNode }] }]>`explain (format json) ${statement}`;
    plans.push({ statement: strings.join('…'), nodes: nodesOf(row['QUERY PLAN'][0].Plan) });
  };
  const tag = (strings: TemplateStringsArray, ...values: readonly unknown[]): Statement => {
    const statement = sql(strings, ...values);
    // Whoever waits for the statement has it explained first; as a part of another one it is never waited for.
    const waited: Statement['then'] = (done, failed) => explain(strings, statement).then(() => statement.then(done, failed), failed);
    return new Proxy(statement, {
      get: (target, name) => {
        if (name === 'then') return waited;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  };
  await work(Object.assign(tag, { unsafe: sql.unsafe, request_id: sql.request_id }) as Sql);
  return plans;
};

/** The relations of which a plan reads every row, and those that it reaches by an index of a kind (`gin`). */
export const scansOf = ({ nodes }: Plan): string[] =>
  nodes.flatMap((node) => (node['Node Type'] === 'Seq Scan' ? (node['Relation Name'] ?? []) : []));

export const indexesOf = ({ nodes }: Plan): string[] => nodes.flatMap((node) => node['Index Name'] ?? []);

/** Which of these indexes are of a kind, such as `gin`. */
export const indexesOfKind = async (sql: Sql, names: readonly string[], kind: string): Promise<string[]> => {
  const rows = await sql<{ name: string }[]>`
    select c.relname as name from pg_class c join pg_am m on m.oid = c.relam where c.relname = any (${names}::text[]) and m.amname = ${kind}`;
  return rows.map(({ name }) => name);
};
