import { basename } from 'node:path';
import type { Pool } from '../../functions/domain/ports/pool.ts';
import type { Sql, Statement } from '../../functions/domain/ports/sql.ts';
import { fetchedBlocks } from '../support/blocks.ts';

/** One run of a statement: `name` is the function that contains it, such as `tasks listTasks`. */
export type Run = { name: string; text: string; ms: number; blocks: number };

type Tag = (strings: TemplateStringsArray, ...values: readonly unknown[]) => Statement;
type Parts = { strings: readonly string[]; values: readonly unknown[]; statement: Statement };

/** The query behind each returned statement, so that it can become part of another one. */
const parts = new WeakMap<object, Parts>();
const partsOf = (value: unknown) => (typeof value === 'object' && value !== null ? parts.get(value) : undefined);

const textOf = ({ strings, values }: Parts): string =>
  strings.reduce((text, string, at) => {
    const part = partsOf(values[at - 1]);
    return text + (part === undefined ? '?' : textOf(part)) + string;
  });

const DOMAIN = /at (?:async )?(?:(?:Object|Module)\.)?([\w$]+)?.*functions\/domain\/(.+?)\.ts:\d+/;

/** The functions of `*.sql.ts` that were called, including those that return only a part of a statement. */
export const touchedStatements = new Set<string>();

/** Names a statement after the outermost function of `*.sql.ts` on the stack, else after the function of the domain that sends it. */
const nameOfCaller = (): string => {
  const frames = (new Error('here').stack ?? '').split('\n').flatMap((line) => {
    const [, name = '', file = ''] = DOMAIN.exec(line) ?? [];
    return file === '' ? [] : [{ name: `${basename(file, '.sql')} ${name}`, isSql: file.endsWith('.sql') }];
  });
  for (const { name } of frames) touchedStatements.add(name);
  return (frames.findLast(({ isSql }) => isSql) ?? frames[0])?.name ?? '';
};

/** Starts each piece of work when the one before it has ended. */
const createTurns = () => {
  let last: Promise<unknown> = Promise.resolve();
  return <T>(work: () => Promise<T>): Promise<T> => {
    const mine = last.then(work);
    last = mine.catch(() => {});
    return mine;
  };
};

/** Stands for a statement that `run` sends once, when somebody waits for it. */
const lazyStatement = (run: () => Statement): Statement => {
  let running: Statement | undefined;
  const answer = () => (running ??= run());
  return {
    // biome-ignore lint/suspicious/noThenProperty: it stands for a promise that begins when somebody waits for it
    then: (...args: Parameters<Statement['then']>) => answer().then(...args), // oxlint-disable-line unicorn/no-thenable
    catch: (...args: Parameters<Statement['catch']>) => answer().catch(...args),
    finally: (...args: Parameters<Statement['finally']>) => answer().finally(...args),
  } as Statement;
};

/** Measures the statements of one connection or transaction. */
const measured = <S extends Sql>(sql: S, report: (run: Run) => void): S => {
  const inTurn = createTurns();
  const run = (name: string, mine: Parts) =>
    inTurn(async () => {
      const before = await fetchedBlocks(sql);
      const started = performance.now();
      const rows = await mine.statement;
      const ms = performance.now() - started;
      report({ name, text: textOf(mine), ms, blocks: (await fetchedBlocks(sql)) - before });
      return rows;
    });
  const tag: Tag = (strings, ...values) => {
    const given = values.map((value) => partsOf(value)?.statement ?? value);
    const mine: Parts = { strings, values, statement: sql(strings, ...given) };
    const name = nameOfCaller();
    const statement = lazyStatement(() => run(name, mine));
    parts.set(statement, mine);
    return statement;
  };
  return Object.assign(tag, { unsafe: sql.unsafe, request_id: sql.request_id }) as unknown as S;
};

/** A pool of one connection that reports each statement. Statements run one after the other, so that each is counted alone. */
export const meter = (pool: Pool, report: (run: Run) => void): Pool =>
  Object.assign(measured(pool, report), {
    of: (requestId: string) => meter(pool.of(requestId), report),
    begin: <T>(work: (sql: Sql) => Promise<T>) => pool.begin((sql) => work(measured(sql, report))),
    counted: pool.counted,
    end: pool.end,
  });
