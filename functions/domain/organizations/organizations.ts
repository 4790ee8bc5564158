import { SCOPES } from '../../../schema/route.ts';
import { insertApiKey } from '../api-keys/api-keys.sql.ts';
import type { Context } from '../context.ts';
import { newSecret, secretHash } from '../secrets.ts';
import { transact } from '../transact.ts';

/**
 * Makes the first organization, its administrator and an API key with every scope; answers null when there is one already.
 * `keep` gets the key before anything is committed: when it can't be kept, nothing was made. It may call the network, which no other
 * transaction does: this one runs once, before anybody else uses the database.
 */
export const bootstrap = (
  ctx: Pick<Context, 'sql'>,
  keep: (adminKey: string) => Promise<void> = async () => {},
): Promise<{ admin_key: string | null }> =>
  transact(ctx.sql, async (tx) => {
    await tx`lock table organizations in share row exclusive mode`;
    const [known] = await tx`select from organizations limit 1`;
    if (known !== undefined) return { admin_key: null };
    const [organization] = await tx<[{ organization_id: string }]>`
      insert into organizations (name) values ('default') returning organization_id`;
    const [user] = await tx<[{ user_id: string }]>`
      insert into users (organization_id, email, display_name)
      values (${organization.organization_id}, 'admin@localhost', 'Administrator')
      returning user_id`;
    const adminKey = newSecret('mak');
    const spec = { name: 'admin', scopes: [...SCOPES] };
    await insertApiKey(tx, organization.organization_id, spec, secretHash(adminKey), adminKey.slice(0, 8), user.user_id);
    await keep(adminKey);
    return { admin_key: adminKey };
  });
