import type { Sql } from '../../functions/domain/sql.ts';
import { beforeStatements } from './statements.ts';

export type PlanNode = {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Name'?: string;
  Filter?: string;
  Plans?: PlanNode[];
};
export type Plan = { text: string; nodes: PlanNode[] };

const nodesOf = (plan: PlanNode): PlanNode[] => [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];

/** Returns the plan of each statement that `work` sends over the `sql` that it gets, with the values that it sends. They are carried out as well. */
export const plansOf = async (sql: Sql, work: (sql: Sql) => Promise<unknown>): Promise<Plan[]> => {
  const plans: Plan[] = [];
  const explained = beforeStatements(sql, async (text, statement) => {
    const [row] = await sql<[{ 'QUERY PLAN': [{ Plan: PlanNode }] }]>`explain (format json) ${statement}`;
    plans.push({ text, nodes: nodesOf(row['QUERY PLAN'][0].Plan) });
  });
  await work(explained);
  return plans;
};

/** The tables of which a plan reads every row. */
export const scansOf = ({ nodes }: Plan): string[] =>
  nodes.flatMap((node) => (node['Node Type'] === 'Seq Scan' ? (node['Relation Name'] ?? []) : []));

export const indexesOf = ({ nodes }: Plan): string[] => nodes.flatMap((node) => node['Index Name'] ?? []);

/** Which of these indexes are of a kind, such as `gin`. */
export const indexesOfKind = async (sql: Sql, names: readonly string[], kind: string): Promise<string[]> => {
  const rows = await sql<{ name: string }[]>`
    select c.relname as name from pg_class c join pg_am m on m.oid = c.relam where c.relname = any (${names}::text[]) and m.amname = ${kind}`;
  return rows.map(({ name }) => name);
};
