/** Loads `.env` of the current folder, if it exists, into the environment. Variables that are already set win. */
export const loadEnvFile = (path = '.env'): void => {
  try {
    process.loadEnvFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
};
