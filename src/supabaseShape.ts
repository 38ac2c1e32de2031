/** What the types of the public schema (`supabase.ts`) are made of: kinds of columns, and what a client reads and gives of each. */
export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[];

/** A number; exact text in the twin of the relation. */
export interface Decimal {
  decimal: number;
}
/** A column that the database fills in when it is left out. */
export interface Generated<T> {
  generated: T;
}
/** A column that cannot be given. */
export interface GeneratedAlways<T> {
  generatedAlways: T;
}
/** A function of the row: a column to PostgREST, where a client names it. */
export interface Computed<T> {
  computed: T;
}

type Value<C> = C extends Decimal
  ? number
  : C extends Generated<infer T> | GeneratedAlways<infer T> | Computed<infer T>
    ? Value<T>
    : C;
type Exact<C> = C extends Decimal
  ? string
  : C extends Generated<infer T> | GeneratedAlways<infer T> | Computed<infer T>
    ? Exact<T>
    : C;
type KeysOf<Columns, Kind> = { [K in keyof Columns]: Columns[K] extends Kind ? K : never }[keyof Columns];
type ComputedKeys<Columns> = KeysOf<Columns, Computed<unknown>>;
type StoredKeys<Columns> = Exclude<keyof Columns, ComputedKeys<Columns>>;
/** What may be left out. */
type OptionalKeys<Columns> = {
  [K in StoredKeys<Columns>]: Columns[K] extends Generated<unknown> | GeneratedAlways<unknown>
    ? K
    : null extends Columns[K]
      ? K
      : never;
}[StoredKeys<Columns>];
type Given<C> = C extends GeneratedAlways<unknown> ? never : Value<C>;
type Flat<T> = { [K in keyof T]: T[K] };

export type Values<Columns> = { [K in keyof Columns]: Value<Columns[K]> };
export type Table<Columns> = {
  Row: Values<Columns>;
  ComputedFields: ComputedKeys<Columns>;
  Insert: Flat<
    { [K in Exclude<StoredKeys<Columns>, OptionalKeys<Columns>>]: Given<Columns[K]> } & {
      [K in OptionalKeys<Columns>]?: Given<Columns[K]>;
    }
  >;
  Update: { [K in StoredKeys<Columns>]?: Given<Columns[K]> };
  Relationships: [];
};
/** A view may give null in every column. */
export type View<Columns> = {
  Row: { [K in keyof Columns]: Value<Columns[K]> | null };
  ComputedFields: never;
  Relationships: [];
};
/** The columns of a relation with decimals as text. */
export type Text<Columns> = { [K in StoredKeys<Columns>]: Exact<Columns[K]> };
/** What a function of a row is given. */
export type Stored<Columns> = { [K in StoredKeys<Columns>]: Value<Columns[K]> };
