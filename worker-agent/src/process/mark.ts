/** The environment variable by which the processes of one command are known. Its value begins with the folder of the attempt. */
export const MARK = 'MAW_COMMAND';
