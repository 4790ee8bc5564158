/** Takes the variables of `.env` in the current folder, where there is one, into the environment; those that are set already stay. */
export const loadEnvFile = (path = '.env'): void => {
  try {
    process.loadEnvFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
};
