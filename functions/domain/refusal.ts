import { AppError, type ErrorCode, ERRORS } from '../../schema/errors.ts';

/** The error that a transition in SQL answered. */
export const refusal = (code: string): AppError => new AppError(code as ErrorCode, ERRORS[code as ErrorCode][1]);
