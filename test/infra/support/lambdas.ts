export const LAMBDAS = ['person-api', 'worker-api', 'socket', 'dispatch', 'broadcast', 'tick'];
