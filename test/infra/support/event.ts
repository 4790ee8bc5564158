/** A request without a body, as the HTTP API sends it to a Lambda: payload format 2.0. */
export const request = (path: string, method = 'GET') => ({
  version: '2.0',
  routeKey: `${method} ${path}`,
  rawPath: path,
  rawQueryString: '',
  headers: { host: 'api.example', accept: '*/*' },
  requestContext: {
    accountId: '123456789012',
    apiId: 'api',
    domainName: 'api.example',
    domainPrefix: 'api',
    http: { method, path, protocol: 'HTTP/1.1', sourceIp: '192.0.2.1', userAgent: 'test' },
    requestId: 'a-request',
    routeKey: `${method} ${path}`,
    stage: '$default',
    time: '25/Nov/2026:12:00:00 +0000',
    timeEpoch: 1_795_608_000_000,
  },
  isBase64Encoded: false,
});

/** What the WebSocket API sends to a Lambda when a client connects. */
export const socketEvent = (eventType: 'CONNECT' | 'DISCONNECT', queryStringParameters?: Record<string, string>) => ({
  headers: { Host: 'api.example' },
  ...(queryStringParameters ? { queryStringParameters } : {}),
  requestContext: {
    routeKey: `$${eventType.toLowerCase()}`,
    eventType,
    connectionId: 'a-connection=',
    requestId: 'a-request',
    apiId: 'sockets',
    domainName: 'sockets.example',
    stage: 'ws',
  },
  isBase64Encoded: false,
});

/** An SQS batch, as Lambda passes it to a consumer. */
export const sqsEvent = (...bodies: string[]) => ({
  Records: bodies.map((body, at) => ({
    messageId: `message-${at}`,
    receiptHandle: `receipt-${at}`,
    body,
    attributes: { ApproximateReceiveCount: '1', SentTimestamp: '1795608000000' },
    messageAttributes: {},
    eventSource: 'aws:sqs',
  })),
});
