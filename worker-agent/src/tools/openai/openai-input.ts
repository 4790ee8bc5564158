import * as z from 'zod';

/** The input of a subtask for openai-http. Other fields are data for the model. */
export const OpenAiInput = z.looseObject({
  system: z.string().max(32_000).optional(),
  temperature: z.number().min(0).max(2).optional(),
  max_turns: z.int().min(1).max(1_000).optional(),
});
