import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { AppError, type ErrorCode, ERRORS, type Problem } from '../../schema/errors.ts';

/** Limits of text that is repeated to its sender: a response must not grow with a hostile request. */
const LONGEST = { path: 300, message: 1_000, detail: 4_000 };

const clip = (text: string, most: number) => (text.length > most ? `${text.slice(0, most).toWellFormed()}…` : text);

/** Sent with every 503. */
export const RETRY_AFTER = { 'retry-after': '1' };

/** The headers that HTTP requires with a status. */
const headersOf = (code: ErrorCode): Record<string, string> => {
  if (ERRORS[code][0] === 401) return { 'www-authenticate': 'Bearer' };
  return code === 'unavailable' ? RETRY_AFTER : {};
};

/** An error as RFC 9457 problem details. */
export const problemResponse = (
  error: AppError,
  requestId: string,
  headers: Record<string, string> = {},
): APIGatewayProxyStructuredResultV2 => {
  const [status, title] = ERRORS[error.code];
  const problem: Problem = {
    type: `urn:multi-agent-on-the-web:error:${error.code}`,
    title,
    status,
    detail: clip(error.message, LONGEST.detail),
    code: error.code,
    errors: error.errors.map(({ path, message }) => ({ path: clip(path, LONGEST.path), message: clip(message, LONGEST.message) })),
    request_id: requestId,
  };
  return {
    statusCode: status,
    headers: { 'content-type': 'application/problem+json', ...headersOf(error.code), ...headers },
    body: JSON.stringify(problem),
  };
};
