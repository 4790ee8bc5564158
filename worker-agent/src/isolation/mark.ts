/** The environment variable by which the processes of an attempt are known. Its value begins with the folder of the worker's attempts. */
export const MARK = 'MAW_WORKSPACE';
