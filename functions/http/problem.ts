import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { AppError, ERRORS, type Problem } from '../../schema/errors.ts';

/** An error as RFC 9457 problem details. What is no AppError is told as nothing but `internal`. */
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
    detail: error.message,
    code: error.code,
    errors: [...error.errors],
    request_id: requestId,
  };
  return { statusCode: status, headers: { 'content-type': 'application/problem+json', ...headers }, body: JSON.stringify(problem) };
};
