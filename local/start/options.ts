import { parseArgs } from 'node:util';
import { readStandaloneEnv } from '../standalone-env.ts';

export const HELP = `npm start -- [options]
  --data FOLDER       folder in which all data is stored   (MAW_DATA, default .maw in the project)
  --port NUMBER       port of the API; 0 picks a free one  (MAW_PORT, default 8080)
  --listen ADDRESS    address to listen on; 0.0.0.0 opens it to other machines (default 127.0.0.1)
  --public-url URL    URL at which other machines reach it (MAW_PUBLIC_URL, or else PUBLIC_URL)
With DATABASE_URL, it uses that PostgreSQL (15 or newer) instead of starting one.
All variables (LEASE_MS, CLAIM_POLL_MS, CORS_ORIGINS, LOG_LEVEL …) are described in .env.example; a file .env is read as well.
SECRET_KEY is ignored: the system stores its own key in its data folder.`;

export type StartOptions = { folder: string; port: number; host: string; publicUrl: string | undefined; help: boolean };

const KNOWN = {
  data: { type: 'string' },
  port: { type: 'string' },
  listen: { type: 'string' },
  'public-url': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** How a person sets each value. */
const LABELS = {
  MAW_DATA: '--data (MAW_DATA)',
  MAW_PORT: '--port (MAW_PORT)',
  MAW_PUBLIC_URL: '--public-url (MAW_PUBLIC_URL, PUBLIC_URL)',
};

/** Flags override variables, and an empty variable counts as unset. Throws an Error with each invalid value and what is allowed. */
export const readOptions = (args: string[], env: Record<string, string | undefined>): StartOptions => {
  const { values } = parseArgs({ args, options: KNOWN, allowPositionals: false });
  const flags = {
    MAW_DATA: values.data || env.MAW_DATA,
    MAW_PORT: values.port || env.MAW_PORT,
    MAW_PUBLIC_URL: values['public-url'] || env.MAW_PUBLIC_URL || env.PUBLIC_URL,
  };
  const { MAW_DATA: folder, MAW_PORT: port, MAW_PUBLIC_URL: publicUrl } = readStandaloneEnv({ ...env, ...flags }, LABELS);
  return { folder, port, host: values.listen || '127.0.0.1', publicUrl, help: values.help ?? false };
};
