import { SCOPES } from '../../../schema/route.ts';
import { insertApiKey } from '../api-keys/api-keys.sql.ts';
import type { Context } from '../context.ts';
import { newSecret, secretHash } from '../secrets.ts';
import { transact } from '../transact.ts';
import { hasOrganization, insertAdministrator, insertOrganization, lockOrganizations } from './organizations.sql.ts';

/**
 * Creates the first organization, its administrator and an API key with every scope; `admin_key` is null when there is one already.
 * `keep` gets the key before the commit: when it throws, nothing is created. It may call the network, which no other transaction does:
 * this one runs once, before the database is in use.
 */
export const bootstrap = (
  ctx: Pick<Context, 'sql'>,
  keep: (adminKey: string) => Promise<void> = async () => {},
): Promise<{ admin_key: string | null }> =>
  transact(ctx.sql, async (tx) => {
    await lockOrganizations(tx);
    if (await hasOrganization(tx)) return { admin_key: null };
    const organizationId = await insertOrganization(tx);
    const userId = await insertAdministrator(tx, organizationId);
    const adminKey = newSecret('mak');
    const spec = { name: 'admin', scopes: [...SCOPES] };
    await insertApiKey(tx, organizationId, spec, secretHash(adminKey), adminKey.slice(0, 8), userId);
    await keep(adminKey);
    return { admin_key: adminKey };
  });
