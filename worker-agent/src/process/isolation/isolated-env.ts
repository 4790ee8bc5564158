import type { Workspace } from '../../attempt/workspace.ts';

const PROXIES = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'NO_PROXY'];
const NETWORK = [...PROXIES, ...PROXIES.map((name) => name.toLowerCase()), 'NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'SSL_CERT_DIR'];
const SYSTEM = process.platform === 'win32' ? ['PATH', 'PATHEXT', 'ComSpec', 'SystemRoot', 'SystemDrive', 'windir'] : ['PATH'];
const PLAIN = { TERM: 'dumb', NO_COLOR: '1', CI: '1' };

const chosen = (wanted: (name: string) => boolean): Record<string, string> =>
  Object.fromEntries(Object.entries(process.env).flatMap(([name, value]) => (value !== undefined && wanted(name) ? [[name, value]] : [])));

const foldersOf = ({ home, temporary }: Workspace): Record<string, string> =>
  process.platform === 'win32'
    ? { USERPROFILE: home, APPDATA: home, LOCALAPPDATA: home, TEMP: temporary, TMP: temporary }
    : { HOME: home, TMPDIR: temporary };

/** The worker's environment without its own settings, which include its tokens. */
export const ownEnv = (): Record<string, string> => ({ ...chosen((name) => !/^MAW_/i.test(name)), ...PLAIN });

/** A minimal environment: PATH, language, network settings and the attempt's own folders. */
export const minimalEnv = (workspace: Workspace): Record<string, string> => {
  const passed = new Set([...SYSTEM, ...NETWORK].map((name) => (process.platform === 'win32' ? name.toUpperCase() : name)));
  const isPassed = (name: string) => passed.has(process.platform === 'win32' ? name.toUpperCase() : name);
  return { LANG: process.env.LANG ?? 'C.UTF-8', ...chosen(isPassed), ...PLAIN, ...foldersOf(workspace) };
};
