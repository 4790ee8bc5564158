/** The environment variable that identifies the processes of one command. Its value begins with the folder of the attempt. */
export const MARK = 'MAW_COMMAND';
