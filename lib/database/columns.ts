import type { ColumnType, Dialect } from './dialect.js';

/** A select list in which every column comes back as text, under its own name. */
export function selectList(
  dialect: Dialect,
  columns: readonly ColumnType[],
  alias?: string,
): string {
  const prefix = alias === undefined ? '' : `${alias}.`;
  return columns
    .map(([name, type]) => {
      if (type === 'text') return `${prefix}${name}`;
      const read = type === 'bytes' ? dialect.hex : dialect.text;
      return `${read(`${prefix}${name}`)} AS ${name}`;
    })
    .join(', ');
}

/** As many placeholders as there are values, for `IN (…)`. */
export function placeholders(values: readonly unknown[]): string {
  return values.map(() => '?').join(', ');
}

/** Hexadecimal digits as the bytes of a binary column. */
export function bytesOf(hex: string): Buffer;
export function bytesOf(hex: string | null): Buffer | null;
export function bytesOf(hex: string | null): Buffer | null {
  return hex === null ? null : Buffer.from(hex, 'hex');
}
