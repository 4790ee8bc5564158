/** The whole platform in a process of its own, as `npm start` runs it, with Redis in memory. */
import { startStandalone } from '../local/standalone.ts';

const { PATH: _, BENCH_FOLDER = '', ...env } = process.env; // without a PATH no Redis is found
const standalone = await startStandalone({ folder: BENCH_FOLDER, env: { ...env, PATH: '' } });
process.send?.({ url: standalone.url, adminKey: standalone.adminKey });
process.once('disconnect', () => void standalone.close().finally(() => process.exit(0)));
