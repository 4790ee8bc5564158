import { isRepaired, repairOnLoad } from './repair.ts';

/** Loaded by hand, because the modules that are imported by name are read before anything of this one is carried out. */
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
