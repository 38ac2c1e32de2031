/** SQL text of a `timestamptz` as Unix milliseconds. */
export const epochMs = (column: string): string => `(extract(epoch from ${column}) * 1000)::bigint`;
