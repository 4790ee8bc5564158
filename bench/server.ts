/** The HTTP server in its own process, configured by the environment; sends its address as a message. */
import { personApi, workerApi } from '../functions/http/api.ts';
import { createContext } from '../functions/platform/context.ts';
import { startGateway } from '../local/gateway.ts';
import { parseEnv } from '../schema/env.ts';

const ctx = createContext(parseEnv(process.env));
const gateway = await startGateway({ handlers: { 'person-api': personApi(ctx), 'worker-api': workerApi(ctx) } });
process.send?.({ url: gateway.url });
process.once('disconnect', () => process.exit(0));
