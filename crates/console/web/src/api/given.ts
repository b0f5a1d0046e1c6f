// Queries whose fields may be empty.

type Given<Q> = { [K in keyof Q]?: Exclude<NonNullable<Q[K]>, ''> };

/** The fields that say something. */
export function given<Q extends Record<string, string | number | null | undefined>>(query: Q): Given<Q> {
    const entries = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== '');
    return Object.fromEntries(entries) as Given<Q>;
}

/** How many rows a list fetches at once. */
export const PAGE = 50;
