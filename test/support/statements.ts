import type { Pool } from '../../functions/domain/ports/pool.ts';
import type { Statement } from '../../functions/domain/ports/sql.ts';

/**
 * Wraps a pool so that `before` runs before each statement is sent; when it throws, the statement fails with that error.
 * A fragment, which is only part of another statement, does not count as a statement.
 */
export const beforeStatements = (sql: Pool, before: (text: string, statement: Statement) => Promise<void>): Pool => {
  const tag = (strings: TemplateStringsArray, ...values: readonly unknown[]): Statement => {
    const statement = sql(strings, ...values);
    const send = async () => {
      await before(strings.join('…'), statement);
      return statement;
    };
    const waited: Statement['then'] = (resolve, reject) => send().then(resolve, reject);
    return new Proxy(statement, {
      get: (target, name) => {
        if (name === 'then') return waited;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  };
  const { unsafe, request_id, of, begin, counted, end } = sql;
  return Object.assign(tag, { unsafe, request_id, of, begin, counted, end }) as Pool;
};
