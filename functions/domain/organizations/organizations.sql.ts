import type { Sql } from '../ports/sql.ts';

/** Until the transaction ends, no other transaction can create an organization. */
export const lockOrganizations = (sql: Sql) => sql`lock table organizations in share row exclusive mode`;

export const hasOrganization = async (sql: Sql): Promise<boolean> => {
  const rows = await sql`select from organizations limit 1`;
  return rows.length > 0;
};

/** Returns its id. */
export const insertOrganization = async (sql: Sql): Promise<string> => {
  const [row] = await sql<[{ organization_id: string }]>`
    insert into organizations (name) values ('default') returning organization_id`;
  return row.organization_id;
};

/** Returns the id of the user. */
export const insertAdministrator = async (sql: Sql, organizationId: string): Promise<string> => {
  const [row] = await sql<[{ user_id: string }]>`
    insert into users (organization_id, email, display_name)
    values (${organizationId}, 'admin@localhost', 'Administrator')
    returning user_id`;
  return row.user_id;
};
