import { AppError, type ErrorCode, ERRORS } from '../../schema/errors.ts';

/** The error whose code a SQL function returned. */
export const refusal = (code: string): AppError => new AppError(code as ErrorCode, ERRORS[code as ErrorCode][1]);
