export const checkInvariants = async (_: unknown): Promise<string[]> => [];
