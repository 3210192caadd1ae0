/** An object without its undefined fields: missing is absent, on the wire, in the journal and in memory alike. */
export function present<T extends object>(fields: { readonly [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}

/** Undefined instead of an object in which nothing is known. */
export function presentOrNone<T extends object>(fields: { readonly [K in keyof T]: T[K] | undefined }): T | undefined {
  const known = present<T>(fields);
  return Object.keys(known).length === 0 ? undefined : known;
}
