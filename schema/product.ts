export const PRODUCT = { app: 'Multi-Agent on the Web', version: '0.1.0' } as const;
