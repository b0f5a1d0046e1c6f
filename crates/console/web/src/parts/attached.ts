// What a shop attaches to an order or a pair: any JSON.

import { Problem } from '../api/problem';

/** As it stands in a field. */
export function shownData(data: unknown): string {
    return data === null || data === undefined ? '' : JSON.stringify(data, null, 2);
}

/** What the field has; throws the problem at the field `data`. Empty is `null`. */
export function readData(text: string): unknown {
    if (text.trim() === '') return null;
    try {
        return JSON.parse(text) as unknown;
    } catch {
        throw new Problem('wrong-type', 0, 'This is no JSON', 'data');
    }
}
