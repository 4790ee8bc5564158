/** The whole platform in a process of its own, as `npm start` runs it, with Redis in memory. */
import { startHome } from '../local/home.ts';

const { PATH: _, BENCH_FOLDER = '', ...env } = process.env; // without a PATH no Redis is found
const home = await startHome({ folder: BENCH_FOLDER, env: { ...env, PATH: '' } });
process.send?.({ url: home.url, adminKey: home.adminKey });
process.once('disconnect', () => void home.close().finally(() => process.exit(0)));
