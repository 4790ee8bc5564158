import type { Sql, Statement } from '../../functions/domain/ports/sql.ts';

/**
 * The same connections, with something done before each statement that is sent, which can also throw in its place. A statement
 * that is only part of another one is not sent by itself.
 */
export const beforeStatements = (sql: Sql, before: (text: string, statement: Statement) => Promise<void>): Sql => {
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
  return Object.assign(tag, { unsafe: sql.unsafe, request_id: sql.request_id }) as Sql;
};
