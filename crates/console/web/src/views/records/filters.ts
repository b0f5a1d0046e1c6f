// Filters of records as they stand in the address, and as the server is asked.

import { given } from '../../api/given';
import type { paths } from '../../api/schema';

export type Cause = NonNullable<NonNullable<paths['/v1/records']['get']['parameters']['query']>['cause']>;

const names = ['from', 'to', 'number', 'code', 'cause'] as const;

/** As one wrote them; moments in the time zone of whoever did (`2026-11-22T14:03`). */
export type Filters = Record<(typeof names)[number], string>;

export function readFilters(query: URLSearchParams): Filters {
    return Object.fromEntries(names.map((name) => [name, query.get(name) ?? ''])) as Filters;
}

const moment = (text: string): string => {
    const at = new Date(text);
    return Number.isNaN(at.getTime()) ? '' : at.toISOString();
};

export function asQuery({ from, to, number, code, cause }: Filters): {
    from?: string;
    to?: string;
    number?: string;
    code?: string;
    cause?: Cause;
} {
    return given({ from: moment(from), to: moment(to), number, code, cause: cause as Cause | '' });
}
