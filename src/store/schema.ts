/**
 * Every statement is written for schema `public`. Where another is chosen (`--schema`), it is written in here, by the one
 * place that sends statements, and nowhere else. Pure. Names the forms in which the schema is spoken of; `public` in any
 * other form is the role of that name.
 */
export const PUBLIC = "public";

/** A name that needs no quotation marks to mean itself, that is not ours and not the server's. */
export const isSchemaName = (name: string): boolean =>
  /^(?!pg_|hl_internal$|information_schema$)[a-z_][a-z0-9_]{0,62}$/.test(name);

const FORMS: readonly [RegExp, (schema: string) => string][] = [
  // public.hl_fills, public."x", public.%I, 'public.' || name
  [/\bpublic\.(?=hl_|idx_hl_|"|%|'|\$)/g, (schema) => `"${schema}".`],
  [/'public'(?=::regnamespace)/g, (schema) => `'"${schema}"'`],
  [/\bto_regnamespace\('public'\)/g, (schema) => `to_regnamespace('"${schema}"')`],
  [/(\b(?:nsp|schema)name = )'public'/g, (schema) => `$1'${schema}'`],
  [/\bhas_schema_privilege\('public'/g, (schema) => `has_schema_privilege('${schema}'`],
  [/\bschema public\b/g, (schema) => `schema "${schema}"`],
];

export const inSchema = (text: string, schema: string): string =>
  schema === PUBLIC
    ? text
    : FORMS.reduce((result, [form, written]) => result.replace(form, written(schema)), text);
