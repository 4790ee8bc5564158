import { isRepaired, repairOnLoad } from './repair.ts';

/** Imported dynamically, because static imports are loaded before any code of this module runs. */
const loadDriver = async () => {
  const end = repairOnLoad();
  try {
    return (await import('postgres')).default;
  } finally {
    end();
  }
};

/** The driver, repaired: see repair.ts. */
export const postgres = await loadDriver();
if (!isRepaired())
  throw new Error('The driver postgres was loaded before its repair: import it from functions/platform/postgres/driver.ts');
