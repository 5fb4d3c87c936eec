import type { DataSource } from 'typeorm';

const INSTALL = {
  postgres: (kind: string) => [
    `CREATE FUNCTION refuse_kind() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ` +
      `IF NEW.kind = '${kind}' THEN RAISE EXCEPTION 'refused by the test'; END IF; ` +
      `RETURN NEW; END $$`,
    `CREATE TRIGGER refuse_kind BEFORE INSERT ON auth_event ` +
      `FOR EACH ROW EXECUTE FUNCTION refuse_kind()`,
  ],
  mariadb: (kind: string) => [
    `CREATE TRIGGER refuse_kind BEFORE INSERT ON auth_event FOR EACH ROW ` +
      `IF NEW.kind = '${kind}' THEN ` +
      `SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'refused by the test'; END IF`,
  ],
  sqlite: (kind: string) => [
    `CREATE TRIGGER refuse_kind BEFORE INSERT ON auth_event WHEN NEW.kind = '${kind}' ` +
      `BEGIN SELECT RAISE(ABORT, 'refused by the test'); END`,
  ],
};

/**
 * Makes the database refuse to number events of a kind, as a full disk, a broken row or a
 * lost privilege would. A caller that waits for it waits in vain.
 *
 * @returns what lets them be numbered again.
 */
export async function refuseToNumber(
  dataSource: DataSource,
  kind: 'subject' | 'token' = 'subject',
): Promise<() => Promise<void>> {
  const { type } = dataSource.options;
  const isKnown = type === 'postgres' || type === 'mariadb';
  for (const sql of INSTALL[isKnown ? type : 'sqlite'](kind)) await dataSource.query(sql);
  return async () => {
    const on = type === 'postgres' ? ' ON auth_event' : '';
    await dataSource.query(`DROP TRIGGER refuse_kind${on}`);
  };
}
