/** Where instances go, as configured: `{ default: { to: ['cloud'] } }`. */
export type Routes = Readonly<Record<string, { readonly to: readonly string[] }>>;

/**
 * The destinations of an instance, decided once at admission and frozen in its sealed trailer: a later change of
 * the configuration never re-routes what was already acknowledged.
 * @param configured every destination's name; without a route `default` an instance goes to all of them
 */
export function destinationsOf(routes: Routes, configured: readonly string[]): readonly string[] {
  const names = routes['default']?.to ?? configured;
  return Object.freeze([...new Set(names)]);
}

/**
 * Destinations that still have work frozen to them but are configured no longer: shown as `removed`, their work
 * kept, until they come back or an operator decides.
 */
export function removedDestinations(withWork: readonly string[], configured: readonly string[]): string[] {
  const known = new Set(configured);
  return withWork.filter((name) => !known.has(name));
}
