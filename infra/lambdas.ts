/** The files `functions/<name>.lambda.ts`. */
export const LAMBDAS = ['person-api', 'worker-api', 'socket', 'dispatch', 'broadcast', 'tick', 'migrate'] as const;
export type LambdaName = (typeof LAMBDAS)[number];
